"""Paint that moves: a brush's mask at a frame, from what its files hold at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import zip_longest

from smd_cli.scene.motion import brush_at
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted, PaintedScene, paint_of
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.shapes import middle_px
from smd_cli.scene.types import MaskPart

TRAVELS = ("move", "rect", "ellipse", "polygon")
"""The keys by which a mask gets elsewhere."""


def painted_at(painted: Painted, frame: int) -> Painted:
    """A brush and its paint at one of its scene's own frames; of no file but a reel's is read.

    Raises SceneError for a picture of a reel that cannot be read.
    """
    brush = brush_at(painted.brush, frame)
    if not any(part.tracks for part in painted.brush.mask) and not any(painted.shown):
        return replace(painted, brush=brush)
    pairs = zip_longest(painted.parts, painted.shown)
    parts = [rest if shown is None else shown.at(frame) for rest, shown in pairs]
    travel_px = _travelled(painted.brush.mask, brush.mask, painted.paint.size)
    return replace(painted, brush=brush, paint=_union(brush.mask, parts), travel_px=travel_px)


def picture_at(painted: PaintedScene, frame: int) -> Photo | None:
    """The picture that lies beneath at one of the scene's own frames. Raises SceneError."""
    return painted.picture if painted.film is None else painted.film.at(frame)


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
