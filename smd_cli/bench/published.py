"""The published mask rules, worked out with torch alone, from paint to a weight for every slot.

After MultiDiffusion (arXiv 2302.08113) and StreamMultiDiffusion (2403.09055). Nothing here is
shared with `engine.masks`, which has them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def published_weights(
    paint: Tensor,
    alphas: Sequence[float],
    blurs_px: Sequence[float],
    sigmas: Sequence[float],
    *,
    factor: int,
    mask_type: str,
    cover: float,
) -> Tensor:
    """Brushes' paint (P, H, W) in 0..1 to weights (P + 1, T, 1, h, w); the background's come first.

    `alphas` and `blurs_px`: one number a brush; `sigmas`: the noise levels of the T slots; H and W
    are multiples of `factor`.
    """
    radius = math.ceil(3 * max(blurs_px, default=0.0))
    masks = _covered(paint, cover)
    soft = [
        alpha * _blurred(mask, std, radius)
        for mask, alpha, std in zip(masks, alphas, blurs_px, strict=True)
    ]
    bare = (paint == 0).all(dim=0).float()
    below = bare.expand(1, len(sigmas), *bare.shape)
    above = [quantised(mask, sigmas, mask_type)[None] for mask in soft]
    return torch.cat([below, *above])[:, :, None, ::factor, ::factor]


def _covered(paint: Tensor, cover: float) -> list[Tensor]:
    """Every mask (H, W), times `cover` wherever a later brush has any paint."""
    return [
        torch.where((paint[p + 1 :] > 0).any(dim=0), cover * mask, mask)
        for p, mask in enumerate(paint)
    ]


def _blurred(mask: Tensor, std_px: float, radius_px: int) -> Tensor:
    """A mask (H, W) under a Gaussian kernel of this radius, edges replicated; std 0 blurs none."""
    if std_px <= 0:
        return mask
    offsets = torch.arange(-radius_px, radius_px + 1, dtype=torch.float32, device=mask.device)
    kernel = torch.exp(-0.5 * (offsets / std_px) ** 2)
    kernel = kernel / kernel.sum()
    wide = F.pad(mask[None, None], [radius_px] * 4, mode="replicate")
    across = F.conv2d(wide, kernel[None, None, None, :])
    return F.conv2d(across, kernel[None, None, :, None])[0, 0]


def quantised(mask: Tensor, sigmas: Sequence[float], mask_type: str) -> Tensor:
    """A mask (H, W) against every slot's noise level, (T, H, W).

    `discrete`: m > σ_i; `continuous`: clip((m - σ_{i+1}) / (σ_i - σ_{i+1}), 0, 1), 0 following the
    last σ; `semi-continuous`: discrete, but continuous in the last slot.
    """
    slots = []
    for slot, (now, later) in enumerate(zip(sigmas, [*sigmas[1:], 0.0], strict=True)):
        soft = mask_type == "continuous" or (
            mask_type == "semi-continuous" and slot == len(sigmas) - 1
        )
        graded = ((mask - later) / (now - later)).clamp(0, 1)
        slots.append(graded if soft else (mask > now).float())
    return torch.stack(slots)
