"""The starter's denoiser: diffusers' UNet, which is told besides where every latent cell lies.

Convolutions know no places but by the canvas's edges (CoordConv, arXiv 1807.03247). A region that
is bootstrapped lies about the canvas's middle, so a cell that knows where it is knows which part of
its object belongs there, whatever the canvas's size; and masonry knows where its joints are.
"""

from functools import wraps
from typing import Any

import torch
from diffusers import (
    ModelMixin as ModelMixin,  # for diffusers, which looks here for the class that loads
)
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

LATTICE_PERIODS = (2, 4)
"""Periods, in cells from the canvas's top left corner, of waves that tell places."""

MIDDLE_PERIODS = (8, 16, 32)
"""Periods, in cells from the canvas's middle, of such waves."""

SPAN = 16
"""So many cells from the middle the plain coordinates are 1."""

PLACES = 2 * (2 + 2 * len(LATTICE_PERIODS) + 2 * len(MIDDLE_PERIODS))
"""How many numbers tell a cell where it lies."""


def along(cells: int, device: torch.device | None = None) -> Tensor:
    """What tells cells their places along one side of a canvas, (PLACES / 2, cells)."""
    at = torch.arange(cells, device=device) + 0.5
    offset = at - cells / 2
    waves = [offset / SPAN, 2 * offset / cells]
    origins = [(at, LATTICE_PERIODS), (offset, MIDDLE_PERIODS)]
    for place, periods in origins:
        for period in periods:
            angle = 2 * torch.pi / period * place
            waves += [angle.sin(), angle.cos()]
    return torch.stack(waves)


def places_on(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """What tells the cells of a canvas their places, (PLACES, height, width)."""
    down = along(height, device)[:, :, None].expand(-1, -1, width)
    across = along(width, device)[:, None].expand(-1, height, -1)
    return torch.cat([down, across])


class PlacedConv(nn.Conv2d):
    """A 3 x 3 convolution that sees, beside its input (N, C, h, w), where the cells lie."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels + PLACES, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        places = places_on(x.shape[2], x.shape[3], x.device).to(x.dtype)
        return super().forward(torch.cat([x, places.expand(len(x), -1, -1, -1)], 1))


class PlacedUNet(UNet2DConditionModel):  # type: ignore[misc]
    """diffusers' UNet2DConditionModel whose first convolution is told the cells' places."""

    @wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]  # configs are read by its signature
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.conv_in = PlacedConv(self.config.in_channels, self.config.block_out_channels[0])
