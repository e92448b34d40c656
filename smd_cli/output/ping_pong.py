"""There and back: a movie whose frames come once more, from the last but one to the second."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from smd_cli.output.stills import Pixels

LOOP = "smd:loop"
"""A text chunk: ``ping-pong`` where a movie goes there and back."""


def way_there(pictures: int, text: Mapping[str, str]) -> int:
    """How many frames were painted for a movie of so many pictures, by what its text tells."""
    back_too = pictures > 1 and text.get(LOOP) == "ping-pong"
    return pictures // 2 + 1 if back_too else pictures


class Movie(Protocol):
    """An encoder of one moving picture."""

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:
        """Append one frame (H, W, 3)."""

    def finish(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Stop whatever runs outside; the file is going to be removed."""


class ThereAndBack:
    """Hands frames on to a movie, and when all are there those between the ends backwards.

    They wait in a file of raw pixels in `folder`, which the system removes with the process: memory
    does not grow with the movie's length.
    """

    def __init__(self, movie: Movie, folder: Path) -> None:
        self._movie = movie
        self._waiting = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives with the movie
        self._frames = 0
        self._shape: tuple[int, ...] = ()

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:
        """Append one frame (H, W, 3)."""
        self._movie.add(pixels, text)
        if self._frames:  # the first is not seen again
            self._waiting.write(pixels.tobytes())
        self._shape = pixels.shape
        self._frames += 1

    def finish(self) -> None:
        """Append the way back, and complete the file."""
        length = int(np.prod(self._shape))
        for frame in range(self._frames - 3, -1, -1):
            self._waiting.seek(frame * length)
            raw = np.frombuffer(self._waiting.read(length), dtype=np.uint8)
            self._movie.add(raw.reshape(self._shape), {})
        self._waiting.close()
        self._movie.finish()

    def abort(self) -> None:
        """Stop whatever runs outside; nothing that waits is left."""
        self._waiting.close()
        self._movie.abort()
