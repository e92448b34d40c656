"""Paint that moves: a brush's mask at a frame, from what its files hold at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from smd_cli.scene.motion import brush_at
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.painted import Painted, paint_of
from smd_cli.scene.types import MaskPart


def painted_at(painted: Painted, frame: int) -> Painted:
    """A brush and its paint at one of its scene's own frames; no file is read."""
    brush = brush_at(painted.brush, frame)
    if not any(part.tracks for part in painted.brush.mask):
        return replace(painted, brush=brush)
    return replace(painted, brush=brush, paint=_union(brush.mask, painted.parts))


def _union(mask: Sequence[MaskPart], parts: Sequence[Paint]) -> Paint:
    paints = (paint_of(part, rest) for part, rest in zip(mask, parts, strict=True))
    return reduce(Paint.joined, paints)
