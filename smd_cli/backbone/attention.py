"""Attention to the prompts of several brushes in one row, each where it paints.

Regional prompts in the cross-attention of a UNet: out = Σ_p m_p ⊙ softmax(Q·K_pᵀ/√d)·V_p, with
the brushes' weights m_p scaled to the attention's grid and normalised over the brushes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from smd_cli.engine.contract import Conditioning


@dataclass(frozen=True, eq=False)
class Blend:
    """What P prompts say to each of R rows.

    `tokens` (R, P, L, D); `mask` (R·P, 1, 1, L), false where these only fill up, None where all
    say something; `shares`, by the number of queries N: how much of each prompt they take, in 0..1
    (R, P, N, 1), 1 in sum over P. `mean` (R, L, D) are the tokens by the prompts' areas.
    """

    tokens: Tensor
    mask: Tensor | None
    shares: Mapping[int, Tensor]
    mean: Tensor

    @staticmethod
    def of(told: Conditioning, levels: int, dtype: torch.dtype) -> Blend:
        """That of blended rows, for a network whose sides are halved levels - 1 times."""
        weights, mask = told["shares"], told.get("mask")
        areas = _normalised(weights.mean(dim=(2, 3), keepdim=True), weights.new_ones(()))
        return Blend(
            tokens=told["tokens"].to(dtype),
            mask=None if mask is None else mask.flatten(0, 1)[:, None, None],
            shares={s.shape[2]: s.to(dtype) for s in shares_of(weights, areas, levels)},
            mean=(told["tokens"] * areas).sum(dim=1).to(dtype),
        )


def shares_of(weights: Tensor, otherwise: Tensor, levels: int) -> list[Tensor]:
    """Weights (R, P, h, w) as shares (R, P, N, 1) on each level, N = h·w and then ever fewer.

    Sides are halved rounding up, as by a convolution of stride 2, and cells averaged. Where no
    brush has weight the shares are `otherwise` (R, P, 1, 1).
    """
    found = []
    for level in range(levels):
        weights = F.avg_pool2d(weights, 2, ceil_mode=True) if level else weights
        found.append(_normalised(weights, otherwise).flatten(2)[..., None])
    return found


def _normalised(weights: Tensor, otherwise: Tensor) -> Tensor:
    """Weights (R, P, h, w) over their sum over P, and `otherwise` where that is 0."""
    total = weights.sum(dim=1, keepdim=True)
    return torch.where(total > 0, weights / total.clamp_min(1e-30), otherwise)


class BlendingProcessor(AttnProcessor2_0):  # type: ignore[misc]
    """diffusers' own attention; where it attends to a prompt and is told a blend, to all of that.

    It is told by `cross_attention_kwargs` of diffusers.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        blend: Blend | None = None,
    ) -> Tensor:
        if blend is not None and encoder_hidden_states is not None:
            return blended_attention(attn, hidden_states, blend)
        given = hidden_states, encoder_hidden_states, attention_mask, temb
        return cast(Tensor, super().__call__(attn, *given))


def blended_attention(attn: Any, x: Tensor, blend: Blend) -> Tensor:
    """diffusers' attention `attn` of x (R, N, C) to the prompts of a blend: (R, N, C)."""
    prompts = blend.tokens.shape[1]
    query, key, value = (
        made.unflatten(-1, (attn.heads, -1)).transpose(-3, -2)
        for made in (attn.to_q(x), attn.to_k(blend.tokens), attn.to_v(blend.tokens))
    )
    query = query[:, None].expand(-1, prompts, -1, -1, -1)
    seen = F.scaled_dot_product_attention(
        query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), attn_mask=blend.mask
    )
    each = seen.reshape(len(x), prompts, *seen.shape[1:]).transpose(2, 3).flatten(3)
    out = (each * blend.shares[x.shape[1]]).sum(dim=1)
    return cast(Tensor, attn.to_out[1](attn.to_out[0](out)))


def can_blend(unet: Any) -> bool:
    """Whether all attention to prompts in a UNet is as plain as `blended_attention` takes it."""
    attentions = (module for module in unet.modules() if isinstance(module, Attention))
    return unet.encoder_hid_proj is None and all(
        _is_plain(attention) for attention in attentions if attention.is_cross_attention
    )


def _is_plain(attention: Any) -> bool:
    extras = ("group_norm", "spatial_norm", "norm_cross", "norm_q", "norm_k", "add_k_proj")
    return (
        isinstance(attention.processor, AttnProcessor2_0)
        and all(getattr(attention, name) is None for name in extras)
        and not attention.residual_connection
        and attention.rescale_output_factor == 1
    )
