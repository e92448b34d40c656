"""Keys and signals: what is meant is done, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY

from smd_cli.__main__ import run
from smd_cli.watch import keys
from smd_cli.watch.board import Board
from smd_cli.watch.keys import Keys, letters
from smd_cli.watch.run import once_interrupted

PATIENCE_S = 120.0  # a process of its own may have to wait for others


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"s", "s"),
        (b" kk", " kk"),
        (b"\x1bOQ", ""),  # F2
        (b"\x1bOR\x1bOS", ""),  # F3, F4
        (b"\x1b[A\x1b[1;5Dk", "k"),  # arrows
        (b"\x1bq", ""),  # Alt
        (b"\x1b", ""),
        ("ü".encode() + b"r", "ür"),
    ],
)
def test_only_letters_are_keys(sent: bytes, meant: str) -> None:
    assert letters(sent) == meant


def test_a_second_ctrl_c_does_not_break_what_the_first_began() -> None:
    before, tidied = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with once_interrupted():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                tidied.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert tidied
    assert signal.getsignal(signal.SIGINT) is before


def until(done: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_keys_are_taken_again_after_a_shell_had_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import termios

    leader, follower = os.openpty()
    lines = termios.tcgetattr(follower)

    def unseen() -> bool:
        return not termios.tcgetattr(follower)[3] & (termios.ICANON | termios.ECHO)

    with os.fdopen(follower) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(keys, "_in_front", lambda _: True)
        with Keys(Board()):
            until(unseen)
            termios.tcsetattr(follower, termios.TCSADRAIN, lines)  # as after Ctrl-Z and fg
            until(unseen)
        assert termios.tcgetattr(follower)[3] == lines[3]
    os.close(leader)


@pytest.mark.skipif(sys.platform == "win32", reason="it knows no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_in_order(name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert run(["--version"]) == 0
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(number)
        assert ended.value.code == 128 + number
    finally:
        signal.signal(number, before)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it knows no such signal")
def test_a_film_is_finished_where_the_terminal_is_closed(tmp_path: Path) -> None:
    scene = f"model: {TINY}\nsize: 64x64\nbackground: a meadow\nbrushes: []\n"
    (tmp_path / "s.yaml").write_text(scene, encoding="utf-8")
    command = [sys.executable, "-m", "smd_cli", "watch", "s.yaml", "--record", "film.gif", "-q"]
    number = signal.SIGHUP
    process = subprocess.Popen(  # under nohup the signal would be left out, and rightly
        command, cwd=tmp_path, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)
    )
    try:
        until((tmp_path / "s.png").exists)
        until(lambda: bool([p for p in tmp_path.glob(".film*") if p.stat().st_size]))
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 128 + number
    finally:
        process.kill()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.gif", "s.png", "s.yaml"]
