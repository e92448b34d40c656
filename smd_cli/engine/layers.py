"""From painted brushes to their weights, without torch: what `plan` and `smd check` share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smd_cli.engine.masks import Array, brush_weights, pad_paint
from smd_cli.engine.schedule import StepTable
from smd_cli.scene.model import Sampler
from smd_cli.scene.paint import Painted


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
