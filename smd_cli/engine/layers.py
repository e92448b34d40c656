"""From painted brushes to their weights, without torch: what `plan` and `smd check` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smd_cli.engine.masks import (
    Array,
    Patch,
    blur_patch,
    blur_radius,
    brush_weights,
    pad_paint,
    quantise,
)
from smd_cli.engine.schedule import StepTable
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler


def padded_paint(painted: Sequence[Painted], size: tuple[int, int], multiple: int) -> Array:
    """All paint as (P, H, W) for a canvas of `size` (W, H), padded to what the model takes."""
    width, height = size
    empty = np.zeros((0, height, width), dtype=np.float32)
    stacked = np.stack([p.paint for p in painted]) if painted else empty
    return pad_paint(stacked, multiple)


def layer_weights(
    painted: Sequence[Painted], paint: Array, sampler: Sampler, table: StepTable, factor: int
) -> Array:
    """The weights (P, T, h, w) of brushes whose `paint` (P, H, W) is padded already."""
    return brush_weights(
        paint,
        [p.brush.alpha for p in painted],
        [p.brush.blur_px for p in painted],
        table,
        factor=factor,
        mask_type=sampler.mask_type,
        cover=sampler.cover,
        published=sampler.preset == "paper",
    )


def pad_patch(patch: Patch, size: tuple[int, int], multiple: int) -> Patch:
    """A patch of a canvas of `size` (W, H) as `padded_paint` would hold it: grown at the edges."""
    sides = zip(patch.window, reversed(size), strict=True)
    more = [-length % multiple if side.stop == length else 0 for side, length in sides]
    if not any(more):
        return patch
    rows, columns = (
        slice(side.start, side.stop + extra) for side, extra in zip(patch.window, more, strict=True)
    )
    return Patch(np.pad(patch.paint, [(0, extra) for extra in more], mode="edge"), (rows, columns))


@dataclass(frozen=True)
class SlotCounter:
    """Counts the slots in which a layer has any weight, on a padded canvas (H, W).

    `radius_px`: as for `gaussian_blur`; `published`: as for `quantise`.
    """

    canvas: tuple[int, int]
    radius_px: int | None
    table: StepTable
    mask_type: str
    factor: int
    published: bool = False

    def count(self, patch: Patch, alpha: float, blur_px: float) -> int:
        """In how many slots a layer acts of which `patch` is left."""
        return int((self.weights(patch, alpha, blur_px) > 0).sum())

    def weights(self, patch: Patch, alpha: float, blur_px: float) -> Array:
        """The largest weight (T,) that a layer has in every slot: it grows with the mask, so that
        the peak of what `patch` leaves tells.
        """
        soft = blur_patch(patch, self.canvas, blur_px, self.radius_px, self.factor)
        peak = np.full((1, 1), soft.paint.max(initial=0) * np.float32(alpha), dtype=np.float32)
        found = quantise(peak, self.table, self.mask_type, published=self.published)
        largest: Array = found[:, 0, 0]
        return largest


def slot_counter(
    painted: Sequence[Painted],
    size: tuple[int, int],
    sampler: Sampler,
    table: StepTable,
    factor: int,
) -> SlotCounter:
    """The counter whose slots are those where `layer_weights` of these layers are more than 0."""
    most = max((p.brush.blur_px for p in painted), default=0.0)
    published = sampler.preset == "paper"
    return SlotCounter(
        canvas=(size[1] + -size[1] % factor, size[0] + -size[0] % factor),
        radius_px=blur_radius(most) if published else None,
        table=table,
        mask_type=sampler.mask_type,
        factor=factor,
        published=published,
    )
