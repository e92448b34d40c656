"""How long each frame stands, in the whole ticks that a format can tell."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction


def exact_fps(fps: float) -> Fraction:
    """The frame rate as the fraction that was typed: 23.976 is 2997/125, not its binary value."""
    return Fraction(repr(float(fps)))


def delays(fps: float, ticks_per_s: int, least: int, most: int) -> Iterator[int]:
    """Endless delays in ticks whose sum after k frames is k/fps, rounded to a tick.

    Every delay lies in `least` … `most`, whatever the rate (12 fps in 1/100 s: 8, 9, 8, 8, …).
    """
    step = ticks_per_s / exact_fps(fps)
    told, frame = 0, 0
    while True:
        frame += 1
        now = round(frame * step)
        yield min(max(now - told, least), most)
        told = now
