"""The autoencoder between pictures and latents."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


class Autoencoder:
    """A diffusers autoencoder, full or tiny, of the precision that it was loaded in."""

    def __init__(self, vae: Any, device: torch.device) -> None:
        self._vae, self._device = vae, device
        self._scaling: float = vae.config.scaling_factor

    def encode(self, image: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, h, w): the distribution's mode."""
        encoded = self._vae.encode(image.to(self._device, self._vae.dtype))
        has_distribution = hasattr(encoded, "latent_dist")
        latents = encoded.latent_dist.mode() if has_distribution else encoded.latents
        return cast(Tensor, latents.float() * self._scaling)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), around -1..1."""
        scaled = (latents / self._scaling).to(self._device, self._vae.dtype)
        return cast(Tensor, self._vae.decode(scaled).sample.float())
