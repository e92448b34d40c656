"""Paint that moves: a brush's mask at a frame, from what its files hold at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from smd_cli.scene.motion import brush_at
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted, paint_of
from smd_cli.scene.paint.shapes import middle_px
from smd_cli.scene.types import MaskPart

TRAVELS = ("move", "rect", "ellipse", "polygon")
"""The keys by which a mask gets elsewhere."""


def painted_at(painted: Painted, frame: int) -> Painted:
    """A brush and its paint at one of its scene's own frames; no file is read."""
    brush = brush_at(painted.brush, frame)
    if not any(part.tracks for part in painted.brush.mask):
        return replace(painted, brush=brush)
    paint = _union(brush.mask, painted.parts)
    travel_px = _travelled(painted.brush.mask, brush.mask, painted.paint.size)
    return replace(painted, brush=brush, paint=paint, travel_px=travel_px)


def _union(mask: Sequence[MaskPart], parts: Sequence[Paint]) -> Paint:
    paints = (paint_of(part, rest) for part, rest in zip(mask, parts, strict=True))
    return reduce(Paint.joined, paints)


def _travelled(
    rest: Sequence[MaskPart], now: Sequence[MaskPart], size: Size
) -> tuple[float, float] | None:
    """How far the first part that goes anywhere has come, on a canvas of (width, height)."""
    for before, after in zip(rest, now, strict=True):
        if any(track.key in TRAVELS for track in before.tracks):
            there, here = middle_px(before, size), middle_px(after, size)
            return here[0] - there[0], here[1] - there[1]
    return None
