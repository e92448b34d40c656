"""What families with a UNet share: how it predicts, and the step table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from smd_cli.backbone.attention import Blend, BlendingProcessor, can_blend
from smd_cli.backbone.base import LatentBackbone
from smd_cli.backbone.parts import Parts
from smd_cli.engine.contract import Rows
from smd_cli.engine.schedule import StepTable, step_table


class UNetBackbone(LatentBackbone):
    """A diffusers UNet behind the contract; a family adds how it reads prompts."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        config = parts.denoiser.config
        self._unet, self._consistency = parts.denoiser, parts.consistency
        self._dtype: torch.dtype = self._unet.dtype  # which it looks for in all of its modules
        self._guidance_width: int | None = config.time_cond_proj_dim
        self._levels = len(config.block_out_channels)
        self.multiple = parts.factor * 2 ** (self._levels - 1)
        self.channels: int = config.in_channels
        self.embeds_guidance = self._guidance_width is not None
        self.blends = can_blend(self._unet)
        self.spaced = False
        if self.blends:
            self._unet.set_attn_processor(BlendingProcessor())

    def step_table(
        self,
        steps: int | None,
        timesteps: Sequence[int] | None,
        size: tuple[int, int],  # noqa: ARG002
    ) -> StepTable:
        return step_table(
            self._scheduler, steps=steps, timesteps=timesteps, consistency=self._consistency
        )

    def predict(self, rows: Rows) -> Tensor:
        output = self._unet(
            rows.x.to(self._dtype),
            rows.timesteps,
            timestep_cond=self._embedded(rows),
            added_cond_kwargs=self._added(rows),
            return_dict=False,
            **self._attended(rows),
        )[0]
        return cast(Tensor, output.float())

    def _attended(self, rows: Rows) -> Mapping[str, Any]:
        """The prompts; where a row has several, their mean stands in wherever one is asked for."""
        told = rows.conditioning
        if told.get("shares") is None:
            return {"encoder_hidden_states": told["tokens"].to(self._dtype)}
        blend = Blend.of(told, self._levels, self._dtype)
        return {
            "encoder_hidden_states": blend.mean,
            "cross_attention_kwargs": {"blend": blend},
        }

    def _added(self, rows: Rows) -> Mapping[str, Any] | None:  # noqa: ARG002
        """What the UNet is told besides the prompt."""
        return None

    def _embedded(self, rows: Rows) -> Tensor | None:
        """Guidance scales (R,), 1 where none are given, as a full LCM takes them."""
        if self._guidance_width is None:
            return None
        scales = rows.conditioning.get("guidance")
        scales = rows.x.new_ones(len(rows)) if scales is None else scales
        return guidance_embedding(scales - 1, self._guidance_width).to(self._dtype)


def guidance_embedding(weights: Tensor, width: int) -> Tensor:
    """Guidance weights w = scale - 1, (R,), as sines and cosines (R, width).

    The frequencies fall from 1 to 1/10000 over width/2 places, for 1000·w (LCM, arXiv 2310.04378,
    after the time embedding of Variational Diffusion Models). An odd width ends in a zero.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=weights.device) / (half - 1)
    angles = 1000 * weights[:, None].float() * torch.exp(-math.log(10000) * steps)
    waves = torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
    return torch.nn.functional.pad(waves, (0, width % 2))
