"""`smd watch`: the live loop with those who look at it."""

from __future__ import annotations

import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from smd_cli.report import Reporter
from smd_cli.request import Request
from smd_cli.watch.board import Board
from smd_cli.watch.keys import Keys
from smd_cli.watch.live import Manner, follow
from smd_cli.watch.screen import Screen
from smd_cli.watch.serve import PageServer


@dataclass(frozen=True)
class Serving:
    """A page for the browser: at a port, or the first free one; `shown` opens the browser."""

    port: int | None = None
    shown: bool = False


def watch(
    request: Request, manner: Manner, *, reporter: Reporter, serving: Serving | None = None
) -> None:
    """Follow a scene until Ctrl-C or a quit, with a page, a screen and keys as there are."""
    board = Board()
    with once_interrupted(), ExitStack() as stack:
        if serving:
            page = stack.enter_context(PageServer(board, serving.port))
            reporter.serving(page.url)
            if serving.shown:
                webbrowser.open(page.url)
        if reporter.animated:
            screen = stack.enter_context(Screen(board))
            stack.enter_context(reporter.above(screen.say))
            if sys.stdin.isatty():
                stack.enter_context(Keys(board))
        follow(request, manner, board=board, reporter=reporter)


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
