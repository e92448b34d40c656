"""`smd watch`: the live loop with those who look at it."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import ExitStack
from dataclasses import dataclass

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
    with ExitStack() as stack:
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
