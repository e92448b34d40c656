"""Masks: from paint on the canvas to a weight per slot on the latent grid.

Plain NumPy like the schedule: `smd check` runs these very functions without torch. Rules and
numbering follow MultiDiffusion (arXiv 2302.08113) and StreamMultiDiffusion (2403.09055), section
on mask-aware quantisation; where ours differ from the published ones, `published=True` keeps those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from smd_cli.engine.schedule import StepTable
from smd_cli.scene.paint.boxes import FULL, Levels

Array = npt.NDArray[np.float32]

_ROUNDING = 1e-5  # a blur in float32 leaves full paint so much short of 1, at most
_FULL = np.float32(FULL)


def covered(levels: Levels, above: Levels, cover: float, *, published: bool = False) -> Array:
    """Step 1: later brushes lie on top and thin what is under them; gives 0..1.

    Every m_p becomes m_p·(1 - (1 - cover)·v), v being the largest paint of any later brush at that
    pixel, `above`; `published` counts any paint > 0 as 1.
    """
    paint: Array = levels / _FULL
    if above.min() == above.max():  # nothing on top, or as much everywhere
        above = above[:1, :1]
    top = (above > 0).astype(np.float32) if published else above / _FULL
    thinned: Array = paint * (1 - (1 - cover) * top)
    return thinned


def blur_radius(std_px: float) -> int:
    """How far a Gaussian's kernel reaches, in pixels."""
    return math.ceil(3 * std_px)


def gaussian_kernel(std_px: float, radius_px: int | None = None) -> Array:
    """A Gaussian of `std_px` on (2·r + 1,), r being `radius_px`, by default ceil(3·std).

    Zero std blurs nothing.
    """
    if std_px < 0.01:  # exp(-½·100²) is 0: the kernel has only its centre
        return np.ones(1, dtype=np.float32)
    radius = blur_radius(std_px) if radius_px is None else radius_px
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * (offsets / std_px) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def gaussian_blur(paint: Array, kernel: Array, factor: int = 1) -> Array:
    """Steps 2 and 5: blur (H, W), r pixels of which on each side are surroundings alone.

    Only every `factor`-th row and column is worked out, from the first that is no surroundings on:
    the top left pixel of each latent cell.
    """
    for _ in range(2):
        paint = np.ascontiguousarray(_convolve(paint, kernel, factor).T)
    return paint


def _convolve(paint: Array, kernel: Array, stride: int) -> Array:
    """Correlate columns with a symmetric kernel at every `stride` that it fits into."""
    radius = len(kernel) // 2
    count = len(paint) - 2 * radius
    total: Array = kernel[radius] * paint[radius : radius + count : stride]
    for reach in range(1, radius + 1):
        pair = paint[radius - reach :][:count:stride] + paint[radius + reach :][:count:stride]
        pair *= kernel[radius + reach]
        total += pair
    return total


def quantise(mask: Array, table: StepTable, mask_type: str, *, published: bool = False) -> Array:
    """Step 4: compare a mask (…, H, W) with every slot's noise level; gives (…, T, H, W).

    `discrete`: m ≥ σ_i, so that full paint acts in a slot of pure noise, σ = 1, too; `published` is
    m > σ_i. `continuous`: clip((m - σ_{i+1})/(σ_i - σ_{i+1}), 0, 1), σ after the last slot being 0.
    `semi-continuous`: discrete, but continuous in the last slot.
    """
    if mask_type == "continuous":
        return _spread(mask, table)
    hard = _acting(mask, table, published=published)
    if mask_type == "semi-continuous":
        hard[..., -1, :, :] = _spread(mask, table)[..., -1, :, :]
    return hard


def _by_slot(sigmas: Sequence[float]) -> Array:
    """Noise levels (T, 1, 1), beside masks (…, 1, H, W)."""
    return np.array(sigmas, dtype=np.float32)[:, None, None]


def _acting(mask: Array, table: StepTable, *, published: bool) -> Array:
    """1 in the slots whose noise a mask (…, H, W) reaches, else 0, (…, T, H, W)."""
    now, spread = _by_slot(table.sigmas), mask[..., None, :, :]
    acts = spread > now if published else (spread >= now - _ROUNDING) & (spread > 0)
    return np.asarray(acts, dtype=np.float32)


def _spread(mask: Array, table: StepTable) -> Array:
    """How far a mask (…, H, W) reaches into every slot, 0..1, (…, T, H, W)."""
    now, later = _by_slot(table.sigmas), _by_slot(table.next_sigmas)
    reached: Array = mask[..., None, :, :] - later
    reached /= now - later
    return np.clip(reached, 0, 1, out=reached)


def background_weight(total: Array, bare: npt.NDArray[np.bool_] | None = None) -> Array:
    """What the brushes' weights, together `total` (T, …), leave to the background, in 0..1.

    Ours is clip(1 - Σ_p weights, 0, 1), after quantising, so that a soft brush melts into what is
    under it. With the cells that are `bare` of paint (…) it is the published rule: 1 there, else 0,
    in every slot.
    """
    if bare is None:
        left: Array = 1 - total
        return np.clip(left, 0, 1, out=left)
    everywhere: Array = np.broadcast_to(bare.astype(np.float32), total.shape).copy()
    return everywhere
