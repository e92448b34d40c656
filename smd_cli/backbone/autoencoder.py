"""The autoencoder between pictures and latents."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from smd_cli.backbone.tiling import Tiles
from smd_cli.engine.contract import Finish, as_it_is
from smd_cli.models.families.unets import latent_factor
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

MOST_CELLS = 2**15
"""A canvas of more latent cells goes through the autoencoder in tiles."""

_EXACT_CORE = 128
_FADED = Tiles(core=96, margin=16, fade=8)


class Autoencoder:
    """A diffusers autoencoder, full or tiny, of the precision that it was loaded in.

    The network sees its latents z as (z - mean) · scale: per channel as in SDXL's finetunes, or one
    shift for all as in Stable Diffusion 3; most have no mean. Large canvases, and those that wrap,
    are gone through in tiles.
    """

    def __init__(self, vae: Any, device: torch.device) -> None:
        self._vae, self._device = vae, device
        self._dtype: torch.dtype = vae.dtype  # which it looks for in all of its modules
        config = vae.config
        mean = config.get("latents_mean") or [config.get("shift_factor") or 0.0]
        deviation = config.get("latents_std") or [1.0]
        self._mean = _channels(mean, device)
        self._scale = config.get("scaling_factor", 1.0) / _channels(deviation, device)
        self._factor = latent_factor(config)
        self._tiles = _tiles(vae)

    def encode(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, h, w): the distribution's mode.

        `wraps` as in `engine.contract.Backbone`.
        """
        latents = self._run(self._encoded, image, (self._factor, 1), wraps)
        return cast(Tensor, (latents - self._mean) * self._scale)

    def decode(
        self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED, finish: Finish = as_it_is
    ) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), around -1..1, or what `finish` makes."""
        own = latents.to(self._device) / self._scale + self._mean
        return self._run(self._decoded, own, (1, self._factor), wraps, finish)

    def _run(
        self,
        work: Callable[[Tensor], Tensor],
        x: Tensor,
        cell: tuple[int, int],
        wraps: Wrapped,
        finish: Finish = as_it_is,
    ) -> Tensor:
        cells = math.prod(x.shape[-2:]) // cell[0] ** 2
        if cells <= MOST_CELLS and not any(wraps):
            return finish(work(x))
        return self._tiles.run(work, x, cell, wraps, finish)

    def _encoded(self, image: Tensor) -> Tensor:
        encoded = self._vae.encode(image.to(self._device, self._dtype))
        return _latents(encoded).float()

    def _decoded(self, latents: Tensor) -> Tensor:
        return cast(Tensor, self._vae.decode(latents.to(self._dtype)).sample.float())


def _tiles(vae: Any) -> Tiles:
    """Exact ones for a network that does nothing but convolve; statistics and attention see all."""
    reach = getattr(vae, "reach", None)
    if type(vae).__name__ == "AutoencoderTiny":
        reach = _tiny_reach(vae.config)
    return _FADED if reach is None else Tiles(_EXACT_CORE, reach, 0)


def _tiny_reach(config: Any) -> int:
    """How many cells an AutoencoderTiny sees around one.

    Its blocks have three convolutions each; one more leads into every level, and one out of it.
    """
    both = (config.num_decoder_blocks, config.num_encoder_blocks[::-1])
    sums = (sum((3 * n + 2) / 2**level for level, n in enumerate(blocks)) for blocks in both)
    reach: int = math.ceil(max(sums))
    return reach


def _latents(encoded: Any) -> Tensor:
    """What an autoencoder's encoder found: its distribution's mode, or the latents as they are."""
    if hasattr(encoded, "latent_dist"):
        return cast(Tensor, encoded.latent_dist.mode())
    return cast(Tensor, encoded.latents if hasattr(encoded, "latents") else encoded.latent)


def _channels(numbers: Any, device: torch.device) -> Tensor:
    """One number a channel, or one for all, as (1, C, 1, 1)."""
    return torch.tensor(numbers, dtype=torch.float32, device=device).reshape(1, -1, 1, 1)
