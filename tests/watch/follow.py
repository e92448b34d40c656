"""The live loop in a thread, with a board that a test looks at and asks for things."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from smd_cli.report.reporter import Reporter
from smd_cli.watch.board import Board, Command, State
from smd_cli.watch.live import WatchOptions, follow
from smd_cli.work.request import Request

PATIENCE_S = 30.0


class Following:
    """Follows ``s.yaml`` in the current folder while the block lasts, then quits."""

    def __init__(
        self,
        options: WatchOptions,
        outs: tuple[str, ...] = ("live.png",),
        request: Request | None = None,
    ) -> None:
        self.board = Board()
        self.wrong: BaseException | None = None
        asked = request or Request(["s.yaml"], outs)

        def run() -> None:
            try:
                follow(asked, options, board=self.board, reporter=Reporter(quiet=True))
            except BaseException as wrong:
                self.wrong = wrong

        self._thread = threading.Thread(target=run, name="following", daemon=True)

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.board.ask(Command.QUIT)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.wrong:
            raise self.wrong

    def until(self, wanted: Callable[[State], bool]) -> State:
        """Wait for a state."""
        seen, end = 0, time.monotonic() + PATIENCE_S
        while not wanted(self.board.state):
            assert time.monotonic() < end, f"it did not come true: {self.board.state}"
            if self.wrong:
                raise self.wrong
            assert self._thread.is_alive(), "it ended"
            seen = self.board.wait(seen, 0.2)
        return self.board.state

    def fresh(self, version: int) -> State:
        """Wait for a fresh picture of a version."""
        return self.until(lambda s: s.fresh and s.shown == version)

    def ask(self, command: Command) -> None:
        """As a key or a button does."""
        self.board.ask(command)


def disc(x: int, side: int = 64) -> Image.Image:
    """A mask: a white disc about x."""
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    return Image.fromarray(((np.hypot(column - x, row - 30) < 18) * 255).astype(np.uint8))


def save(picture: Image.Image, path: Path) -> None:
    """As editors do: a new file beside it, then a rename."""
    beside = path.with_suffix(".part")
    picture.save(beside, "PNG")
    beside.replace(path)


def text_of(path: Path) -> dict[str, str]:
    """The text chunks of a PNG."""
    with Image.open(path) as picture:
        picture.load()
        return {key: value for key, value in picture.info.items() if isinstance(value, str)}
