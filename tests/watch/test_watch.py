"""`smd watch` with real files and real saves: the last picture is that of the last state."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.watch import follower

from .follow import disc, save

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
  - {{name: owl, prompt: an owl, mask: {{ellipse: [30, 24, 30, 30]}}}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""
PATIENCE_S = 30.0
QUIET_S = 2.5  # on a busy machine a picture may take a second


class Script(threading.Thread):
    """Edits files while `smd watch` runs in the main thread, then presses Ctrl-C."""

    def __init__(self, edits: Callable[[Script], None]) -> None:
        super().__init__(daemon=True)
        self.edits = edits
        self.wrong: BaseException | None = None

    def run(self) -> None:
        try:
            self.edits(self)
        except BaseException as wrong:
            self.wrong = wrong
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    @staticmethod
    def until(done: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scene with a mask, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.png")
    return tmp_path


class Watched:
    """Runs `smd watch` under a script, and renders the state that the script leaves behind."""

    def __init__(self, smd: Smd) -> None:
        self._smd = smd

    def __call__(self, edits: Callable[[Script], None], *options: str) -> str:
        script = Script(edits)
        script.start()
        result = self._smd(["watch", "s.yaml", "-o", "live.png", *options])
        script.join()
        if script.wrong:
            raise AssertionError(result.err) from script.wrong
        assert result.code == 130
        assert not [t for t in threading.enumerate() if t.name == "watcher"]
        assert not [p for p in Path().iterdir() if p.suffix == ".tmp"]
        return result.err

    def last_state(self) -> bytes:
        """What `smd render` makes of the files as they are now."""
        assert self._smd(["render", "s.yaml", "-o", "fresh.png", "-q"]).code == 0
        return Path("fresh.png").read_bytes()


@pytest.fixture
def watched(smd: Smd, folder: Path) -> Watched:
    assert folder.is_dir()
    return Watched(smd)


def changes(before: bytes) -> Callable[[], bool]:
    """Whether the live picture is another one than before."""
    return lambda: Path("live.png").exists() and Path("live.png").read_bytes() != before


def settled() -> None:
    """Wait until the live picture has not changed for a while."""
    last, since = b"", time.monotonic()
    while time.monotonic() - since < QUIET_S:
        now = Path("live.png").read_bytes()
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)


@pytest.mark.slow
def test_many_saves_in_a_row_end_with_the_last(watched: Watched) -> None:
    def edits(script: Script) -> None:
        script.until(changes(b""))
        for number in range(50):
            save(disc(10 + number * 7 % 43), Path("fox.png"))
            time.sleep(0.03)
        settled()

    said = watched(edits)
    assert Path("live.png").read_bytes() == watched.last_state()
    assert said.count("live.png: version") < 50  # overtaken, not queued


def write_in_pieces(content: bytes, path: Path, rng: np.random.Generator) -> None:
    """As careless programs do: over the old file, with pauses at random places."""
    cuts = sorted(int(n) for n in rng.integers(0, len(content), 4))
    with path.open("wb") as file:
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            file.write(content[start:end])
            file.flush()
            time.sleep(float(rng.uniform(0, 0.02)))


@pytest.mark.slow
def test_writes_in_pieces_are_read_when_they_are_whole(watched: Watched) -> None:
    rng = np.random.default_rng(7)

    def edits(script: Script) -> None:
        script.until(changes(b""))
        for number in range(50):
            save(disc(10 + number * 7 % 43), Path("other.png"))
            write_in_pieces(Path("other.png").read_bytes(), Path("fox.png"), rng)
        settled()

    said = watched(edits)
    assert Path("live.png").read_bytes() == watched.last_state()
    assert "error" not in said


@pytest.mark.slow
def test_a_brush_is_added_renamed_and_removed(watched: Watched) -> None:
    cat = "brushes:\n  - {name: cat, prompt: a cat, mask: {rect: [2, 2, 30, 30]}}"
    texts = [
        SCENE.replace("brushes:", cat),
        SCENE.replace("brushes:", cat.replace("name: cat", "name: tom")),
        SCENE,
    ]
    seen = []

    def edits(script: Script) -> None:
        script.until(changes(b""))
        for text in texts:
            before = Path("live.png").read_bytes()
            Path("s.yaml").write_text(text)
            script.until(changes(before))
            settled()
            seen.append(Path("live.png").read_bytes())

    watched(edits)
    for text, shown in zip(texts, seen, strict=True):
        Path("s.yaml").write_text(text)
        assert shown == watched.last_state()


@pytest.mark.slow
def test_what_is_broken_is_told_once_and_mended_quietly(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PATIENCE_S", 0.3)

    def edits(script: Script) -> None:
        script.until(changes(b""))
        first = Path("live.png").read_bytes()
        Path("s.yaml").write_text(SCENE.replace("prompt: a fox", "promt: a fox"))
        time.sleep(1.5)
        assert Path("live.png").read_bytes() == first
        Path("s.yaml").write_text(SCENE)
        time.sleep(0.8)
        Path("fox.png").unlink()
        time.sleep(1.5)
        save(disc(44), Path("fox.png"))
        script.until(changes(first))
        settled()

    said = watched(edits)
    assert Path("live.png").read_bytes() == watched.last_state()
    assert said.count("s.yaml:5:") == 2  # the key that is wrong, the mask that is gone
    assert "did you mean prompt?" in said
    assert "there is no file 'fox.png'" in said
    assert said.count("stale") == 2
    assert "fresh again" in said


@pytest.mark.slow
def test_a_brush_may_come_before_its_mask_does(watched: Watched) -> None:
    def edits(script: Script) -> None:
        script.until(changes(b""))
        first = Path("live.png").read_bytes()
        more = "brushes:\n  - {name: cat, prompt: a cat, mask: new/cat.png}"
        Path("s.yaml").write_text(SCENE.replace("brushes:", more))
        time.sleep(0.7)
        Path("new").mkdir()
        time.sleep(0.3)
        save(disc(50), Path("new/cat.png"))
        script.until(changes(first))
        settled()

    said = watched(edits)
    assert Path("live.png").read_bytes() == watched.last_state()
    assert "version 2" in said


@pytest.mark.slow
def test_a_touched_file_costs_nothing(watched: Watched) -> None:
    def edits(script: Script) -> None:
        script.until(changes(b""))
        for name in ("fox.png", "s.yaml"):
            os.utime(name)
            Path(name).write_bytes(Path(name).read_bytes())
        time.sleep(1.2)

    assert watched(edits).count("version") == 1


def test_frames_follow_each_other_in_one_still_and_fill_a_movie(watched: Watched) -> None:
    def edits(script: Script) -> None:
        script.until(lambda: Path("live.gif").exists())

    said = watched(edits, "-n", "3", "-o", "live.gif")
    assert said.count("live.png: version 1") == 3
    with Image.open("live.gif") as movie:
        assert movie.n_frames == 3


@pytest.mark.slow
def test_an_output_that_cannot_be_written_stops_nothing(watched: Watched) -> None:
    def edits(script: Script) -> None:
        script.until(lambda: Path("out/live.png").exists())
        first = Path("live.png").read_bytes()
        Path("out/live.png").unlink()
        Path("out").rmdir()
        save(disc(50), Path("fox.png"))
        time.sleep(2.2)
        Path("out").mkdir()
        save(disc(30), Path("fox.png"))
        script.until(lambda: Path("out/live.png").exists() and changes(first)())
        settled()

    Path("out").mkdir()
    said = watched(edits, "-o", "out/live.png")
    assert "there is no folder out" in said
    assert Path("live.png").read_bytes() == watched.last_state()


@pytest.mark.parametrize("arguments", [["-"], ["s.yaml", "-o", "-"]])
def test_streams_are_refused(smd: Smd, arguments: list[str]) -> None:
    result = smd(["watch", *arguments])
    assert result.code == 2
    assert result.err.startswith("error: watch reads and writes files")


@pytest.mark.parametrize(
    ("out", "message"),
    [("live.xyz", "is not a format that smd writes"), ("gone/live.png", "there is no folder gone")],
)
def test_a_wrong_output_ends_the_command_at_once(
    smd: Smd, folder: Path, out: str, message: str
) -> None:
    result = smd(["watch", "s.yaml", "-o", out])
    assert result.code == 2
    assert message in result.err
    assert "hint:" in result.err
    assert sorted(p.name for p in folder.iterdir()) == ["fox.png", "s.yaml"]
    assert not [t for t in threading.enumerate() if t.name == "watcher"]
