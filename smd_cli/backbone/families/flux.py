"""FLUX.1: latents packed 2x2 into tokens, T5's states and CLIP's pooled text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import FluxPipeline
from torch import Tensor

from smd_cli.backbone.joint import Texts, masked
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompt_store import Told
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Rows

MAX_TOKENS = 512


class Flux(TransformerBackbone):
    """diffusers' pipeline, without its transformer, reads the prompts and packs the latents."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.embeds_guidance = bool(self._config.get("guidance_embeds"))

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        [clip, t5], [clip_tokenizer, t5_tokenizer] = encoders, tokenizers
        pipeline = FluxPipeline(None, None, clip, clip_tokenizer, t5, t5_tokenizer, None)
        tokens, pooled, _ = pipeline.encode_prompt(
            [prompt], None, device=self.device, max_sequence_length=MAX_TOKENS
        )
        return {"tokens": tokens.float(), "pooled": pooled.float()}

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        height, width = rows.x.shape[-2:]
        dtype, told = self._transformer.dtype, rows.conditioning
        places = FluxPipeline._prepare_latent_image_ids(
            len(rows), height // self.patch, width // self.patch, self.device, dtype
        )
        [output] = self._transformer(
            hidden_states=self.as_taken(rows.x).to(dtype),
            timestep=(rows.timesteps / 1000).to(dtype),
            guidance=told.get("guidance") if self.embeds_guidance else None,
            pooled_projections=told["pooled"].to(dtype),
            encoder_hidden_states=tokens.to(dtype),
            txt_ids=torch.zeros(tokens.shape[1], 3, device=self.device, dtype=dtype),
            img_ids=places,
            joint_attention_kwargs=masked(texts, dtype),
            return_dict=False,
        )
        sides = (height * self.factor, width * self.factor, self.factor)
        unpacked: Tensor = FluxPipeline._unpack_latents(output.float(), *sides)
        return unpacked

    def as_taken(self, latents: Tensor) -> Tensor:
        packed: Tensor = FluxPipeline._pack_latents(latents.contiguous(), *latents.shape)
        return packed

    as_given = as_taken
