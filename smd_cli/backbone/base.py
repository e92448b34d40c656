"""What all models share behind the contract: where they run, and how pixels become latents."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from smd_cli.backbone.autoencoder import Autoencoder
from smd_cli.backbone.parts import Parts
from smd_cli.engine.contract import Finish, as_it_is
from smd_cli.scene.types import NOT_WRAPPED, Wrapped


class LatentBackbone:
    """A model whose network takes the autoencoder's latents as they are; a family may differ."""

    def __init__(self, parts: Parts) -> None:
        self._vae = Autoencoder(parts.vae, parts.device)
        self._scheduler = parts.scheduler
        self.device = parts.device
        self.factor = parts.factor
        self.window_px, self.native_px = parts.window_px, parts.native_px

    def read_ahead(self, prompts: Sequence[str]) -> None:
        """Its text encoders stay: there is nothing to do beforehand."""

    def as_taken(self, latents: Tensor) -> Tensor:
        return latents

    def as_given(self, latents: Tensor) -> Tensor:
        return latents

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        return self._vae.encode(image, wraps)

    def decode_latents(
        self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED, finish: Finish = as_it_is
    ) -> Tensor:
        return self._vae.decode(latents, wraps, finish)
