"""FLUX.1: latents packed 2x2 into tokens, T5's states and CLIP's pooled text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import FluxPipeline
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Conditioning, Rows

MAX_TOKENS = 512


class Flux(TransformerBackbone):
    """diffusers' pipeline, without its transformer, reads the prompts and packs the latents."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        [clip, t5], [clip_tokenizer, t5_tokenizer] = parts.text_encoders, parts.tokenizers
        self._pipeline = FluxPipeline(None, None, clip, clip_tokenizer, t5, t5_tokenizer, None)
        self.embeds_guidance = bool(self._transformer.config.guidance_embeds)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        tokens, pooled, _ = self._pipeline.encode_prompt(
            list(prompts), None, device=self.device, max_sequence_length=MAX_TOKENS
        )
        return Conditioning({"tokens": tokens.float(), "pooled": pooled.float()})

    def predict(self, rows: Rows) -> Tensor:
        height, width = rows.x.shape[-2:]
        dtype, told = self._transformer.dtype, rows.conditioning
        places = self._pipeline._prepare_latent_image_ids(
            len(rows), height // self.patch, width // self.patch, self.device, dtype
        )
        [output] = self._transformer(
            hidden_states=self.as_taken(rows.x).to(dtype),
            timestep=(rows.timesteps / 1000).to(dtype),
            guidance=told.get("guidance") if self.embeds_guidance else None,
            pooled_projections=told["pooled"].to(dtype),
            encoder_hidden_states=told["tokens"].to(dtype),
            txt_ids=torch.zeros(told["tokens"].shape[1], 3, device=self.device, dtype=dtype),
            img_ids=places,
            return_dict=False,
        )
        sides = (height * self.factor, width * self.factor, self.factor)
        unpacked: Tensor = self._pipeline._unpack_latents(output.float(), *sides)
        return unpacked

    def as_taken(self, latents: Tensor) -> Tensor:
        packed: Tensor = self._pipeline._pack_latents(latents.contiguous(), *latents.shape)
        return packed

    as_given = as_taken
