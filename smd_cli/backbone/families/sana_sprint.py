"""SANA-Sprint: noise and picture meet on a circle, the network on a line (arXiv 2503.09641)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import SanaSprintPipeline
from torch import Tensor

from smd_cli.backbone.joint import Texts
from smd_cli.backbone.prompt_store import Told
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Rows


class SanaSprint(TransformerBackbone):
    """diffusers' pipeline reads the prompts, behind the instruction that it was trained with."""

    embeds_guidance = True
    patch = 1

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        [encoder], [tokenizer] = encoders, tokenizers
        pipeline = SanaSprintPipeline(tokenizer, encoder, None, None, None)
        known = inspect.signature(SanaSprintPipeline.__call__).parameters
        instruction = known["complex_human_instruction"].default
        tokens, mask = pipeline.encode_prompt(
            [prompt], device=self.device, complex_human_instruction=instruction
        )
        return {"tokens": tokens.float(), "mask": mask.bool()}

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        """The velocity on the circle, by what the network tells of the line."""
        dtype, told = self._transformer.dtype, rows.conditioning
        down, across = torch.sin(rows.timesteps), torch.cos(rows.timesteps)
        t = down / (across + down)
        share = t[:, None, None, None]
        length = torch.sqrt(share**2 + (1 - share) ** 2)
        x = rows.x * length
        [output] = self._transformer(
            x.to(dtype),
            encoder_hidden_states=tokens.to(dtype),
            encoder_attention_mask=told["mask"]
            if texts is None
            else texts.by_cells[None].to(dtype),
            guidance=told["guidance"].to(dtype) * self._config["guidance_embeds_scale"],
            timestep=t,
            return_dict=False,
        )
        velocity: Tensor = (1 - 2 * share) * x + (1 - 2 * share + 2 * share**2) * output.float()
        return velocity / length
