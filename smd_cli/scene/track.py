"""A track: what one key of a scene is from frame to frame."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Literal

Ease = Literal["linear", "in-out"]

_FIELDS = {"blur": "blur_px"}


@dataclass(frozen=True)
class Track:
    """The values of a scene's `key` at some frames, ascending, from 0; each frame has one.

    Between two of them it goes from one to the other, at constant speed or, `in-out`, with a soft
    start and end; before the first and after the last it holds.
    """

    key: str
    frames: tuple[float, ...]
    values: tuple[Any, ...]
    ease: Ease = "linear"

    @property
    def field(self) -> str:
        """What the key is called in the objects of a scene."""
        return _FIELDS.get(self.key, self.key)

    @property
    def rest(self) -> Any:
        """The value that stands for all: the first, or of a switch whether it is ever on."""
        return any(self.values) if isinstance(self.values[0], bool) else self.values[0]

    def around(self, frame: float) -> tuple[Any, Any, float]:
        """The values before and after a frame, and its share 0..1 of the way between them.

        The share is 0 at a frame that has a value, and where the track holds.
        """
        after = bisect_right(self.frames, frame)
        first, last = max(after - 1, 0), min(after, len(self.frames) - 1)
        start, end = self.frames[first], self.frames[last]
        share = (frame - start) / (end - start) if start < frame < end else 0.0
        if self.ease == "in-out":
            share = share * share * (3 - 2 * share)
        return self.values[first], self.values[last], share
