"""Paint that moves: a brush's mask at a frame, from what its files hold at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import zip_longest

from smd_cli.scene.motion import brush_at
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.painted import Painted, PaintedScene, paint_of
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import MaskPart


def painted_at(painted: Painted, frame: int) -> Painted:
    """A brush and its paint at one of its scene's own frames; of no file but a reel's is read.

    Raises SceneError for a picture of a reel that cannot be read.
    """
    brush = brush_at(painted.brush, frame)
    if not any(part.tracks for part in painted.brush.mask) and not any(painted.shown):
        return replace(painted, brush=brush)
    pairs = zip_longest(painted.parts, painted.shown)
    parts = [rest if shown is None else shown.at(frame) for rest, shown in pairs]
    return replace(painted, brush=brush, paint=_union(brush.mask, parts))


def picture_at(painted: PaintedScene, frame: int) -> Photo | None:
    """The picture that lies beneath at one of the scene's own frames. Raises SceneError."""
    return painted.picture if painted.film is None else painted.film.at(frame)


def _union(mask: Sequence[MaskPart], parts: Sequence[Paint]) -> Paint:
    paints = (paint_of(part, rest) for part, rest in zip(mask, parts, strict=True))
    return reduce(Paint.joined, paints)
