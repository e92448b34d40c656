"""The board: what onlookers of the live loop see, and what they ask for.

One thread paints; the page, the terminal and its keys are others. They meet here and nowhere else.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from smd_cli.output.stills import Pixels
from smd_cli.scene.paint import PaintedScene


class Command(Enum):
    """What an onlooker may ask for."""

    PLAY = "play"
    """Play where it is paused, pause where it plays."""
    STEP = "step"
    """One frame."""
    SEED = "seed"
    """Paint with another seed."""
    KEEP = "keep"
    """Save the picture under a name of its own."""
    QUIT = "quit"


@dataclass(frozen=True)
class State:
    """What is known of the live loop. Versions are states of the scene's files, from 1.

    `fresh`: the picture shows `wanted`, the newest version, whole; `preview`: it is an estimate on
    the way. `seconds`: from the last save to its picture; `rate`: frames a second; `change`: the
    files that were saved last; `trouble`: what is wrong with them now, or "".
    """

    scene: str = ""
    watched: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    wanted: int = 0
    shown: int = 0
    frame: int = 0
    fresh: bool = False
    preview: bool = False
    playing: bool = True
    endless: bool = False
    seed: int = 0
    rate: float | None = None
    seconds: float | None = None
    change: str = ""
    trouble: str = ""


class Board:
    """The newest state, picture and scene, with a number that grows whenever any of them changes.

    `wake` is set when something is asked for; the painting thread waits for it.
    """

    def __init__(self) -> None:
        self.wake = threading.Event()
        self._changed = threading.Condition()
        self._asked: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._number = 0
        self._state = State()
        self._pixels: Pixels | None = None
        self._pictures = 0
        self._painted: PaintedScene | None = None
        self._scenes = 0

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    def picture(self) -> tuple[int, Pixels | None]:
        """How many pictures there were, and the last: (H, W, 3) uint8."""
        with self._changed:
            return self._pictures, self._pixels

    def painted(self) -> tuple[int, PaintedScene | None]:
        """How many versions of the scene there were, and the masks and prompts of the newest."""
        with self._changed:
            return self._scenes, self._painted

    def tell(
        self,
        *,
        pixels: Pixels | None = None,
        painted: PaintedScene | None = None,
        **facts: Any,
    ) -> None:
        """Change the state's facts, and show another picture or scene where one is given."""
        with self._changed:
            state = replace(self._state, **facts)
            if pixels is None and painted is None and state == self._state:
                return
            self._state = state
            if pixels is not None:
                self._pixels, self._pictures = pixels, self._pictures + 1
            if painted is not None:
                self._painted, self._scenes = painted, self._scenes + 1
            self._number += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Until something changed since `seen` (0 at first), or time is up; the number to pass on.

        Whoever is slow misses what lay between: only the newest is ever there.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number != seen, timeout_s)
            return self._number

    def ask(self, command: Command) -> None:
        """Ask the painting thread for something; it looks between two network calls."""
        self._asked.put(command)
        self.wake.set()

    def asked(self) -> list[Command]:
        """What was asked for since the last time, oldest first."""
        found = []
        while not self._asked.empty():
            found.append(self._asked.get())
        return found
