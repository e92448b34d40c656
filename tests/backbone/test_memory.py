"""Precision and memory: what overflows stays in fp32; parts come and go without a change."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from asked import whole_rows
from conftest import TINY
from diffusers import AutoencoderKL, AutoencoderTiny

from smd_cli.backbone import memory
from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.backbone.loading import files, load
from smd_cli.backbone.loading.load import load_backbone, pick_dtype
from smd_cli.errors import SmdError, UsageError
from smd_cli.models.families import families
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import STDIN
from smd_cli.work.job import Job
from smd_cli.work.render import memory_sentence


@pytest.fixture
def loud(families: dict[str, Path], tmp_path: Path) -> Path:
    """An SDXL whose decoder passes numbers beyond fp16's 65504, as the released one does."""
    folder = Path(shutil.copytree(families["sdxl"], tmp_path / "loud"))
    vae = AutoencoderKL.from_pretrained(folder / "vae")
    with torch.no_grad():
        vae.decoder.conv_in.weight.mul_(2e4)
    vae.save_pretrained(folder / "vae")
    return folder


def force_upcast(folder: Path, wanted: bool) -> None:
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "force_upcast": wanted}))


def decoded(folder: Path, dtype: str) -> torch.Tensor:
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return load_backbone(ModelRef("m", folder), "cpu", dtype).decode_latents(noise)


def test_an_autoencoder_that_overflows_runs_in_fp32(loud: Path) -> None:
    force_upcast(loud, True)
    assert torch.allclose(decoded(loud, "fp16"), decoded(loud, "fp32"), atol=1e-2)
    force_upcast(loud, False)  # a mended one says so, and runs in fp16
    assert not torch.isfinite(decoded(loud, "fp16")).all()
    assert torch.isfinite(decoded(loud, "bf16")).all()


def test_a_device_that_cannot_work_in_a_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TypeError("BFloat16 is not supported on MPS")

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(UsageError) as refused:
        pick_dtype("bf16", torch.device("cpu"))
    assert str(refused.value) == "error: cpu cannot work in bf16\nhint: try --dtype fp32"


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_low_memory_changes_nothing(
    name: str, families: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that come and go give the same rows; a picture below a tile's size is the same."""
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)
    told = []
    with torch.inference_mode():
        for low in (False, True):
            model = load_backbone(ModelRef("m", families[name]), "cpu", low_memory=low)
            prompts = model.encode_prompts(["a fox", "an owl"])
            x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
            output = model.predict(whole_rows(x, [999, 500], prompts))
            again = model.encode_image(torch.zeros(1, 3, 32, 32))
            told.append([prompts["tokens"], output, model.decode_latents(x[:, :, :4, :4]), again])
    for plain, spared in zip(*told, strict=True):  # slices round in another order
        assert torch.allclose(plain, spared, atol=1e-5)


@pytest.mark.parametrize("low", [False, True])
def test_convolutions_have_channels_side_by_side_where_that_is_faster(
    low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers in another order in memory, also after a part has come and gone."""
    plain = load_backbone(ModelRef("m", TINY), "cpu")
    monkeypatch.setattr(memory, "_multiplies_in_tiles", lambda _: True)
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)
    model: Any = load_backbone(ModelRef("m", TINY), "cpu", low_memory=low)
    x = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        rows = whole_rows(x, [999, 500], plain.encode_prompts(["a fox", "an owl"]))
        assert torch.allclose(model.predict(rows), plain.predict(rows), atol=1e-5)
        assert torch.allclose(model.decode_latents(x), plain.decode_latents(x), atol=1e-5)
    weight = model._unet.mid_block.resnets[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()


DEVICE = torch.device("cpu", 0)
"""It computes like "cpu", which is main memory here, and is another name: it stands for a GPU."""


class Watched:
    """Which parts of a model are on the device, as their `.to` tells, and who works meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here: set[str] = set()
        self.worked: list[str] = []
        self.together: list[set[str]] = []
        self._names: dict[int, str] = {}
        moved = torch.nn.Module.to

        def to(module: torch.nn.Module, *where: Any, **options: Any) -> Any:
            name = self._names.get(id(module))
            if name and where and isinstance(where[0], torch.device):
                (self.here.add if where[0] == DEVICE else self.here.discard)(name)
                self.together.append(set(self.here))
            return moved(module, *where, **options)

        monkeypatch.setattr(torch.nn.Module, "to", to)

    def follow(self, name: str, module: torch.nn.Module) -> None:
        """Note when a layer of the part works: only the part itself is on the device then."""
        self._names[id(module)] = name

        def works(*_: Any) -> None:
            assert self.here == {name}
            if self.worked[-1:] != [name]:
                self.worked.append(name)

        for layer in module.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(works)


def codec() -> PatchAutoencoder:
    return cast(PatchAutoencoder, PatchAutoencoder(latent_channels=4, width=8, blocks=1))


VAES: dict[str, Callable[[], Any]] = {
    "AutoencoderKL": lambda: AutoencoderKL.from_pretrained(TINY / "vae"),
    "AutoencoderTiny": lambda: AutoencoderTiny.from_pretrained(TINY / "tiny_vae"),
    "PatchAutoencoder": codec,
}


@pytest.mark.parametrize("kind", VAES)
@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_one_part_at_a_time_is_on_the_device(
    kind: str, name: str, families: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order they work: a picture comes in first, and frames follow each other."""
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)
    monkeypatch.setattr(load, "pick_device", lambda _: DEVICE)
    monkeypatch.setattr(files, "load_vae", lambda *_: VAES[kind]())
    watched = Watched(monkeypatch)
    held = memory.place

    def place(parts: Sequence[Any], vae: Any, *how: Any) -> None:
        for number, part in enumerate((*parts, vae)):
            role = "vae" if part is vae else "unet" if part is parts[-1] else f"text {number}"
            watched.follow(role, part)
        held(parts, vae, *how)

    monkeypatch.setattr(load, "place", place)
    texts = ["text 0"] if name == "sd1" else ["text 0", "text 1"]
    with torch.inference_mode():
        model = load_backbone(ModelRef("m", families[name]), "cpu", low_memory=True)
        assert not watched.here
        model.encode_image(torch.zeros(1, 3, 64, 64))
        for prompt in ("a fox", "an owl"):
            rows = model.encode_prompts([prompt])
            x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
            for _ in range(2):
                model.predict(whole_rows(x, [999], rows))
                model.decode_latents(x)
        model.encode_image(torch.zeros(1, 3, 64, 64))
    frames = [*texts, "unet", "vae", "unet", "vae"]
    assert watched.worked == ["vae", *frames, *frames]
    assert max(map(len, watched.together)) == 1


def test_all_autoencoders_of_unets_are_tried_here() -> None:
    """Those of flow-matching families alone have networks of their own."""
    unets = [one for one in families() if one.spacing is None]
    known = {name for one in unets for name in one.autoencoder.loaders}
    assert known == {*VAES}


def test_a_part_that_does_not_fit_leaves_nothing_behind() -> None:
    """The next part finds the device empty."""

    class Part(torch.nn.Linear):
        full = False
        where = ""

        def to(self, device: torch.device) -> Part:  # type: ignore[override]
            self.where = str(device)
            if self.full and device == DEVICE:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self

    small, large = Part(1, 1), Part(1, 1)
    memory._take_turns([small, large], memory._Turns(DEVICE))
    small(torch.zeros(1))
    large.full = True
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError):
            large(torch.zeros(1))
        assert (small.where, large.where) == ("cpu", "cpu")
    small(torch.zeros(1))
    assert small.where == "cpu:0"


ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.77 GiB, max allowed: 18.13 GiB)."),
    RuntimeError("Invalid buffer size: 19.38 GiB"),
    RuntimeError(
        "[enforce fail at ..\\c10\\core\\impl\\alloc_cpu.cpp:72] data. DefaultCPUAllocator: "
        "not enough memory: you tried to allocate 26214400 bytes."
    ),
    OSError(12, "Cannot allocate memory"),
    OSError("The paging file is too small for this operation to complete. (os error 1455)"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_no_memory_left_is_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it loads, and where it paints."""

    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("smd_cli.backbone.loading.files.load_folder", full)
    with pytest.raises(SmdError) as refused:
        load_backbone(ModelRef("m", TINY), "cpu")
    assert refused.value.message == "the model m does not fit into the memory of cpu"
    with pytest.raises(SmdError) as refused, memory_sentence(job()):
        full()
    assert refused.value.message == "s: out of memory at 64x64"


def job() -> Job:
    file = load_scene(STDIN, stdin=BytesIO(b"{model: starter, size: 64x64, background: grass}"))
    return Job(replace(file, name="s"), paint_scene(file), (), (), ())


def test_the_allocator_of_this_machine() -> None:
    for fill in (lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50)):
        with pytest.raises(SmdError, match="out of memory at 64x64"), memory_sentence(job()):
            fill()


def test_an_error_that_came_from_another() -> None:
    """Loaders say that a file cannot be read when there was no room for it."""

    def load() -> None:
        try:
            raise ERRORS[0]
        except MemoryError:
            raise OSError("Unable to load weights from checkpoint file") from None

    with pytest.raises(SmdError, match="out of memory"), memory_sentence(job()):
        load()


@pytest.mark.parametrize("error", [RuntimeError("expected 4 channels"), SmdError("out of memory")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as stayed, memory_sentence(job()):
        raise error
    assert stayed.value is error


def is_looked_through(thing: object) -> bool:
    return any(one is thing for one in gc.get_objects())


def test_garbage_is_looked_for_once_a_model_is_loaded() -> None:
    """The start of `smd` goes without, for speed; the model is looked through, its classes not."""
    gc.disable()
    try:
        backbone = load_backbone(ModelRef("tiny-sd", TINY), "cpu", "fp32")
        assert gc.isenabled()
        unet: Any = backbone._unet  # type: ignore[attr-defined]
        assert is_looked_through(unet)
        assert not is_looked_through(type(unet))
    finally:
        gc.unfreeze()
        gc.enable()


def test_nothing_is_left_out_where_garbage_was_looked_for_all_along() -> None:
    frozen = gc.get_freeze_count()
    load_backbone(ModelRef("tiny-sd", TINY), "cpu", "fp32")
    assert gc.get_freeze_count() <= frozen


def test_garbage_is_looked_for_after_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    gc.disable()
    try:
        with pytest.raises(SmdError):
            load_backbone(ModelRef("none", tmp_path), "cpu", "fp32")
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
