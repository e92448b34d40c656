"""How long each frame stands, in the whole ticks that a format can tell."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

_TYPED = 10**6  # a denominator of what is typed: six digits after the point
_NTSC = 1001


def exact_fps(fps: float) -> Fraction:
    """The frame rate as the fraction that was typed: 23.976 is 2997/125, not its binary value.

    One that no one types is a film's, such as 24000/1001.
    """
    typed = Fraction(repr(float(fps)))
    return typed if typed.denominator <= _TYPED else typed.limit_denominator(_NTSC)


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
