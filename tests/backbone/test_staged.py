"""Large text encoders: they leave before the network comes, and what they read is kept on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from asked import whole_rows
from conftest import Smd
from safetensors.torch import load_file, save_file
from torch import Tensor

from smd_cli.backbone import memory
from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.backbone.prompt_store import PromptStore
from smd_cli.errors import SmdError
from smd_cli.models.families import Part
from smd_cli.models.fingerprint import fingerprint
from smd_cli.models.ref import ModelRef

SCENE = """\
model: {model}
size: 64x64
background: a meadow
brushes:
  - {{prompt: {prompt}, mask: {{rect: [0, 0, 50%, 100%]}}}}
sampler: {{steps: 1, guidance: {{type: none}}}}
{more}
"""


class Loads:
    """Which parts are loaded, in order, and which of them are still there when the network is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.beside: set[str] = set()
        self._alive: dict[str, weakref.ref[Any]] = {}
        load = files.load_part

        def load_part(part: Part, *where: Any) -> Any:
            if part.name == "transformer":
                self.beside = {name for name, one in self._alive.items() if one() is not None}
            self.names.append(part.name)
            made = load(part, *where)
            self._alive[part.name] = weakref.ref(made)
            return made

        monkeypatch.setattr(files, "load_part", load_part)

    def of(self, run: Callable[[], object]) -> list[str]:
        """The parts that `run` loads; what an earlier command left is no part of it."""
        self.names, self._alive = [], {}
        run()
        return self.names


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    return Loads(monkeypatch)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of read prompts, which is not there yet; commands run in an empty folder."""
    monkeypatch.setenv("SMD_PROMPT_CACHE", str(tmp_path / "cache" / "prompts"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "cache" / "prompts"


def painted(smd: Smd, model: Path, *options: str, prompt: str = "a fox", more: str = "") -> bytes:
    """The PNG of a scene, or its last frame."""
    Path("s.yaml").write_text(SCENE.format(model=model, prompt=prompt, more=more))
    done = smd(["render", "s.yaml", "-o", "s%d.png", *options])
    assert done.code == 0, done.err
    return max(Path().glob("s*.png")).read_bytes()


TEXTS = {
    "flux-schnell": ["text_encoder", "text_encoder_2"],
    "sd3 without t5": ["text_encoder", "text_encoder_2"],
    "sana-sprint": ["text_encoder"],
}
QUICK = ("flux-schnell",)


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TEXTS]
)
def test_a_second_run_loads_no_text_encoder(
    name: str,
    flows: dict[str, Path],
    cache: Path,
    loads: Loads,
    smd: Smd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And its picture has the same bytes, as has that of a run without any cache."""
    made = []
    wanted = {"first": [*TEXTS[name], "transformer"], "second": ["transformer"]}
    for run in wanted:
        assert loads.of(lambda: made.append(painted(smd, flows[name]))) == wanted[run]
        assert loads.beside == set()
    assert len([*cache.iterdir()]) == 2
    monkeypatch.setenv("SMD_PROMPT_CACHE", "off")
    assert loads.of(lambda: made.append(painted(smd, flows[name]))) == wanted["first"]
    assert made[0] == made[1] == made[2]
    assert len([*cache.iterdir()]) == 2


def test_a_new_prompt_is_read_and_no_other(
    flows: dict[str, Path], cache: Path, loads: Loads, smd: Smd
) -> None:
    painted(smd, flows["z-image"])
    both = ["text_encoder", "transformer"]
    assert loads.of(lambda: painted(smd, flows["z-image"], prompt="an owl")) == both
    assert len([*cache.iterdir()]) == 3


@pytest.mark.slow
def test_the_prompts_of_all_frames_are_read_before_the_network_comes(
    flows: dict[str, Path], loads: Loads, smd: Smd, cache: Path
) -> None:
    prompts = "{0: a fox, 3: an owl}"
    first = loads.of(lambda: painted(smd, flows["flux-schnell"], prompt=prompts, more="frames: 4"))
    assert first == ["text_encoder", "text_encoder_2", "transformer"]
    assert len([*cache.iterdir()]) == 3


@pytest.mark.slow
def test_the_prompts_of_all_scenes_are_read_before_the_network_comes(
    flows: dict[str, Path], loads: Loads, smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those with its model; where nothing is kept on the disk, too."""
    monkeypatch.chdir(tmp_path)
    for name, prompt in (("a", "a fox"), ("b", "an owl")):
        text = SCENE.format(model=flows["z-image"], prompt=prompt, more="")
        Path(f"{name}.yaml").write_text(text)
    done = smd(["render", "a.yaml", "b.yaml", "-o", "{scene}.png"])
    assert (done.code, loads.names) == (0, ["text_encoder", "transformer"]), done.err


@pytest.mark.slow
def test_a_damaged_entry_is_read_anew_and_replaced(
    flows: dict[str, Path], cache: Path, loads: Loads, smd: Smd
) -> None:
    whole = painted(smd, flows["z-image"])
    one, other = sorted(cache.iterdir())
    content = one.read_bytes()
    one.write_bytes(content[:-7])
    again = []
    read = loads.of(lambda: again.append(painted(smd, flows["z-image"])))
    assert (read, again) == (["text_encoder", "transformer"], [whole])
    assert sorted(cache.iterdir()) == [one, other]
    assert one.read_bytes() == content


@pytest.mark.slow
def test_another_precision_has_entries_of_its_own(
    flows: dict[str, Path], cache: Path, smd: Smd
) -> None:
    painted(smd, flows["flux-schnell"])
    painted(smd, flows["flux-schnell"], "--dtype", "bf16")
    sizes = sorted(path.stat().st_size for path in cache.iterdir())
    assert len(sizes) == 4
    assert sizes[1] < 0.6 * sizes[2]  # what was in half precision takes half the room


@pytest.mark.slow
def test_weights_that_were_replaced_are_asked_anew(
    flows: dict[str, Path], cache: Path, loads: Loads, smd: Smd, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(flows["z-image"], tmp_path / "m"))
    before = painted(smd, model)
    file = model / "text_encoder" / "model.safetensors"
    save_file({k: v * 1.5 for k, v in load_file(file).items()}, file, {"format": "pt"})
    after = []
    assert "text_encoder" in loads.of(lambda: after.append(painted(smd, model)))
    assert after != [before]
    assert len([*cache.iterdir()]) == 4


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_changes_nothing(
    flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = painted(smd, flows["z-image"])
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SMD_PROMPT_CACHE", str(tmp_path / "file"))
    assert painted(smd, flows["z-image"]) == wanted
    done = smd(["render", "s.yaml", "-o", "again.png"])
    assert "prompt cache: warning: the prompts that were read are not kept for the next" in done.err
    told = smd(["doctor", "--device", "cpu"]).out
    assert "warning: it cannot be written to: prompts are read anew in every run" in told


def test_one_part_at_a_time_is_on_the_device(
    flows: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --low-memory the encoders take turns as well, and leave for good; rows are the same."""
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)
    turns: list[str] = []
    take = memory._Turns.take

    def taken(self: Any, part: Any) -> None:
        turns.append(type(part).__name__)
        take(self, part)
        assert self._holder is part

    monkeypatch.setattr(memory._Turns, "take", taken)
    outputs = []
    with torch.inference_mode():
        for low in (False, True):
            model = load_backbone(ModelRef("m", flows["flux-schnell"]), "cpu", low_memory=low)
            model.encode_image(torch.zeros(1, 3, 32, 32))
            rows = model.encode_prompts(["a fox"])
            x = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
            outputs.append(model.predict(whole_rows(x, [500], rows)))
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
    assert turns == ["AutoencoderKL", "CLIPTextModel", "T5EncoderModel", "FluxTransformer2DModel"]


# The store


def told(number: int) -> Mapping[str, Tensor]:
    return {"tokens": torch.full((1, 4, 8), float(number)) + 0.1, "mask": torch.ones(1, 4).bool()}


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    """So much is kept as fits; a use counts as much as a writing."""
    store = PromptStore(tmp_path, "m")
    for number in range(3):
        store.told(str(number), lambda n=number: told(n))  # type: ignore[misc]
    files = {path.stat().st_mtime_ns: path for path in tmp_path.iterdir()}
    for place, path in enumerate(files[time] for time in sorted(files)):
        os.utime(path, ns=(place, place))
    size = next(tmp_path.iterdir()).stat().st_size

    def fail() -> Mapping[str, Tensor]:
        raise AssertionError("it is kept")

    small = PromptStore(tmp_path, "m", most_bytes=3 * size)
    assert torch.equal(small.told("0", fail)["tokens"], told(0)["tokens"])
    small.told("3", lambda: told(3))
    assert len([*tmp_path.iterdir()]) == 3
    for kept in ("0", "2", "3"):
        PromptStore(tmp_path, "m").told(kept, fail)
    with pytest.raises(AssertionError):
        PromptStore(tmp_path, "m").told("1", fail)


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "other", "no tensors"])
def test_what_is_damaged_is_replaced(harm: str, tmp_path: Path) -> None:
    wanted = PromptStore(tmp_path, "m").told("a", lambda: told(1))
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    other = b"something else, longer than a digest of 32 bytes"
    spoiled = {
        "cut": content[:-7],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "other": other,
        "no tensors": hashlib.sha256(file.stem.encode() + other).digest() + other,
    }
    file.write_bytes(spoiled[harm])
    read = []
    again = PromptStore(tmp_path, "m").told("a", lambda: read.append("a") or told(1))  # type: ignore[func-returns-value]
    assert (read, file.read_bytes()) == (["a"], content)
    assert torch.equal(again["tokens"], wanted["tokens"])


def test_another_model_has_entries_of_its_own(tmp_path: Path) -> None:
    for number, model in enumerate(("m", "n")):
        found = PromptStore(tmp_path, model).told("a", lambda n=number: told(n))  # type: ignore[misc]
        assert torch.equal(found["tokens"], told(number)["tokens"])
    assert len([*tmp_path.iterdir()]) == 2


def test_what_is_anothers_is_no_entry(tmp_path: Path) -> None:
    """Whole as it is, under a name that is not its own: of other shape, precision and content."""
    store = PromptStore(tmp_path, "m")
    store.told("a", lambda: {"tokens": torch.ones(1, 9, 2, dtype=torch.bfloat16)})
    [first] = tmp_path.iterdir()
    store.told("b", lambda: told(1))
    [second] = {*tmp_path.iterdir()} - {first}
    second.write_bytes(first.read_bytes())
    again = PromptStore(tmp_path, "m").told("b", lambda: told(1))
    assert torch.equal(again["tokens"], told(1)["tokens"])
    assert torch.equal(PromptStore(tmp_path, "m").told("b", dict)["tokens"], again["tokens"])


def test_many_runs_at_once(tmp_path: Path) -> None:
    """Each has what it asked for, whatever the others write and take away."""
    PromptStore(tmp_path, "m").told("0", lambda: told(0))
    size = next(tmp_path.iterdir()).stat().st_size

    def run(seed: int) -> bool:
        order = torch.randperm(12, generator=torch.Generator().manual_seed(seed)).tolist()
        right = []
        for number in order * 3:
            store = PromptStore(tmp_path, "m", 5 * size)
            found = store.told(str(number), lambda n=number: told(n))  # type: ignore[misc]
            right.append(torch.equal(found["tokens"], told(number)["tokens"]))
        return all(right)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(run, range(6)))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".prompt"]


def test_what_cannot_be_kept_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    said: list[str] = []
    store = PromptStore(tmp_path / "file", "m", lost=said.append)
    for number in range(2):
        found = store.told(str(number), lambda n=number: told(n))  # type: ignore[misc]
        assert torch.equal(found["tokens"], told(number)["tokens"])
    [sentence] = said
    assert sentence.startswith(f"{tmp_path / 'file'} cannot be written to: ")


def test_others_files_stay(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("x" * 10_000)
    PromptStore(tmp_path, "m", most_bytes=1).told("a", lambda: told(1))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rows_come_back_to_the_last_bit(dtype: torch.dtype, tmp_path: Path) -> None:
    wide = torch.randn(1, 7, 5, generator=torch.Generator().manual_seed(1)) * 1000
    row = {"tokens": wide.to(dtype).float(), "pooled": torch.tensor([[-0.0, 0.0, 1e-8]])}
    first = PromptStore(tmp_path, "m").told("a", lambda: row)
    second = PromptStore(tmp_path, "m").told("a", dict)
    for name, wanted in row.items():
        for found in (first[name], second[name]):
            assert found.dtype == torch.float32
            assert torch.equal(found.view(torch.int32), wanted.view(torch.int32))


@pytest.mark.parametrize("whole_bytes", [1 << 25, 100])
def test_a_fingerprint_sees_any_change(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tensor changed within, with size and time kept; a vocabulary; and no more than that.

    In a file that counts whole, and in one of which pieces do.
    """
    monkeypatch.setattr("smd_cli.models.fingerprint._WHOLE_BYTES", whole_bytes)
    part = tmp_path / "text_encoder"
    part.mkdir()
    weights = {"a": torch.zeros(40, 50), "b": torch.zeros(3), "c": torch.zeros(5000)}
    save_file(weights, part / "model.safetensors")
    (part / "vocab.json").write_text("{}")
    time = (part / "model.safetensors").stat().st_mtime_ns
    before = fingerprint([part])
    (part / "readme.md").write_text("other files are not loaded")
    assert fingerprint([part]) == before
    for name in weights:
        save_file({**weights, name: weights[name] + 1}, part / "model.safetensors")
        os.utime(part / "model.safetensors", ns=(time, time))
        assert fingerprint([part]) != before
    save_file(weights, part / "model.safetensors")
    os.utime(part / "model.safetensors", ns=(time, time))
    assert fingerprint([part]) == before
    (part / "vocab.json").write_text('{"a": 1}')
    assert fingerprint([part]) != before
    with pytest.raises(SmdError, match="cannot read"):
        fingerprint([tmp_path / "none"])
