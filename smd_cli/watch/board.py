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
from smd_cli.scene.paint.painted import PaintedScene


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
class Warned:
    """What a warning says, and about which place."""

    place: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class State:
    """What is known of the live loop. Versions are states of the scene's files, from 1.

    `shown`, `frame`, `seed` and `seconds` (from the save to the picture) are the shown picture's,
    `wanted`, `next_seed`, `change` (the files that were saved last) and `warnings` the newest
    version's. `fresh`: the picture shows the newest version, whole; `preview`: it is an estimate on
    the way. `rate`: frames a second; `trouble`: what is wrong now, or ""; `beside`: it stops no
    picture. `busy`: what nothing else can be done beside, or ""; `notice`: the answer to what was
    asked for last, `notices` how many there were. `background`: what the brushes lie on, as the
    legend says it.
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
    next_seed: int | None = None
    rate: float | None = None
    seconds: float | None = None
    change: str = ""
    trouble: str = ""
    beside: bool = False
    warnings: tuple[Warned, ...] = ()
    background: tuple[str, ...] = ()
    busy: str = ""
    notice: str = ""
    notices: int = 0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture (H, W, 3) with the scene, the seed and the frame that it is of."""

    pixels: Pixels
    scene: str
    seed: int
    frame: int


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
        self._snapshot: Snapshot | None = None
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
            return self._pictures, None if self._snapshot is None else self._snapshot.pixels

    def snapshot(self) -> tuple[int, Snapshot | None]:
        """How many pictures there were, and the last with what it is of."""
        with self._changed:
            return self._pictures, self._snapshot

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
                self._snapshot = Snapshot(pixels, state.scene, state.seed, state.frame)
                self._pictures += 1
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
