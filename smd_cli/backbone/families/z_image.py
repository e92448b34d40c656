"""Z-Image: prompts of their own lengths, pictures in lists, and a velocity of the other sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, cast

import torch
from diffusers.models.transformers.transformer_z_image import (
    SEQ_MULTI_OF,
    ZSingleStreamAttnProcessor,
)
from torch import Tensor

from smd_cli.backbone.joint import Texts
from smd_cli.backbone.prompt_store import Told
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Rows

_MASKS: ContextVar[Mapping[str, Tensor] | None] = ContextVar("_MASKS", default=None)
"""Of the row that is in the network, where it has several texts: diffusers hands on none."""


class MaskedProcessor(ZSingleStreamAttnProcessor):  # type: ignore[misc]
    """diffusers' own attention, which takes its mask from `_MASKS` where there is one."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        freqs_cis: Tensor | None = None,
    ) -> Tensor:
        masks = _MASKS.get()
        mask = attention_mask if masks is None else masks[self._part]
        given = hidden_states, encoder_hidden_states, mask, freqs_cis
        return cast(Tensor, super().__call__(attn, *given))


class ZImage(TransformerBackbone):
    """Prompts are Qwen3's last states but one, as many as the prompt has tokens."""

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        from diffusers import ZImagePipeline

        [encoder], [tokenizer] = encoders, tokenizers
        pipeline = ZImagePipeline(None, None, encoder, tokenizer, None)
        [row], _ = pipeline.encode_prompt(
            [prompt], device=self.device, do_classifier_free_guidance=False
        )
        return {"tokens": row[None].float()}

    def make_ready(self, network: Any) -> None:
        for layers, part in ((network.context_refiner, "texts"), (network.layers, "all")):
            for block in layers:
                block.attention.set_processor(MaskedProcessor(part))

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        network = self._transformer
        dtype = network.dtype
        pictures = [row[:, None] for row in rows.x.to(dtype)]
        clean = (1000 - rows.timesteps) / 1000
        told = [row.to(dtype) for row in tokens]
        asked = _MASKS.set(None if texts is None else _masks(texts, dtype))
        try:
            found = network(pictures, clean, told, return_dict=False)[0]
        finally:
            _MASKS.reset(asked)
        return -torch.stack([row.float()[:, 0] for row in found])


def _masks(texts: Texts, dtype: torch.dtype) -> Mapping[str, Tensor]:
    """Who sees whom where texts are by themselves, and where all are together, the picture first.

    Both are filled up to a multiple of 32.
    """
    tokens, cells = texts.of_cells.shape
    filled = texts.with_pads(-cells % SEQ_MULTI_OF, -tokens % SEQ_MULTI_OF)
    return {
        "texts": filled.among[None, None].to(dtype),
        "all": filled.bias(dtype, texts_first=False),
    }
