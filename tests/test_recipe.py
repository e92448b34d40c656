"""Pictures painted again, to the last bit, by the command that `smd unpack` prints."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import TINY, Smd
from PIL import Image, ImageSequence
from watch.follow import Following, disc, save

from smd_cli.watch.board import Command
from smd_cli.watch.live import WatchOptions

pytestmark = pytest.mark.slow

SCENE = """\
model: ../models/tiny
size: 64x64
background: {prompt: a meadow, color: blue}
seed: random
brushes:
  - {name: fox=red, prompt: a fox, mask: "../it's.png"}
  - {name: -owl, prompt: an owl, mask: {rect: [0, 0, 20, 20]}}
sampler: {steps: 2, noise: walk}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "work"
    (here / "models").mkdir(parents=True)
    (here / "proj").mkdir()
    monkeypatch.chdir(here)
    shutil.copytree(TINY, "models/tiny")
    Path("proj/s.yaml").write_text(SCENE, encoding="utf-8")
    Path("s.yaml").write_text(SCENE.replace("../", "./"), encoding="utf-8")
    disc(20).save("it's.png")
    return here


def again(smd: Smd, picture: Path) -> tuple[str, list[str]]:
    """Unpack a picture and run what that prints; what else was said, and the command."""
    unpacked = smd(["unpack", str(picture), "-o", "out of it"])
    assert unpacked.code == 0
    said, _, printed = unpacked.err.partition("with: ")
    command = shlex.split(printed)
    painted = smd(command[1:])
    assert painted.code == 0, painted.err
    assert painted.out.split() == ["again.png"]
    return said, command


def same(one: Path, other: Path) -> bool:
    """Whether two pictures show the same, frame by frame."""
    with Image.open(one) as a, Image.open(other) as b:
        frames = [[f.tobytes() for f in ImageSequence.Iterator(picture)] for picture in (a, b)]
        return a.size == b.size and frames[0] == frames[1]


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "brushes.1.prompt=two\nlines: of #text", "--seed", "random", "-n", "5"],
        pytest.param(
            ["--without", "fox=red", "--model", "models/tiny", "-n", "5", "--schedule", "single"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_frame_of_many_is_painted_again_alone(options: Sequence[str], smd: Smd) -> None:
    assert smd(["render", "proj/s.yaml", "-o", "f-%d.png", *options]).code == 0
    said, command = again(smd, Path("f-3.png"))
    assert same(Path("again.png"), Path("f-3.png"))
    assert command[command.index("--frame") + 1] == "3"
    assert "not inside the picture, and found where the scene names them: ../it's.png" in said


def test_kept_frames_beyond_the_last_are_painted_again(smd: Smd) -> None:
    with Following(WatchOptions(keep="kept"), ("live.png",)) as live:
        live.fresh(1)
        live.ask(Command.STEP)
        live.until(lambda s: s.frame == 1)
        live.ask(Command.STEP)
        live.until(lambda s: s.frame == 2)
        live.ask(Command.KEEP)
        live.until(lambda _: len([*Path().glob("kept/*.png")]) > 1)
    [*_, kept] = sorted(Path("kept").iterdir())
    Path("it's.png").unlink()
    _, command = again(smd, kept)
    assert same(Path("again.png"), kept)
    assert command[command.index("-n") : command.index("-n") + 4] == ["-n", "1", "--frame", "2"]


def test_a_kept_frame_of_a_stream_is_painted_again(smd: Smd) -> None:
    with Following(WatchOptions(endless=True), ("live.png",)) as live:
        live.until(lambda s: s.frame >= 3)
        live.ask(Command.STEP)  # pauses after one more
        live.ask(Command.KEEP)
        live.until(lambda _: any(Path().glob("s-kept/*.png")))
    [kept] = Path("s-kept").iterdir()
    Path("it's.png").unlink()
    _, command = again(smd, kept)
    assert same(Path("again.png"), kept)
    assert command[command.index("--schedule") + 1] == "stream:0"


def test_a_mask_that_is_read_as_at_first_is_so_again(smd: Smd) -> None:
    ink = disc(20)
    ink.putalpha(disc(40))
    ink.save("it's.png")
    with Following(WatchOptions(keep="kept"), ("live.png",)) as live:
        live.fresh(1)
        ink.putalpha(0)  # all is erased: no channel of it varies but brightness
        save(ink, Path("it's.png"))
        live.fresh(2)
    [_, kept] = sorted(Path("kept").iterdir())
    _, command = again(smd, kept)
    assert same(Path("again.png"), kept)
    assert "brushes.1.mask.channel=alpha" in command


def test_weights_that_are_gone_are_told(smd: Smd) -> None:
    options = ["--set", "brushes.1.mask={rect: [0, 0, 9, 9]}", "-o", "a.png"]
    assert smd(["render", "proj/s.yaml", *options]).code == 0
    shutil.rmtree("models")
    told = smd(["unpack", "a.png"]).err
    assert "no picture holds a model, and here is none by its name; say where: ../models" in told


def test_an_animation_is_painted_again_whole(smd: Smd) -> None:
    options = ["--set", "brushes.1.mask={rect: [0, 0, 9, 9]}", "-n", "3"]
    assert smd(["render", "proj/s.yaml", "-o", "a.apng", *options]).code == 0
    command = shlex.split(smd(["unpack", "a.apng", "-o", "out"]).err.partition("with: ")[2])
    assert smd(command[1:]).code == 0
    assert same(Path("again.apng"), Path("a.apng"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--schedule", "stream:3"], "has no end"),
        (["--schedule", "stream:3", "--frame", "2"], "has no end"),
        (["--schedule", "sideways"], "auto, single or stream"),
    ],
)
def test_orders_that_mean_nothing(options: list[str], message: str, smd: Smd) -> None:
    result = smd(["render", "s.yaml", *options])
    assert result.code == 2
    assert message in result.err
