"""Stable Diffusion 3: CLIP's and T5's states in one row, pooled text beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import StableDiffusion3Pipeline
from diffusers.models.attention_processor import JointAttnProcessor2_0
from torch import Tensor

from smd_cli.backbone.joint import Texts
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompt_store import Told
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Rows

MAX_TOKENS = 256


class JointProcessor(JointAttnProcessor2_0):  # type: ignore[misc]
    """diffusers' own attention; where it is told who sees whom, texts and picture obey that."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Any:
        if bias is None or encoder_hidden_states is None:  # a picture by itself sees all of it
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask)
        return joint_attention(attn, hidden_states, encoder_hidden_states, bias)


def joint_attention(attn: Any, x: Tensor, texts: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """diffusers' attention `attn` of cells x (R, N, C) and texts (R, L, C) to each other."""

    def heads(made: Tensor, norm: Any) -> Any:
        each = made.reshape(*made.shape[:2], attn.heads, -1).transpose(1, 2)
        return each if norm is None else norm(each)

    query, key, value = (
        torch.cat([heads(of_cells(x), norm), heads(of_texts(texts), text_norm)], dim=2)
        for of_cells, norm, of_texts, text_norm in (
            (attn.to_q, attn.norm_q, attn.add_q_proj, attn.norm_added_q),
            (attn.to_k, attn.norm_k, attn.add_k_proj, attn.norm_added_k),
            (attn.to_v, None, attn.add_v_proj, None),
        )
    )
    seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    seen = seen.transpose(1, 2).flatten(2)
    cells, told = seen[:, : x.shape[1]], seen[:, x.shape[1] :]
    told = told if attn.context_pre_only else attn.to_add_out(told)
    return attn.to_out[1](attn.to_out[0](cells)), told


class Described:
    """Stands for a transformer that is not here: the pipeline asks its config how wide T5 is."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = SimpleNamespace(**config)


class StableDiffusion3(TransformerBackbone):
    """diffusers' pipeline reads the prompts, without T5 where the model has none."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.patch = self._config["patch_size"]
        self.multiple = self.factor * self.patch

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        texts = [part for pair in zip(encoders, tokenizers, strict=True) for part in pair]
        pipeline = StableDiffusion3Pipeline(Described(self._config), None, None, *texts)
        tokens, _, pooled, _ = pipeline.encode_prompt(
            [prompt],
            None,
            None,
            device=self.device,
            do_classifier_free_guidance=False,
            max_sequence_length=MAX_TOKENS,
        )
        return {"tokens": tokens.float(), "pooled": pooled.float()}

    def make_ready(self, network: Any) -> None:
        network.set_attn_processor(JointProcessor())

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        dtype, told = self._transformer.dtype, rows.conditioning
        [output] = self._transformer(
            hidden_states=rows.x.to(dtype),
            timestep=rows.timesteps,
            encoder_hidden_states=tokens.to(dtype),
            pooled_projections=told["pooled"].to(dtype),
            joint_attention_kwargs=None
            if texts is None
            else {"bias": texts.bias(dtype, texts_first=False)},
            return_dict=False,
        )
        velocity: Tensor = output.float()
        return velocity
