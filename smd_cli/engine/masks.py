"""Masks: from paint on the canvas to a weight per slot on the latent grid.

Plain NumPy like the schedule: `smd check` runs these very functions without torch. Rules and
numbering follow MultiDiffusion (arXiv 2302.08113) and StreamMultiDiffusion (2403.09055), section
on mask-aware quantisation; where ours differ from the published ones, `published=True` keeps those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smd_cli.engine.schedule import StepTable

Array = npt.NDArray[np.float32]
Window = tuple[slice, slice]  # rows and columns of a canvas

_ROUNDING = 1e-5  # a blur in float32 leaves full paint so much short of 1, at most


@dataclass(frozen=True, eq=False)
class Patch:
    """What a mask paints, without the bare canvas around it: `paint` (h, w) lies at `window`."""

    paint: Array
    window: Window


def cut_out(paint: Array) -> Patch:
    """The smallest patch with all paint of a mask (H, W); an empty one where nothing is painted."""
    rows = _extent(paint.max(axis=1, initial=0))
    columns = _extent(paint[rows].max(axis=0, initial=0))
    return Patch(paint[rows, columns], (rows, columns))


def _extent(line: Array) -> slice:
    """From the first to the last number > 0 of a line."""
    painted = np.flatnonzero(line > 0)
    return slice(int(painted[0]), int(painted[-1]) + 1) if len(painted) else slice(0, 0)


class Pile:
    """Layers laid from the top down on a canvas (H, W): `top` is the largest paint of any."""

    def __init__(self, canvas: tuple[int, int]) -> None:
        self.top: Array = np.zeros(canvas, dtype=np.float32)

    def over(self, patch: Patch) -> Array:
        """The largest paint (h, w) of all layers so far, where the next one paints."""
        return self.top[patch.window]

    def add(self, paint: Array, window: Window) -> None:
        """Lay the next layer below."""
        np.maximum(self.top[window], paint, out=self.top[window])


def cover_lower(
    patches: Sequence[Patch], canvas: tuple[int, int], cover: float, *, published: bool = False
) -> Iterator[Patch]:
    """Step 1: later brushes lie on top and thin what is under them. From the last to the first.

    `patches` in painter's order on a canvas (H, W), paint in 0..1. Every m_p becomes
    m_p·(1 - (1 - cover)·v), v being the largest paint of any later brush at that pixel; `published`
    counts any paint > 0 as 1.
    """
    pile = Pile(canvas)
    for patch in reversed(patches):
        yield Patch(patch.paint * (1 - (1 - cover) * pile.over(patch)), patch.window)
        layer = (patch.paint > 0).astype(np.float32) if published else patch.paint
        pile.add(layer, patch.window)


def gaussian_blur(
    paint: Array, std_px: float, radius_px: int | None = None, *, factor: int = 1
) -> Array:
    """Step 2: blur one mask (H, W) with a Gaussian of `std_px`, edges replicated.

    The kernel reaches `radius_px`, by default ceil(3·std). Only every `factor`-th row and column is
    worked out, which is all that step 5 keeps: the result is (H/f, W/f). Zero std blurs nothing.
    """
    if std_px < 0.01:  # exp(-½·100²) is 0: the kernel has only its centre
        return to_latent_grid(paint, factor)
    radius = blur_radius(std_px) if radius_px is None else radius_px
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * (offsets / std_px) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        paint = _convolve(paint, kernel, axis, factor)
    return paint


def _convolve(paint: Array, kernel: Array, axis: int, stride: int) -> Array:
    """Correlate along one axis with a symmetric kernel, edges replicated, at every `stride`."""
    radius = len(kernel) // 2
    rows = np.moveaxis(paint, axis, 0)
    padded = np.pad(rows, ((radius, radius), (0, 0)), mode="edge")
    total = kernel[radius] * rows[::stride]
    for reach in range(1, radius + 1):
        low = padded[radius - reach : radius - reach + len(rows) : stride]
        high = padded[radius + reach : radius + reach + len(rows) : stride]
        total = total + kernel[radius + reach] * (low + high)
    return np.moveaxis(total, 0, axis)


def quantise(mask: Array, table: StepTable, mask_type: str, *, published: bool = False) -> Array:
    """Step 4: compare a mask (…, H, W) with every slot's noise level; gives (…, T, H, W).

    `discrete`: m ≥ σ_i, so that full paint acts in a slot of pure noise, σ = 1, too; `published` is
    m > σ_i. `continuous`: clip((m - σ_{i+1})/(σ_i - σ_{i+1}), 0, 1), σ after the last slot being 0.
    `semi-continuous`: discrete, but continuous in the last slot.
    """
    now = np.array(table.sigmas, dtype=np.float32)[:, None, None]
    later = np.array(table.next_sigmas, dtype=np.float32)[:, None, None]
    spread = mask[..., None, :, :]
    acts = spread > now if published else (spread >= now - _ROUNDING) & (spread > 0)
    hard = acts.astype(np.float32)
    if mask_type == "discrete":
        return hard
    soft = np.clip((spread - later) / (now - later), 0, 1).astype(np.float32)
    if mask_type == "continuous":
        return soft
    hard[..., -1, :, :] = soft[..., -1, :, :]
    return hard


def to_latent_grid(mask: Array, factor: int) -> Array:
    """Step 5: (…, H, W) to (…, H/f, W/f), the top-left pixel of each cell."""
    return mask[..., ::factor, ::factor]


def background_weight(weights: Array, paint: Array | None = None) -> Array:
    """What the brushes' weights (P, T, …) leave to the background, in 0..1, per slot.

    Ours is clip(1 - Σ_p weights, 0, 1), after quantising, so that a soft brush melts into what is
    under it. With the brushes' own `paint` (P, …) it is the published rule: 1 where nothing is
    painted, else 0, in every slot.
    """
    if paint is None:
        left: Array = np.clip(1 - weights.sum(axis=0), 0, 1).astype(np.float32)
        return left
    bare: Array = np.where((paint > 0).any(axis=0), 0, 1).astype(np.float32)
    everywhere: Array = np.broadcast_to(bare, weights.shape[1:]).copy()
    return everywhere


def pad_paint(paint: Array, multiple: int) -> Array:
    """(…, H, W) with H and W rounded up to `multiple`, edges replicated to the right and below."""
    below, right = (-side % multiple for side in paint.shape[-2:])
    still = [(0, 0)] * (paint.ndim - 2)
    return np.pad(paint, [*still, (0, below), (0, right)], mode="edge")


def blur_patch(
    patch: Patch, canvas: tuple[int, int], std_px: float, radius_px: int | None, factor: int
) -> Patch:
    """Steps 2 and 5 for a patch of a canvas (H, W), as `gaussian_blur` does them for all of it.

    The result lies on the latent grid. What is further off than the kernel reaches stays bare, so
    only the window's surroundings are worked out.
    """
    reach = blur_radius(std_px) if radius_px is None else radius_px
    reach = reach if std_px > 0 else 0
    wider = [
        slice(max(0, side.start - reach) // factor * factor, min(length, side.stop + reach))
        for side, length in zip(patch.window, canvas, strict=True)
    ]
    around = [
        (side.start - wide.start, wide.stop - side.stop)
        for side, wide in zip(patch.window, wider, strict=True)
    ]
    blurred = gaussian_blur(np.pad(patch.paint, around), std_px, radius_px, factor=factor)
    top, left = (wide.start // factor for wide in wider)
    height, width = blurred.shape
    return Patch(blurred, (slice(top, top + height), slice(left, left + width)))


def blur_radius(std_px: float) -> int:
    """How far a Gaussian's kernel reaches, in pixels."""
    return math.ceil(3 * std_px)


def brush_weights(
    paint: Array,
    alphas: Sequence[float],
    blurs_px: Sequence[float],
    table: StepTable,
    *,
    factor: int,
    mask_type: str = "continuous",
    cover: float = 0.3,
    published: bool = False,
) -> Array:
    """All five steps for brushes p ≥ 1: paint (P, H, W) in 0..1 to weights (P, T, h, w).

    `alphas` and `blurs_px` hold one number a brush. `published` takes the published cover rule, one
    kernel radius, ceil(3·max blur), for all brushes, and > in place of ≥.
    """
    radius = blur_radius(max(blurs_px, default=0.0)) if published else None
    canvas = (paint.shape[1], paint.shape[2])
    masks = np.zeros(to_latent_grid(paint, factor).shape, dtype=np.float32)
    covered = cover_lower([cut_out(m) for m in paint], canvas, cover, published=published)
    for p, patch in zip(reversed(range(len(paint))), covered, strict=True):
        soft = blur_patch(patch, canvas, blurs_px[p], radius, factor)
        masks[p][soft.window] = soft.paint * np.float32(alphas[p])
    return quantise(masks, table, mask_type, published=published)
