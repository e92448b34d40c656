"""Region maths: how brushes share one canvas. Tensors in, tensors out.

Sources: MultiDiffusion (arXiv 2302.08113) for the averaging, StreamMultiDiffusion (2403.09055)
for bootstrapping, centring and pre-averaging, StreamDiffusion (2312.12491) for R-CFG. Letters as
in `plan`: C, h, w latent channels and size; α, σ signal and noise scale of a slot.
"""

from __future__ import annotations

import torch
from torch import Tensor


def noised(clean: Tensor, noise: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """The forward process: α·x0 + σ·n."""
    return alpha * clean + sigma * noise


def bootstrapped(x: Tensor, weight: Tensor, background: Tensor) -> Tensor:
    """A brush's own view in a bootstrap slot: x inside its weight, the noised background outside.

    x, background: (…, C, h, w); weight: (…, 1, h, w) in 0..1.
    """
    return weight * x + (1 - weight) * background


def kept_share(x0: Tensor, background: Tensor, leak: float) -> Tensor:
    """Share (…, 1, h, w) in 0..1 that a brush keeps: 0 where its x0 is still the noised background.

    x0, background: (…, C, h, w). 2·sigmoid(d/leak) - 1 with d the squared difference, mean over
    channels; leak > 0.
    """
    distance = (x0 - background).pow(2).mean(dim=-3, keepdim=True)
    return 2 * torch.sigmoid(distance / leak) - 1


def weighted_mean(values: Tensor, weights: Tensor, background: Tensor) -> Tensor:
    """Pre-averaging: Σ m_p v_p / Σ m_p, and the background where the weights leave room.

    values: (…, P, C, h, w); weights: (…, P, 1, h, w) ≥ 0; background: (…, C, h, w). With
    u = clip(1 - Σ m_p, 0, 1) the result is (1-u)·mean + u·background, mean being 0 where Σ m_p = 0.
    """
    total = weights.sum(dim=-4)
    mean = (weights * values).sum(dim=-4) / torch.where(total > 0, total, torch.ones_like(total))
    room = (1 - total).clamp(0, 1)
    return (1 - room) * mean + room * background


def linear(coefficients: tuple[Tensor, Tensor], x: Tensor, output: Tensor) -> Tensor:
    """p·x + q·output: what every prediction type says of the clean picture, or of the noise."""
    p, q = coefficients
    return p * x + q * output


def guided(positive: Tensor, negative: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598): e_u + g·(e_c - e_u)."""
    return negative + scale * (positive - negative)


def residual_guided(positive: Tensor, virtual: Tensor, scale: float, delta: float) -> Tensor:
    """R-CFG: δ·e_v + g·(e_c - δ·e_v), e_v the virtual residual noise."""
    return guided(positive, delta * virtual, scale)


def virtual_residual(
    x: Tensor, origin: Tensor, alpha: Tensor | float, sigma: Tensor | float
) -> Tensor:
    """The noise that would lead from `origin` to x: e_v = (x - α·origin)/σ."""
    return (x - alpha * origin) / sigma
