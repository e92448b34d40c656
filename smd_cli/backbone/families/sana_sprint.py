"""SANA-Sprint: noise and picture meet on a circle, the network on a line (arXiv 2503.09641)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from diffusers import SanaSprintPipeline
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Conditioning, Rows


class SanaSprint(TransformerBackbone):
    """diffusers' pipeline reads the prompts, behind the instruction that it was trained with."""

    embeds_guidance = True
    patch = 1

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        [tokenizer], [encoder] = parts.tokenizers, parts.text_encoders
        self._pipeline = SanaSprintPipeline(tokenizer, encoder, None, None, None)
        known = inspect.signature(SanaSprintPipeline.__call__).parameters
        self._instruction = known["complex_human_instruction"].default

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        tokens, mask = self._pipeline.encode_prompt(
            list(prompts), device=self.device, complex_human_instruction=self._instruction
        )
        return Conditioning({"tokens": tokens.float(), "mask": mask.bool()})

    def predict(self, rows: Rows) -> Tensor:
        """The velocity on the circle, by what the network tells of the line."""
        dtype, told = self._transformer.dtype, rows.conditioning
        down, across = torch.sin(rows.timesteps), torch.cos(rows.timesteps)
        t = down / (across + down)
        share = t[:, None, None, None]
        length = torch.sqrt(share**2 + (1 - share) ** 2)
        x = rows.x * length
        [output] = self._transformer(
            x.to(dtype),
            encoder_hidden_states=told["tokens"].to(dtype),
            encoder_attention_mask=told["mask"],
            guidance=told["guidance"].to(dtype) * self._transformer.config.guidance_embeds_scale,
            timestep=t,
            return_dict=False,
        )
        velocity: Tensor = (1 - 2 * share) * x + (1 - 2 * share + 2 * share**2) * output.float()
        return velocity / length
