"""A command that no save can mend ends at once; what a save can mend is waited for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.errors import SmdError, UsageError
from smd_cli.models import hub
from smd_cli.models.cache import Download
from smd_cli.scene.overrides import Override, parse_override
from smd_cli.watch import follower, sources
from smd_cli.watch.board import Board
from smd_cli.watch.command import WatchOptions, refuse_wrong
from smd_cli.watch.run import _Quitting, once_interrupted
from smd_cli.watch.sources import SceneReader
from smd_cli.work.request import Machine, Request

from .follow import Following, disc, save

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{name: fox, prompt: a fox, mask: fox.gif}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""


IN_FRONT = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.gif")
    monkeypatch.setattr(follower, "PATIENCE_S", 0.3)
    return tmp_path


LONG = "x" * 250


@pytest.mark.parametrize(
    "options", [WatchOptions(keep="kept"), WatchOptions(record="{scene}-film.gif")]
)
def test_a_name_that_is_too_long_ends_it_at_once(options: WatchOptions) -> None:
    Path("s.yaml").rename(f"{LONG}.yaml")
    request = Request([f"{LONG}.yaml"], ["live.png"])
    with pytest.raises(UsageError, match="255 are allowed"):
        refuse_wrong(request, options)
    refuse_wrong(request, WatchOptions())


WRONG = [
    (["--set", "seed=x"], "--set seed=x: error: seed must be"),
    (["--set", "sampler.stps=3"], "unknown key 'stps'"),
    (["--set", "brushes.fox.alpha=2"], "--set brushes.fox.alpha=2: error:"),
    (["--seed", "x"], "--seed x: error: seed must be"),
    (["-n", "0"], "--frames 0: error:"),
    (["--size", "banana"], "--size banana: error:"),
    (["--only", "nobody"], "there is no brush 'nobody'"),
    (["--without", "nobody"], "there is no brush 'nobody'"),
    (["--model", "nope"], "--model nope: error: no model 'nope'"),
    (["--model", "./empty"], "is no model folder"),
    (["-o", "live.xyz"], "is not a format that smd writes"),
    (["-o", "fox.gif"], "fox.gif would replace fox.gif"),
    (["-o", "a.png", "-o", "./a.png"], "are the same file"),
    (["--record", "gone/film.gif"], "there is no folder gone"),
    (["--record", "fox.gif"], "fox.gif would replace fox.gif"),
    (["--record", "s.png"], "--record takes a film, not s.png"),
    (["--record", "link.gif", "-o", "live.gif"], "--record and -o both want link.gif"),
    (["--keep", "s.yaml"], "--keep s.yaml: s.yaml is not a folder"),
    (["--keep", "s.yaml/kept"], "--keep s.yaml/kept: s.yaml is not a folder"),
    (["--keep", "out", "-o", "out/"], "-o out/ and --keep out give their pictures the same names"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[" ".join(o) for o, _ in WRONG])
def test_a_wrong_command_ends_before_anything_is_loaded(
    smd: Smd, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    Path("empty").mkdir()
    Path("link.gif").symlink_to("live.gif")
    monkeypatch.setitem(sys.modules, "smd_cli.watch.live", None)  # its import would raise
    before = sorted(Path().rglob("*"))
    result = smd(["watch", "s.yaml", *options])
    assert result.code == 2, result.err
    assert message in result.err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("scene", "message"),
    [(".", "is a folder"), ("gone/s.yaml", "there is no folder gone"), ("pipe", "regular file")],
)
def test_what_no_scene_can_come_to_is_refused(scene: str, message: str) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe")
    elif scene == "pipe":
        pytest.skip("there are no pipes with names")
    with pytest.raises(UsageError, match=message):
        refuse_wrong(Request([scene], ["live.png"]), WatchOptions())


def test_a_keep_folder_must_let_us_write(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("kept").mkdir()
    request, options = Request(["s.yaml"], ["live.png"]), WatchOptions(keep="kept/new/one")
    refuse_wrong(request, options)
    assert not list(Path("kept").iterdir())
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != Path("kept"))
    with pytest.raises(UsageError, match="no permission to write in the folder kept"):
        refuse_wrong(request, options)


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_machine_that_is_not_there_ends_it(device: str) -> None:
    with (
        pytest.raises(UsageError, match="there is no device"),
        Following(WatchOptions(Machine(device))) as live,
    ):
        live.fresh(1)


def follow_with(*changes: Override) -> Following:
    return Following(WatchOptions(), request=Request(["s.yaml"], ["live.png"], changes))


def test_a_model_of_the_command_that_cannot_be_loaded_ends_it() -> None:
    Path("hollow").mkdir()
    Path("hollow/model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    wrong = Override("model", "./hollow", "--model ./hollow", Path())
    with pytest.raises(SmdError, match="hollow"), follow_with(wrong) as live:
        live.fresh(1)


def test_a_wrong_option_ends_it_as_soon_as_the_scene_can_be_read() -> None:
    Path("s.yaml").write_text("brushes: [", encoding="utf-8")

    def mended() -> None:
        with follow_with(parse_override("seed=x")) as live:
            live.until(lambda s: "s.yaml:1" in s.trouble)
            Path("s.yaml").write_text(SCENE, encoding="utf-8")
            live.fresh(1)

    with pytest.raises(UsageError, match="--set seed=x"):
        mended()


@pytest.mark.slow
def test_what_a_save_can_mend_is_waited_for() -> None:
    """A scene that is not there, a mask that an option names, a brush that was renamed."""
    Path("s.yaml").rename("away")
    changes = [parse_override("brushes.fox.mask=new.png"), parse_override("brushes.fox.seed=3")]
    request = Request(["s.yaml"], ["live.png"], changes)
    refuse_wrong(request, WatchOptions())
    with follow_with(*changes) as live:
        live.until(lambda s: "no such file" in s.trouble)
        Path("away").rename("s.yaml")
        live.until(lambda s: "there is no file 'new.png'" in s.trouble)
        save(disc(30), Path("new.png"))
        live.fresh(1)
        Path("s.yaml").write_text(SCENE.replace("name: fox", "name: cat"), encoding="utf-8")
        live.until(lambda s: "there is no brush 'fox'" in s.trouble)
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        live.until(lambda s: s.fresh and not s.trouble)


def test_a_scene_may_be_a_folder_for_a_while() -> None:
    with follow_with() as live:
        live.fresh(1)
        Path("s.yaml").unlink()
        Path("s.yaml").mkdir()
        live.until(lambda s: "this is a folder" in s.trouble and not s.fresh)
        Path("s.yaml").rmdir()
        live.until(lambda s: "no such file" in s.trouble)
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        live.until(lambda s: s.fresh and not s.trouble)


def test_a_mask_that_became_the_film_is_told() -> None:
    reader = SceneReader(WatchOptions(record="film.gif"))
    request = Request(["s.yaml"], ["live.png"])
    assert reader.read(request).job
    Image.new("L", (64, 64)).save("film.gif")
    Path("s.yaml").write_text(SCENE.replace("fox.gif", "film.gif"), encoding="utf-8")
    assert "film.gif would replace film.gif" in str(reader.read(request).wrong)


HUB_SCENE = "model: nobody/nothing\nsize: 64x64\nbackground: a meadow\n"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hub, which never answers, was asked for."""
    found: list[str] = []

    def prepare(wanted: Download) -> None:
        found.append(wanted.repo)
        raise SmdError("the hub does not answer")

    monkeypatch.setattr(hub, "prepare", prepare)
    return found


def test_a_hub_that_does_not_answer_is_asked_once_for_a_while(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, request = SceneReader(), Request(["s.yaml"], ["live.png"])
    Path("s.yaml").write_text(HUB_SCENE, encoding="utf-8")
    wrongs = [str(reader.read(request).wrong) for _ in range(3)]
    assert wrongs == ["error: the hub does not answer"] * 3
    assert asked == ["nobody/nothing"]
    Path("s.yaml").write_text(HUB_SCENE.replace("nothing", "else"), encoding="utf-8")
    assert reader.read(request).job is None
    assert asked == ["nobody/nothing", "nobody/else"]
    monkeypatch.setattr(sources, "HUB_RETRY_S", 0.0)
    reader.read(request)
    assert asked == ["nobody/nothing", "nobody/else", "nobody/else"]


def test_a_scene_whose_model_cannot_be_had_is_waited_for(asked: list[str]) -> None:
    """Another save may name another model, at the start too; the option's model stays."""
    Path("s.yaml").write_text(HUB_SCENE, encoding="utf-8")
    with follow_with() as live:
        live.until(lambda s: "the hub does not answer" in s.trouble)
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        live.until(lambda s: s.fresh and not s.trouble)
    assert asked == ["nobody/nothing"]
    changes = [parse_override("model=nobody/nothing")]
    reading = SceneReader().read(Request(["s.yaml"], ["live.png"], changes))
    assert reading.wrong
    assert reading.for_good


def test_a_quit_may_break_off_the_question_to_the_hub(asked: list[str]) -> None:
    Path("s.yaml").write_text(HUB_SCENE, encoding="utf-8")
    told: list[str] = []

    @contextmanager
    def asking(model: str) -> Iterator[None]:
        told.append(f"{model}, asked: {asked}")
        yield

    SceneReader(asking=asking).read(Request(["s.yaml"], ["live.png"]))
    assert told == ["nobody/nothing, asked: []"]
    assert asked == ["nobody/nothing"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_mask_that_is_a_pipe_is_told_and_not_waited_for() -> None:
    Path("fox.gif").unlink()
    os.mkfifo("fox.gif")
    reading = SceneReader().read(Request(["s.yaml"], ["live.png"]))
    assert "'fox.gif' is not a regular file" in str(reading.wrong)


def test_a_quit_does_not_wait_for_what_is_loaded() -> None:
    board = Board()
    board.tell(busy="getting sdxl ready")
    quitting = _Quitting(board)
    press = threading.Timer(0.1, quitting.hurry)
    began = time.monotonic()
    press.start()
    with quitting, once_interrupted():
        while time.monotonic() - began < 20:  # an import, a download, a model
            time.sleep(0.01)
    assert time.monotonic() - began < 10
    board.tell(busy="")
    quitting.hurry()  # the loop looks by itself: it is not broken off
    with pytest.raises(KeyboardInterrupt), _Quitting(board):
        raise KeyboardInterrupt


def test_used_up_files_end_it_with_a_sentence(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files", "torch.so")

    monkeypatch.setattr("smd_cli.watch.live.follow", none_left)
    result = smd(["watch", "s.yaml"])
    assert result.code == 1
    assert "error: the system lets smd open no more files: Too many open files" in result.err
    assert "hint: close other programs, or raise the limit (ulimit -n)" in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_quit_ends_the_command_while_it_starts() -> None:
    """`q` on a terminal, before the libraries are there: exit 0, and no picture."""
    terminal, follower_end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_FRONT, sys.executable, "-m", "smd_cli", "watch", "s.yaml"],
        stdin=follower_end,
        stderr=follower_end,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(follower_end)
    began, seen = time.monotonic(), b""
    with suppress(OSError):  # the terminal is closed
        while piece := os.read(terminal, 4096):
            seen += piece
            os.write(terminal, b"q" if b"starting" in seen else b"")
            assert time.monotonic() - began < 30, seen
    assert process.wait(10) == 0, seen
    os.close(terminal)
    assert not Path("s.png").exists()
