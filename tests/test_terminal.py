"""What a person sees: the command on a real (pseudo) terminal, and Ctrl-C on it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TINY

fcntl = pytest.importorskip("fcntl", reason="pseudo terminals are POSIX")
termios = pytest.importorskip("termios", reason="pseudo terminals are POSIX")
pty = pytest.importorskip("pty", reason="pseudo terminals are POSIX")

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes: [{{name: fox, prompt: a fox, blur: 0, mask: {{rect: [8, 8, 40, 40]}}}}]
sampler: {{steps: 2}}
"""

PATIENCE_S = 120.0


def on_a_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run `smd` with all streams on one terminal of 80 columns; exit code and what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "smd_cli", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return process.wait(), shown.decode()


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_then_the_paths(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    code, shown = on_a_terminal(tmp_path, "render", "s.yaml", "-n", "5", "-o", "f-%d.png")
    assert code == 0
    assert "5/5" in shown
    assert "starting …" in shown
    assert "loading the model" in shown
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").split("\n")
    paths = [line for line in last if line.startswith("f-")]
    assert paths == [f"f-{k}.png" for k in range(5)]
    assert "arning" not in shown  # nothing of third-party libraries


@pytest.mark.slow
def test_messages_are_never_wrapped_even_on_a_narrow_terminal(tmp_path: Path) -> None:
    key = "a_key_that_is_a_good_deal_longer_than_any_terminal_line_is_wide_and_then_some_more_of_it"
    (tmp_path / "s.yaml").write_text(f"background: grass\n{key}: 1\n", encoding="utf-8")
    code, shown = on_a_terminal(tmp_path, "check", "s.yaml")
    assert code == 2
    assert f"\r\n  {key}: 1\r\n" in shown


def watched_on_a_terminal(folder: Path, keys: list[tuple[str, bytes]]) -> tuple[int, str]:
    """Run `smd watch`, press each key once its text has been shown; exit code and the screen."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "smd_cli", "watch", "s.yaml", "-o", "live.png"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    before = termios.tcgetattr(follower)
    shown, end = "", time.monotonic() + PATIENCE_S

    def read() -> str:
        if time.monotonic() > end:
            process.kill()
            pytest.fail(f"waited in vain; shown was {plain(shown)[-2000:]}")
        ready = select.select([leader], [], [], 0.1)[0]
        return os.read(leader, 65536).decode() if ready else ""

    for text, key in keys:
        while text not in plain(shown):
            shown += read()
        shown = ""
        os.write(leader, key)
    while process.poll() is None:
        shown += read()
    assert termios.tcgetattr(follower)[3] == before[3]  # echo and lines are as before
    os.close(follower)
    os.close(leader)
    return process.returncode, plain(shown)


def plain(shown: str) -> str:
    """What was shown without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")


@pytest.mark.slow
def test_watch_has_a_calm_screen_and_keys(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    code, last = watched_on_a_terminal(
        tmp_path,
        [
            ("fresh, version 1 of 1, frame 0", b" "),
            ("paused", b" "),
            ("frame 0", b"s"),
            ("frame 1", b"k"),
            ("kept: s-kept/s-0001.png", b"r"),
            ("fresh, version 2 of 2", b"q"),
        ],
    )
    assert code == 0
    assert "Traceback" not in last
    assert (tmp_path / "s-kept" / "s-0001.png").exists()


@pytest.mark.slow
def test_watch_ends_with_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    code, last = watched_on_a_terminal(tmp_path, [("fresh, version 1 of 1", b"\x03")])
    assert code == 130
    assert "ended: 1 picture painted, the last is live.png" in last
    assert "interrupted" not in last
