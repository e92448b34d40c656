"""What weights and corrects a training target: contrast, chances and texture."""

from collections.abc import Sequence

import torch
from torch import Tensor

FLAT = 0.02
"""Textures of less variation, in latents, have none that could be told."""

USUAL_RMS = 0.5
"""Of materials that vary less than this, in latents, errors count more."""

MOST_WEIGHT = 4.0
"""Errors count at most so much more."""


def contrast_weight(target: Tensor, weight: Tensor, boxes: Tensor) -> Tensor:
    """How much more errors count (N, 1, 1, 1) where a prompt is a material's of little contrast.

    The less a texture varies the less its errors weigh in a mean square, until it is not worth
    painting; a judge of pictures, and everybody, tells snow from paper by it.
    """
    spread = (weight == 1).float()
    total = spread.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (target * spread).sum((2, 3), keepdim=True) / total
    rms = ((target - mean) * spread).square().sum((1, 2, 3), keepdim=True) / total
    more = (USUAL_RMS / rms.sqrt().clamp_min(1e-6)).clamp(1, MOST_WEIGHT)
    return torch.where((boxes[:, 2] == 0)[:, None, None, None], more, 1.0)


def tell_chances(noise: Tensor, free: Tensor, chances: Sequence[float]) -> None:
    """Let noise (C, h, w) in the free cells (h, w) tell standard normal draws, in place.

    The mean of channel k becomes what it is when chance k is its value in standard deviations. It
    stays standard normal noise; but a first guess can take from it how to vary, where it would else
    be the mean of all variations. (Couplings of noise and picture: arXiv 2304.14772.)
    """
    for channel, chance in zip(noise, chances, strict=False):
        inside = channel[free]
        channel[free] = inside - inside.mean() + chance / inside.numel() ** 0.5


def tell_texture(noise: Tensor, texture: Tensor) -> None:
    """Let noise (n, n) tell a texture (n, n), in place, so that it is not left to chance either.

    Both are seen as cosine waves. Among waves of about a length the noise's amplitudes change
    places, and take signs, so that the largest is where the texture's largest is. Of a texture of
    random waves nothing can be told from the outcome: it is white noise as before.
    """
    if texture.std() < FLAT:
        return
    side = len(noise)
    at = torch.arange(side, device=noise.device, dtype=torch.float64)
    waves = torch.cos(torch.pi / side * at[:, None] * (at + 0.5)) * (2 / side) ** 0.5
    waves[0] /= 2**0.5
    ours, theirs = (waves @ image.double() @ waves.T for image in (noise, texture))
    band = torch.hypot(at[:, None], at).round()
    ranks = [(band + 0.99 * a / a.max()).flatten().argsort() for a in (ours.abs(), theirs.abs())]
    told = ours.flatten().clone()
    told[ranks[1]] = ours.abs().flatten()[ranks[0]] * theirs.flatten()[ranks[1]].sign()
    told[0] = ours[0, 0]
    noise.copy_(waves.T @ told.view_as(ours) @ waves)
