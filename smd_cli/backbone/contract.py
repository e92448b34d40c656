"""What the engine asks of a model. A new family is one adapter that fulfils `Backbone`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from smd_cli.engine.schedule import StepTable


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What rows of a network call are told: prompts, encoded, and more in some families.

    `tokens` (R, L, D); `pooled` (R, E) in families with it; `guidance` (R,): the scale, where the
    network itself takes it.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    guidance: Tensor | None = None

    def rows(self, indices: Sequence[int]) -> Conditioning:
        """The given rows, in that order; a row may be taken more than once."""
        picked = list(indices)
        pooled = None if self.pooled is None else self.pooled[picked]
        guidance = None if self.guidance is None else self.guidance[picked]
        return Conditioning(self.tokens[picked], pooled, guidance)

    def mix(self, other: Conditioning, share: float) -> Conditioning:
        """Linear interpolation: share 0 is this one, 1 is `other` (prompt strength)."""
        pooled = None
        if self.pooled is not None and other.pooled is not None:
            pooled = torch.lerp(self.pooled, other.pooled, share)
        return Conditioning(torch.lerp(self.tokens, other.tokens, share), pooled, self.guidance)

    def guided(self, scale: float) -> Conditioning:
        """The same rows, for a network that takes the guidance scale itself."""
        scales = torch.full((len(self.tokens),), scale, device=self.tokens.device)
        return replace(self, guidance=scales)

    @staticmethod
    def stack(parts: Sequence[Conditioning]) -> Conditioning:
        """All rows of all parts, one after the other."""
        pooled = [part.pooled for part in parts if part.pooled is not None]
        guidance = [part.guidance for part in parts if part.guidance is not None]
        return Conditioning(
            torch.cat([part.tokens for part in parts]),
            torch.cat(pooled) if pooled else None,
            torch.cat(guidance) if guidance else None,
        )


class Backbone(Protocol):
    """A loaded model. Tensors that cross this line are float32 on `device`.

    `factor`: canvas pixels per latent cell; `multiple`: canvas sides must be multiples of it;
    `channels`: latent channels C; `embeds_guidance`: the network takes the guidance scale itself,
    with the conditioning, and needs no negative rows.
    """

    device: torch.device
    factor: int
    multiple: int
    channels: int
    embeds_guidance: bool

    def step_table(self, steps: int | None, timesteps: Sequence[int] | None) -> StepTable:
        """The slots for so many steps, or for these timesteps."""

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        """One row a prompt; an empty text is the unconditional row.

        Rows are as long as the longest prompt needs, and `length` tokens at least.
        """

    def predict(self, x: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The network's raw output for noised latents (R, C, h, w) at timesteps τ (R,)."""

    def encode_image(self, image: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, h, w)."""

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), around -1..1, not clipped."""
