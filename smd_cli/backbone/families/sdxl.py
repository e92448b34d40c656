"""Stable Diffusion XL, its LCM, Turbo and Lightning models: two encoders, pooled text, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompts import ClipText
from smd_cli.backbone.unet import UNetBackbone
from smd_cli.engine.contract import Conditioning, Rows


class StableDiffusionXL(UNetBackbone):
    """Prompts are the last states but one of both encoders; the second one's are pooled too."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._zero_empty = parts.zero_empty
        self._texts = [
            ClipText(tokenizer, encoder, parts.clip_skip + 1, False, parts.device)
            for tokenizer, encoder in zip(parts.tokenizers, parts.text_encoders, strict=True)
        ]

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        longest = max(length, *(text.length(prompts) for text in self._texts))
        coded = [text.encode(prompts, longest) for text in self._texts]
        tokens = torch.cat([states for states, _ in coded], dim=-1)
        pooled = coded[-1][1].text_embeds.float()
        if self._zero_empty:
            said = torch.tensor([float(prompt != "") for prompt in prompts], device=self.device)
            tokens, pooled = tokens * said[:, None, None], pooled * said[:, None]
        return Conditioning({"tokens": tokens, "pooled": pooled})

    def _added(self, rows: Rows) -> Mapping[str, Any]:
        """Pooled text, and the size ids: an uncropped picture as large as the row."""
        size = rows.places[:, 2:]
        return {
            "text_embeds": rows.conditioning["pooled"].to(self._dtype),
            "time_ids": torch.cat([size, torch.zeros_like(size), size], dim=1).to(self._dtype),
        }
