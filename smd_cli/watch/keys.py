"""Keys pressed on the terminal, while it shows the screen."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from smd_cli.watch.board import Board, Command

KEYS = {
    " ": Command.PLAY,
    "s": Command.STEP,
    "r": Command.SEED,
    "k": Command.KEEP,
    "q": Command.QUIT,
}
LOOK_S = 0.5

_NO_LETTER = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]?|O.?|.?)", re.DOTALL)
"""What arrows, function keys and Alt with a key send: letters in it are no keys."""


class Keys:
    """Asks the board for what keys mean until the block is left; then the terminal is as before."""

    def __init__(self, board: Board, on_quit: Callable[[], None] = lambda: None) -> None:
        """`on_quit` is called after a quit was asked for."""
        self._board, self._on_quit = board, on_quit
        self._stop = threading.Event()
        listen = self._listen_windows if sys.platform == "win32" else self._listen
        self._thread = threading.Thread(target=listen, name="keys", daemon=True)
        self._before: Any = None

    def __enter__(self) -> Keys:
        if sys.platform != "win32":
            import termios

            self._before = termios.tcgetattr(sys.stdin.fileno())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if sys.platform != "win32" and _in_front(sys.stdin.fileno()):
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def _press(self, key: str) -> None:
        command = KEYS.get(key.lower())
        if command:
            self._board.ask(command)
        if command is Command.QUIT:
            self._on_quit()

    def _listen(self) -> None:
        """Key by key and unseen; a job in the background leaves the terminal alone."""
        import select
        import termios
        import tty

        terminal = sys.stdin.fileno()
        while not self._stop.is_set():
            if not _in_front(terminal):
                self._stop.wait(LOOK_S)
                continue
            if termios.tcgetattr(terminal)[3] & termios.ICANON:  # a shell may have had it since
                tty.setcbreak(terminal)
            if select.select([terminal], [], [], LOOK_S)[0]:
                for key in letters(os.read(terminal, 64)):
                    self._press(key)

    def _listen_windows(self) -> None:
        import msvcrt

        console: Any = msvcrt
        while not self._stop.wait(0.1):
            while console.kbhit():
                self._press(console.getwch())


def letters(sent: bytes) -> str:
    """The keys in what a terminal sent that stand for themselves."""
    return _NO_LETTER.sub("", sent.decode(errors="ignore"))


def _in_front(terminal: int) -> bool:
    """Whether this process is the one that the terminal's keys are for."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
