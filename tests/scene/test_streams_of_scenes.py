"""Scenes from pipes and open files: read once, or refused in a sentence, and never waited for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.errors import SceneError
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text import streams

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes: [{{prompt: a fox, blur: 0, mask: masks/fox.png}}]
sampler: {{steps: 1}}
"""
WAYS = ["<(cat s.yaml)", "/dev/stdin <s.yaml", "/dev/fd/7 7<s.yaml", "- <s.yaml"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("masks").mkdir()
    Image.new("L", (64, 64), 255).save("masks/fox.png")
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    os.mkfifo("f.yaml")
    return tmp_path


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `smd` is the command under test."""
    smd = f'smd() {{ {shlex.quote(sys.executable)} -m smd_cli "$@"; }}; '
    command = ["bash", "-c", smd + line]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100)


@contextmanager
def writing(*pieces: bytes, pause_s: float = 0.0) -> Iterator[None]:
    """Somebody writes into the named pipe, after a while and with pauses."""

    def write() -> None:
        time.sleep(pause_s)
        with Path("f.yaml").open("wb", buffering=0) as pipe:
            for piece in pieces:
                time.sleep(pause_s)
                pipe.write(piece)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


@contextmanager
def standard_input(source: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process' standard input is an open file, as after a shell's `<`."""
    before = os.dup(0)
    os.dup2(source, 0)
    try:
        with open(0, encoding="utf-8", closefd=False) as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextmanager
def piped() -> Iterator[int]:
    """A pipe that holds the scene and then ends."""
    source, into = os.pipe()
    os.write(into, SCENE.encode())
    os.close(into)
    try:
        yield source
    finally:
        os.close(source)


@contextmanager
def given(way: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What a shell makes of a line's end: the argument that is left, and the file that is open."""
    name = way.split()[0]
    if name.startswith("<("):
        with piped() as source:
            yield f"/dev/fd/{source}"
        return
    with Path("s.yaml").open("rb") as file:
        if name.startswith("/dev/fd/"):
            yield f"/dev/fd/{file.fileno()}"
            return
        with standard_input(file.fileno(), monkeypatch):
            yield name


@pytest.mark.parametrize("way", WAYS)
def test_check_reads_it_and_its_masks_from_the_current_folder(
    way: str, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with given(way, monkeypatch) as scene:
        done = smd(["check", scene])
    assert done.code == 0, done.err
    assert "masks/fox.png" in done.out


def test_a_shell_s_own_pipe_and_standard_input_are_read() -> None:
    done = shell(f"smd check {WAYS[0]} {WAYS[3]}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("masks/fox.png") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "way"), [*(("render", way) for way in WAYS), ("compare", WAYS[0])]
)
def test_so_does_what_paints(
    command: str, way: str, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with given(way, monkeypatch) as scene:
        done = smd([command, "-o", "out.png", scene])
    assert (done.code, done.out) == (0, "out.png\n"), done.err


@pytest.mark.parametrize("way", [*WAYS, "f.yaml"])
def test_watch_says_that_it_cannot_be_saved_again(
    way: str, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nullcontext(way) if way == "f.yaml" else given(way, monkeypatch) as scene:
        done = smd(["watch", scene])
    assert done.code == 2
    assert "error: " in done.err
    assert "stream" in done.err or "regular file" in done.err or "standard" in done.err


@pytest.mark.parametrize("pause_s", [0.0, 0.15])
def test_a_named_pipe_is_read_to_its_end(pause_s: float) -> None:
    half = len(SCENE) // 2
    with writing(SCENE[:half].encode(), SCENE[half:].encode(), pause_s=pause_s):
        file = load_scene("f.yaml")
    assert file.text == SCENE


def test_a_named_pipe_that_is_too_long_is_refused() -> None:
    """The writer is let go of."""

    def write() -> None:
        with suppress(BrokenPipeError), Path("f.yaml").open("wb", buffering=0) as pipe:
            for _ in range(10_000):
                pipe.write(b"#" * 1000)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    with pytest.raises(SceneError, match="must not be larger than"):
        load_scene("f.yaml")
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("command", [["check"], ["render", "-o", "x.png"], ["compare"]])
def test_a_named_pipe_without_a_writer_is_not_waited_for(
    command: list[str], smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.2)
    result = smd([*command, "f.yaml"])
    assert result.code == 2
    assert result.err.startswith("f.yaml: error: nobody has written into this pipe for 0.2 s\n")


@pytest.mark.parametrize(
    ("scenes", "told"),
    [
        ("/dev/stdin -", "/dev/stdin and - are the same"),
        ("/dev/fd/0 /dev/stdin", "/dev/fd/0 and /dev/stdin are the same"),
        ("/dev/stdin /dev/stdin", "/dev/stdin is given twice"),
        ("f.yaml ./f.yaml", "f.yaml and ./f.yaml are the same"),
        ("- -", "standard input can be read once only, but - is given twice"),
    ],
)
def test_what_can_be_read_once_is_not_read_twice(
    scenes: str, told: str, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with piped() as source, standard_input(source, monkeypatch):
        done = smd(["check", *scenes.split()])
    assert done.code == 2
    assert told in done.err


def test_a_file_may_be_read_twice(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    with given("/dev/stdin", monkeypatch) as scene:
        assert smd(["check", "s.yaml", scene, "./s.yaml"]).code == 0
