"""What families with a transformer that matches a flow share: an autoencoder, the step table."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from smd_cli.backbone.autoencoder import Autoencoder
from smd_cli.backbone.parts import Parts
from smd_cli.engine.schedule import StepTable, spaced_table
from smd_cli.scene.types import NOT_WRAPPED, Wrapped


class TransformerBackbone:
    """A diffusers transformer behind the contract; a family adds its prompts and its call.

    `patch`: latent cells along the side of what the transformer sees as one.
    """

    embeds_guidance = False
    blends = False
    spaced = True
    patch = 2

    def __init__(self, parts: Parts) -> None:
        assert parts.spacing is not None
        self._transformer = parts.denoiser
        self._vae = Autoencoder(parts.vae, parts.device)
        self._scheduler, self._spacing = parts.scheduler, parts.spacing
        self.device = parts.device
        self.factor = parts.factor
        self.multiple = parts.factor * self.patch
        self.window_px, self.native_px = parts.window_px, parts.native_px
        self.channels: int = parts.vae.config.latent_channels

    def step_table(
        self, steps: int | None, timesteps: Sequence[int] | None, size: tuple[int, int]
    ) -> StepTable:
        return spaced_table(self._spacing, self._scheduler, size, steps=steps, timesteps=timesteps)

    def as_taken(self, latents: Tensor) -> Tensor:
        return latents

    def as_given(self, latents: Tensor) -> Tensor:
        return latents

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        return self._vae.encode(image, wraps)

    def decode_latents(self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        return self._vae.decode(latents, wraps)
