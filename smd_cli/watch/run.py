"""`smd watch`: the live loop with those who look at it."""

from __future__ import annotations

import _thread
import errno
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from smd_cli.errors import SmdError
from smd_cli.report.reporter import Reporter
from smd_cli.watch.board import Board
from smd_cli.watch.command import WatchOptions, refuse_wrong
from smd_cli.watch.keys import Keys
from smd_cli.watch.screen import Screen
from smd_cli.watch.serve import PageServer
from smd_cli.work.request import Request


@dataclass(frozen=True)
class Serving:
    """A page for the browser: at a port, or the first free one; `shown` opens the browser."""

    port: int | None = None
    shown: bool = False


def watch(
    request: Request, options: WatchOptions, *, reporter: Reporter, serving: Serving | None = None
) -> None:
    """Follow a scene until Ctrl-C or a quit, with a page, a screen and keys as there are.

    They are there before the heavy libraries and the model, which a quit need not wait for.
    Raises UsageError for a wrong command before any of it.
    """
    refuse_wrong(request, options)
    board = Board()
    board.tell(busy="starting")
    quitting = _Quitting(board)
    with quitting, once_interrupted(), ExitStack() as stack:
        if serving:
            page = stack.enter_context(PageServer(board, serving.port, say=reporter.note))
            reporter.serving(page.url)
            if serving.shown:
                webbrowser.open(page.url)
        if reporter.animated:
            screen = stack.enter_context(Screen(board))
            stack.enter_context(reporter.above(screen.say))
            if sys.stdin.isatty():
                stack.enter_context(Keys(board, on_quit=quitting.hurry))
        from smd_cli.backbone.quiet import quiet

        with _shortage(), quiet():
            from smd_cli.watch.live import follow

            follow(request, options, board=board, reporter=reporter)


@contextmanager
def _shortage() -> Iterator[None]:
    """Turns used-up files into a sentence: whatever had to be opened, no save mends it."""
    try:
        yield
    except OSError as short:
        if short.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        raise SmdError(
            f"the system lets smd open no more files: {short.strerror}",
            "close other programs, or raise the limit (ulimit -n)",
        ) from short


class _Quitting:
    """Lets a quit break off what the live loop cannot: imports, a download, a model's loading."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._hurried = False

    def hurry(self) -> None:
        """Called after a quit was asked for, by another thread than the painting one."""
        if self._board.state.busy:
            self._hurried = True
            _thread.interrupt_main()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> bool:
        """Whether an interrupt was ours, and so no error."""
        return self._hurried and kind is KeyboardInterrupt


@contextmanager
def once_interrupted() -> Iterator[None]:
    """The first Ctrl-C ends the block; more of them spoil nothing while it is left."""
    before = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and before is not signal.SIG_IGN
    if not ours:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
