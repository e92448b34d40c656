"""The autoencoder between pictures and latents."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


class Autoencoder:
    """A diffusers autoencoder, full or tiny, of the precision that it was loaded in.

    The network sees its latents z as (z - mean) · scale: per channel as in SDXL's finetunes, or one
    shift for all as in Stable Diffusion 3; most have no mean.
    """

    def __init__(self, vae: Any, device: torch.device) -> None:
        self._vae, self._device = vae, device
        config = vae.config
        mean = config.get("latents_mean") or [config.get("shift_factor") or 0.0]
        deviation = config.get("latents_std") or [1.0]
        self._mean = _channels(mean, device)
        self._scale = config.scaling_factor / _channels(deviation, device)

    def encode(self, image: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, h, w): the distribution's mode."""
        encoded = self._vae.encode(image.to(self._device, self._vae.dtype))
        has_distribution = hasattr(encoded, "latent_dist")
        latents = encoded.latent_dist.mode() if has_distribution else encoded.latents
        return cast(Tensor, (latents.float() - self._mean) * self._scale)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), around -1..1."""
        own = latents.to(self._device) / self._scale + self._mean
        return cast(Tensor, self._vae.decode(own.to(self._vae.dtype)).sample.float())


def _channels(numbers: Any, device: torch.device) -> Tensor:
    """One number a channel, or one for all, as (1, C, 1, 1)."""
    return torch.tensor(numbers, dtype=torch.float32, device=device).reshape(1, -1, 1, 1)
