"""--resume: what is done is spared, as long as nothing that it was made of has changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.work import job
from smd_cli.work.provenance import UNKNOWN, model_digest
from vary.conftest import Loads

pytestmark = pytest.mark.usefixtures("folder")

MANY = ["render", "s.yaml", "t.yaml", "--seeds", "1-2", "--resume"]
NAMES = ["s-1.png", "s-2.png", "t-1.png", "t-2.png"]


def painted(smd: Smd, *options: str) -> list[str]:
    """Which files a run painted, not only told."""
    result = smd([*MANY, "--json", *options])
    assert result.code == 0, result.err
    events = [json.loads(line) for line in result.out.splitlines()]
    told = [event for event in events if event["type"] == "result"]
    assert sorted(one["path"] for one in told) == NAMES
    return [one["path"] for one in told if not one["kept"]]


def test_only_what_changed_is_painted_again(
    smd: Smd, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert painted(smd) == NAMES
    before = {name: Path(name).stat().st_ino for name in NAMES}
    assert painted(smd) == []
    assert (loads, {name: Path(name).stat().st_ino for name in NAMES}) == ([str(TINY)], before)

    Path("s-2.png").unlink()
    assert painted(smd) == ["s-2.png"]
    Path("t-1.png").write_bytes(Path("t-2.png").read_bytes())
    assert painted(smd) == ["t-1.png"]
    scene = Path("t.yaml").read_text()
    Path("t.yaml").write_text(scene.replace("sand", "snow"))
    assert painted(smd) == ["t-1.png", "t-2.png"]
    Image.new("L", (64, 64), 254).save("fox.png")
    assert painted(smd) == NAMES
    Path("s-1.png").write_bytes(Path("s-1.png").read_bytes()[:99])
    assert painted(smd) == ["s-1.png"]
    assert painted(smd, "--set", "brushes.fox.strength=0.9") == NAMES
    assert painted(smd, "--set", "brushes.fox.strength=0.9", "--schedule", "stream") == NAMES
    assert painted(smd, "--set", "brushes.fox.strength=0.9", "--dtype", "fp32") == []
    monkeypatch.setattr(job, "__version__", "99")
    assert painted(smd) == NAMES


@pytest.mark.usefixtures("loads")
def test_frames_are_known_by_their_numbers(smd: Smd) -> None:
    frames = ["render", "s.yaml", "-q", "-n", "3", "-o", "f-%d.png", "-o", "a.apng", "--resume"]
    kept = "note: 1 of 1 job had been done; their files stay\n"
    assert smd(frames).err == ""
    loud = [word for word in frames if word != "-q"]
    assert smd(loud).err == kept
    shutil.copy("f-1.png", "f-2.png")
    assert kept not in smd(loud).err
    assert smd(loud).err == kept
    span = ["render", "s.yaml", "-n", "3", "--frame", "1", "-o", "f-%d.png", "--resume"]
    assert smd(span).err == kept
    assert kept not in smd([*frames, "-n", "4"]).err


@pytest.mark.usefixtures("loads")
def test_a_format_without_a_record_is_told(smd: Smd) -> None:
    for _ in range(2):
        told = smd(["render", "s.yaml", "-o", "a.jpg", "--resume"]).err
        assert "note: a.jpg holds no record of what it shows: --resume paints it again\n" in told


@pytest.mark.usefixtures("loads")
def test_a_sheet_shows_what_was_done_before_too(smd: Smd) -> None:
    assert smd([*MANY, "-q", "--sheet", "one.png"]).code == 0
    assert smd([*MANY, "-q", "--sheet", "two.png"]).code == 0
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_the_print_of_a_model_is_of_what_its_files_hold(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(TINY, model)
    (model / "notes.md").write_text("of no weight")
    first = model_digest(ModelRef("m", model))
    assert first == model_digest(ModelRef("another name", TINY)) != UNKNOWN
    weights = next(path for path in model.rglob("*.safetensors") if path.stat().st_size > 2**20)
    os.utime(weights, (1, 1))
    assert model_digest(ModelRef("m", model)) == first
    data = bytearray(weights.read_bytes())
    for at in range(len(data) // 2, len(data), 4096):  # trained further, every block is another
        data[at] ^= 1
    weights.write_bytes(data)
    other = model_digest(ModelRef("m", model))
    assert other not in (UNKNOWN, first)
    assert model_digest(ModelRef("m", TINY, loras=(LoraRef("l", weights),))) not in (
        UNKNOWN,
        first,
        other,
    )


def test_a_model_that_is_not_here_has_no_print() -> None:
    assert model_digest(ModelRef("owner/name-that-is-nowhere")) == UNKNOWN
