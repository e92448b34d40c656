"""Z-Image: prompts of their own lengths, pictures in lists, and a velocity of the other sign."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Conditioning, Rows


class ZImage(TransformerBackbone):
    """Prompts are Qwen3's last states but one, as many as the prompt has tokens."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._parts = parts

    @cached_property
    def _pipeline(self) -> Any:
        """diffusers' pipeline without its transformer, which reads prompts as it was trained."""
        from diffusers import ZImagePipeline

        [tokenizer], [encoder] = self._parts.tokenizers, self._parts.text_encoders
        return ZImagePipeline(None, None, encoder, tokenizer, None)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        rows, _ = self._pipeline.encode_prompt(
            list(prompts), device=self.device, do_classifier_free_guidance=False
        )
        assert len({len(row) for row in rows}) == 1, "prompts of one length share a row"
        return Conditioning({"tokens": torch.stack(rows).float()})

    def predict(self, rows: Rows) -> Tensor:
        dtype = self._transformer.dtype
        pictures = [row[:, None] for row in rows.x.to(dtype)]
        told = [row.to(dtype) for row in rows.conditioning["tokens"]]
        clean = (1000 - rows.timesteps) / 1000
        found = self._transformer(pictures, clean, told, return_dict=False)[0]
        return -torch.stack([row.float()[:, 0] for row in found])
