"""Stable Diffusion 1.x and 2.x, their LCM and Turbo models: one CLIP encoder."""

from __future__ import annotations

from collections.abc import Sequence

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompts import ClipText
from smd_cli.backbone.unet import UNetBackbone
from smd_cli.engine.contract import Conditioning


class StableDiffusion(UNetBackbone):
    """Prompts are the last states of CLIP's text encoder."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        [tokenizer], [encoder] = parts.tokenizers, parts.text_encoders
        self._text = ClipText(tokenizer, encoder, parts.clip_skip, True, parts.device)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        tokens, _ = self._text.encode(prompts, length)
        return Conditioning({"tokens": tokens})
