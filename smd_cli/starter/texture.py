"""Textures: what a material's estimate should have of each kind of detail.

A mean square error is smallest for the mean of all that could be meant; where a texture is left to
chance that is no texture. So the strengths of random filters' responses are compared as well, over
a region and not cell by cell (textures from one layer of random filters: arXiv 1606.00021).
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.starter.targets import Batch

FILTERS = 64

FLAT = 5e-3
"""Mean square responses much below this are no texture."""

MOST = 2.0
"""So much at most counts a single picture."""


@cache
def filters(channels: int, device: torch.device) -> Tensor:
    """Random 3 x 3 filters (FILTERS, channels, 3, 3) that see no mean, the same every time."""
    drawn = torch.randn(FILTERS, channels, 3, 3, generator=torch.Generator().manual_seed(16))
    drawn -= drawn.mean((2, 3), keepdim=True)
    kernel: Tensor = drawn / drawn.flatten(1).norm(dim=1)[:, None, None, None]
    return kernel.to(device)


def strengths(latents: Tensor, inside: Tensor) -> Tensor:
    """The root mean square response of each filter, (N, FILTERS), to latents (N, C, h, w) in the
    cells `inside` (N, 1, h, w), 0 or 1."""
    responses = F.conv2d(latents, filters(latents.shape[1], latents.device))
    where = inside[:, :, 1:-1, 1:-1]
    power = (responses.square() * where).sum((2, 3)) / where.sum((2, 3)).clamp_min(1)
    strength: Tensor = (power + 1e-4).sqrt()
    return strength


def texture_loss(found: Tensor, batch: Batch) -> Tensor:
    """How far, by a share of the true one, strengths of materials' estimates are from the true.

    `found` are velocities (N, C, h, w); only rows of `batch.textured` count.
    """
    rows = batch.textured.nonzero()[:, 0]
    if not len(rows):
        return found.new_zeros(())
    sigma = batch.sigmas[rows, None, None, None]
    noised, inside = batch.noised[rows], (batch.weight[rows] >= 1).float()
    alpha = (1 - sigma.square()).sqrt()
    true, made = (
        strengths(alpha * noised - sigma * velocity[rows], inside)
        for velocity in (batch.velocity, found)
    )
    missing = (made - true).square().mean(1) / (true.square().mean(1) + FLAT)
    return missing.clamp_max(MOST).mean()
