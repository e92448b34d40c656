"""The terminal's screen says what the board knows."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from smd_cli.watch.board import State
from smd_cli.watch.screen import view


def shown(**facts: object) -> str:
    """The screen of a state, as text."""
    console = Console(file=StringIO(), width=100)
    with console.capture() as capture:
        console.print(view(State(**facts)))  # type: ignore[arg-type]
    return capture.get()


def test_it_says_what_is_waited_for_at_first() -> None:
    assert "picture   starting …" in shown(busy="starting")
    assert "picture   getting sdxl ready …" in shown(busy="getting sdxl ready", wanted=1)


def test_frames_move_and_the_seed_is_the_pictures() -> None:
    known = {"shown": 1, "wanted": 1, "seed": 7, "next_seed": 7, "fresh": True}
    assert "fresh, version 1 of 1, frame 3, seed 7\n" in shown(frame=3, **known).replace(
        " \n", "\n"
    )
    assert "frame 4, seed 7" in shown(frame=4, **known)


def test_while_paused_it_says_what_comes_next() -> None:
    paused = shown(shown=1, wanted=2, seed=7, next_seed=9, playing=False)
    assert "stale, version 1 of 2, frame 0, seed 7, 9 next" in paused
    assert "paused: space or s paints the newest" in paused
    assert "paused: " not in shown(shown=1, wanted=1, fresh=True, playing=False)
