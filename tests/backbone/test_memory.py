"""Precision and memory: what overflows stays in fp32; parts come and go without a change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from diffusers import AutoencoderKL

from smd_cli.backbone import memory
from smd_cli.backbone.load import load_backbone, pick_dtype
from smd_cli.errors import SmdError, UsageError
from smd_cli.scene.model import ModelRef


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
            output = model.predict(x, torch.tensor([999, 500]), prompts)
            again = model.encode_image(torch.zeros(1, 3, 32, 32))
            told.append([prompts.tokens, output, model.decode_latents(x[:, :, :4, :4]), again])
    for plain, spared in zip(*told, strict=True):  # slices round in another order
        assert torch.allclose(plain, spared, atol=1e-5)


def test_an_autoencoder_that_knows_no_hooks_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)
    waiting: list[Any] = []
    monkeypatch.setattr(memory, "_offload", lambda parts, _: waiting.extend(parts))
    unet, vae = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    memory.place([unet], vae, torch.device("meta"), low_memory=True)
    assert waiting == [unet]
    assert (unet.weight.device.type, vae.weight.device.type) == ("cpu", "meta")


def test_offloaded_parts_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part's hook knows the one before it, so that this one leaves the device."""
    chain: list[tuple[str, Any]] = []

    def hook(part: Any, device: torch.device, prev_module_hook: Any) -> tuple[Any, Any]:
        assert device.type == "cuda"
        chain.append((part, prev_module_hook))
        return part, f"hook of {part}"

    monkeypatch.setattr("accelerate.cpu_offload_with_hook", hook)
    memory._offload(["text", "unet", "vae"], torch.device("cuda"))
    assert chain == [("text", None), ("unet", "hook of text"), ("vae", "hook of unet")]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_no_memory_left_is_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("smd_cli.backbone.files.load_folder", full)
    with pytest.raises(SmdError) as refused:
        load_backbone(ModelRef("m", TINY), "cpu")
    assert refused.value.message == "the model m does not fit into the memory of cpu"
