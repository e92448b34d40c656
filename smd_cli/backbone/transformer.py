"""What families with a transformer that matches a flow share: its patches and the step table."""

from __future__ import annotations

from collections.abc import Sequence

from smd_cli.backbone.base import LatentBackbone
from smd_cli.backbone.parts import Parts
from smd_cli.engine.schedule import StepTable, spaced_table


class TransformerBackbone(LatentBackbone):
    """A diffusers transformer behind the contract; a family adds its prompts and its call.

    `patch`: latent cells along the side of what the transformer sees as one.
    """

    embeds_guidance = False
    blends = False
    spaced = True
    patch = 2

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        assert parts.spacing is not None
        self._transformer, self._spacing = parts.denoiser, parts.spacing
        self.multiple = parts.factor * self.patch
        self.channels: int = parts.vae.config.latent_channels

    def step_table(
        self, steps: int | None, timesteps: Sequence[int] | None, size: tuple[int, int]
    ) -> StepTable:
        return spaced_table(self._spacing, self._scheduler, size, steps=steps, timesteps=timesteps)
