"""One calm screen on a terminal: what is watched, what is shown, and what is wrong."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from smd_cli.units import visible
from smd_cli.watch.board import Board, State

REFRESH_S = 0.12
"""The shortest time between two refreshes."""

KEYS = "space play or pause · s one frame · r another seed · k keep · q quit"


class Screen:
    """Shows a board on stderr until the block is left."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._stop = threading.Event()
        console = Console(stderr=True)
        self._live = Live(
            view(board.state),
            console=console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._thread = threading.Thread(target=self._follow, name="screen", daemon=True)

    def __enter__(self) -> Screen:
        self._live.__enter__()
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
        self._live.update(view(self._board.state), refresh=True)
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """A line above the screen."""
        self._live.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def _follow(self) -> None:
        seen = 0
        while not self._stop.wait(REFRESH_S):
            now = self._board.wait(seen, timeout_s=0.5)
            if now != seen:
                self._live.update(view(self._board.state), refresh=True)
            seen = now


def view(state: State) -> RenderableType:
    """The screen of a state."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("picture", _mark(state))
    if state.outputs:
        grid.add_row("written to", _text(", ".join(state.outputs)))
    if state.change:
        grid.add_row("last change", _text(state.change + _seconds(state)))
    grid.add_row("watching", _text(", ".join(state.watched) or "…"))
    parts: list[RenderableType] = [grid]
    if state.trouble:
        parts.append(_text(state.trouble, style="red"))
    return Group(*parts, Text(KEYS, style="dim"))


def _mark(state: State) -> Text:
    """Fresh, stale or on its way; which version, frame and seed; how fast."""
    if not state.shown:
        return _text(f"{state.busy} …" if state.busy else "none yet" if state.wanted else "…")
    word, style = ("fresh", "green") if state.fresh else ("stale", "yellow")
    if state.preview:
        word, style = "preview", "cyan"
    facts = [f"version {state.shown} of {state.wanted}", f"frame {state.frame}"]
    another = state.next_seed not in (None, state.seed)
    facts.append(f"seed {state.seed}" + (f", {state.next_seed} next" if another else ""))
    if state.rate is not None and state.endless:
        facts.append(f"{state.rate:.1f} frames/s")
    if not state.playing:
        facts.append("paused" if state.fresh else "paused: space or s paints the newest")
    elif state.busy:
        facts.append(state.busy)
    return Text.assemble((word, style), ", ", visible(", ".join(facts)))


def _text(text: str, style: str = "") -> Text:
    """A text that does not steer the terminal, whatever names are in it."""
    return Text(visible(text, breaks=True), style=style)


def _seconds(state: State) -> str:
    return "" if state.seconds is None else f", in the picture after {state.seconds:.2f} s"
