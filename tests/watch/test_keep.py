"""Kept pictures and films: nothing is lost, and a kept picture can be painted again."""

from __future__ import annotations

import shlex
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.gif import GifMovie
from smd_cli.watch.board import Command
from smd_cli.watch.live import WatchOptions

from .follow import Following, disc, save

SCENE = f"""\
model: {TINY}
size: 64x64
background: {{prompt: a meadow, color: blue}}
seed: 5
brushes:
  - {{name: fox, prompt: a fox, mask: masks/fox.png}}
  - {{name: owl, prompt: an owl, mask: ../owl.png}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "work"
    (here / "masks").mkdir(parents=True)
    monkeypatch.chdir(here)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("masks/fox.png")
    disc(44).save("../owl.png")
    return here


def test_a_kept_picture_is_painted_again_after_its_masks_changed(smd: Smd) -> None:
    with Following(WatchOptions(keep="kept")) as live:
        live.fresh(1)
        live.ask(Command.SEED)
        live.fresh(2)
        save(disc(50), Path("masks/fox.png"))
        save(disc(10), Path("../owl.png"))
        live.fresh(3)
    kept = sorted(Path("kept").iterdir())
    assert [path.name for path in kept] == ["s-0001.png", "s-0002.png", "s-0003.png"]
    result = smd(["unpack", str(kept[1]), "-o", "again"])
    assert result.code == 0
    assert result.out.split() == [
        "again/s.yaml",
        "again/masks/fox.png",
        "again/elsewhere/2-owl.png",
    ]
    assert Path("again/masks/fox.png").read_bytes() != Path("masks/fox.png").read_bytes()
    command = shlex.split(result.err.partition("with: ")[2])
    assert command[:3] == ["smd", "render", "again/s.yaml"]
    assert smd(command[1:]).code == 0
    with Image.open("again.png") as one, Image.open(kept[1]) as other:
        assert (np.array(one) == np.array(other)).all()


@pytest.mark.slow
def test_an_endless_run_keeps_one_picture_of_each_version() -> None:
    with Following(WatchOptions(endless=True, keep="kept")) as live:
        live.until(lambda s: s.frame >= 3)
        save(disc(50), Path("masks/fox.png"))
        version = live.fresh(2)
        live.until(lambda s: s.frame >= version.frame + 3)
    assert len(list(Path("kept").iterdir())) == 2


def test_keep_asked_for_has_a_folder_of_its_own() -> None:
    with Following(WatchOptions()) as live:
        live.fresh(1)
        live.ask(Command.KEEP)
        said = live.until(lambda s: s.notices == 1).notice
        assert said == f"Kept as {Path('s-kept/s-0001.png')}."
    assert [path.name for path in Path("s-kept").iterdir()] == ["s-0001.png"]


def test_nothing_is_kept_twice() -> None:
    """A picture has one file, by itself or asked for, and in a later run as well; frames differ."""
    for run in (1, 2):
        with Following(WatchOptions(keep="kept")) as live:
            live.fresh(1)
            live.ask(Command.KEEP)
            said = live.until(lambda s: s.notices == 1).notice
            assert said == f"Already kept as {Path('kept/s-0001.png')}."
            live.ask(Command.STEP)
            live.until(lambda s: s.frame == 1 and s.fresh)
        assert len(list(Path("kept").iterdir())) == 2, run


def test_a_picture_that_cannot_be_kept_stops_nothing() -> None:
    Path("kept").write_text("a file in the way")
    with Following(WatchOptions(keep="kept")) as live:
        state = live.until(lambda s: "kept" in s.trouble)
        assert (state.shown, state.beside) == (1, True)
        save(disc(50), Path("masks/fox.png"))
        live.until(lambda s: s.shown == 2)


def test_what_stops_pictures_stays_told_when_one_cannot_be_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("s-kept").write_text("a file in the way")
    with Following(WatchOptions()) as live:
        live.fresh(1)
        text = Path("s.yaml").read_text()
        Path("s.yaml").write_text("brushes: [")
        live.until(lambda s: "s.yaml:1" in s.trouble and not s.beside)
        live.ask(Command.KEEP)
        state = live.until(lambda s: s.notices == 1)
        assert "s-kept" in state.notice
        assert "s.yaml:1" in state.trouble
        assert not state.beside
        Path("s.yaml").write_text(text)
        live.until(lambda s: s.fresh and not s.trouble)
    assert "s-kept" in capsys.readouterr().err


def frames_of(film: str) -> int:
    """How many pictures a film shows, decoded."""
    if film.endswith(".mp4"):
        frames, _ = imageio_ffmpeg.count_frames_and_secs(film)
        return int(frames)
    with Image.open(film) as opened:
        return int(getattr(opened, "n_frames", 1))


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
@pytest.mark.slow
def test_a_film_has_every_whole_picture_and_plays(name: str) -> None:
    with Following(WatchOptions(record=name)) as live:
        live.fresh(1)
        for version, x in ((2, 30), (3, 50)):
            save(disc(x), Path("masks/fox.png"))
            live.fresh(version)
    assert frames_of(name) == 3


def test_a_film_may_be_named_after_the_first_seed() -> None:
    with Following(WatchOptions(record="film-{seed}.gif")) as live:
        live.fresh(1)
        live.ask(Command.SEED)
        live.fresh(2)
    assert frames_of("film-5.gif") == 2
    assert [path.name for path in Path().glob("film*")] == ["film-5.gif"]


def test_pictures_of_another_size_go_into_a_film_of_their_own() -> None:
    with Following(WatchOptions(record="film.gif")) as live:
        live.fresh(1)
        Path("s.yaml").write_text(SCENE.replace("64x64", "80x80"), encoding="utf-8")
        live.fresh(2)
    sizes = []
    for name in ("film.gif", "film-2.gif"):
        with Image.open(name) as film:
            sizes.append(film.size)
    assert sizes == [(64, 64), (80, 80)]


def test_a_film_that_cannot_go_on_is_told_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise SmdError("film.gif could not be written: no room")

    monkeypatch.setattr(GifMovie, "add", fails)
    with Following(WatchOptions(record="film.gif")) as live:
        live.until(lambda s: "no room" in s.trouble)
        save(disc(50), Path("masks/fox.png"))
        assert live.fresh(2).trouble == ""
    assert not [path for path in Path().iterdir() if "film" in path.name]


@pytest.mark.parametrize(
    ("name", "message"), [("film.png", "takes a film"), ("live.gif", "both want")]
)
def test_a_wrong_film_is_refused_at_once(name: str, message: str) -> None:
    with (
        pytest.raises(UsageError, match=message),
        Following(WatchOptions(record=name), ("live.gif",)) as live,
    ):
        live.fresh(1)


def test_what_holds_no_scene_is_refused(smd: Smd) -> None:
    disc(3).save("plain.png")
    Path("broken.png").write_bytes(b"PNG?")
    for name, message in [
        ("plain.png", "holds no scene"),
        ("broken.png", "not a picture"),
        ("gone.png", "there is no file"),
    ]:
        result = smd(["unpack", name])
        assert result.code == 2
        assert message in result.err


def test_nothing_is_replaced(smd: Smd) -> None:
    with Following(WatchOptions(keep="kept")) as live:
        live.fresh(1)
    (Path("again") / "masks").mkdir(parents=True)
    Path("again/masks/fox.png").write_text("mine")
    result = smd(["unpack", "kept/s-0001.png", "-o", "again"])
    assert result.code == 2
    assert "again/masks/fox.png exists already" in result.err
    assert Path("again/masks/fox.png").read_text() == "mine"
    assert [path.name for path in Path("again").iterdir()] == ["masks"]
