"""Stable Diffusion 3: CLIP's and T5's states in one row, pooled text beside it."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import StableDiffusion3Pipeline
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Conditioning, Rows

MAX_TOKENS = 256


class StableDiffusion3(TransformerBackbone):
    """diffusers' pipeline reads the prompts, without T5 where the model has none."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.patch = self._transformer.config.patch_size
        pairs = zip(parts.text_encoders, parts.tokenizers, strict=True)
        texts = [part for pair in pairs for part in pair]
        self._pipeline = StableDiffusion3Pipeline(self._transformer, None, None, *texts)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        tokens, _, pooled, _ = self._pipeline.encode_prompt(
            list(prompts),
            None,
            None,
            device=self.device,
            do_classifier_free_guidance=False,
            max_sequence_length=MAX_TOKENS,
        )
        return Conditioning({"tokens": tokens.float(), "pooled": pooled.float()})

    def predict(self, rows: Rows) -> Tensor:
        dtype, told = self._transformer.dtype, rows.conditioning
        [output] = self._transformer(
            hidden_states=rows.x.to(dtype),
            timestep=rows.timesteps,
            encoder_hidden_states=told["tokens"].to(dtype),
            pooled_projections=told["pooled"].to(dtype),
            return_dict=False,
        )
        velocity: Tensor = output.float()
        return velocity
