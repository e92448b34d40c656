"""Shows the denoiser where its words are: cross-attention that is told which part belongs where.

The last states of a prompt tell what the parts of its first thing look like (see `text`). Of the
object that the painter has painted it is known which part lies where. So each head of the
cross-attention at half the latent resolution has a cell of its 2 x 2 to attend to the parts of.
Attention that is told where to look is that of TokenCompose (arXiv 2312.03626); it is a matter of
training alone, the trained network is the same without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from smd_cli.starter.text import PARTS

CELLS = 2
"""A query of the attention stands for so many cells across, and has a head for each of them."""


class Pointing:
    """An attention processor of diffusers that keeps its log probabilities, (N * heads, Q, L)."""

    def __init__(self) -> None:
        self.kept: Tensor | None = None

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor, **_: object
    ) -> Tensor:
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        value = attn.head_to_batch_dim(attn.to_v(encoder_hidden_states))
        scores = torch.baddbmm(
            query.new_empty(()), query, key.transpose(1, 2), beta=0, alpha=attn.scale
        )
        self.kept = scores.float().log_softmax(2)
        mixed = attn.batch_to_head_dim(self.kept.exp().to(value.dtype) @ value)
        made: Tensor = attn.to_out[0](mixed)
        return made


@contextmanager
def pointing(unet: Any) -> Iterator[list[Pointing]]:
    """Lets the cross-attentions on the way up, at half the latent resolution, keep what they do."""
    blocks = [b for t in unet.up_blocks[1].attentions for b in t.transformer_blocks]
    usual = [block.attn2.processor for block in blocks]
    kept = [Pointing() for _ in blocks]
    for block, processor in zip(blocks, kept, strict=True):
        block.attn2.set_processor(processor)
    try:
        yield kept
    finally:
        for block, processor in zip(blocks, usual, strict=True):
            block.attn2.set_processor(processor)


def parts_wanted(boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Which parts each cell should look at: (N, 4, Q, PARTS^2), and which cells should, (N, 4, Q).

    `boxes` (N, 3) are the objects' top, left and side in cells, the side 0 where there is none;
    `side` is the canvas's, in cells. Between the middles of parts the weights are bilinear.
    """
    at = torch.arange(side, device=boxes.device) + 0.5
    weights, inside = [], []
    for axis in (0, 1):
        share = (at - boxes[:, axis, None]) / boxes[:, 2, None].clamp_min(1)
        inside.append((share > 0) & (share < 1))
        place = (share * PARTS - 0.5).clamp(0, PARTS - 1)
        parts = torch.arange(PARTS, device=boxes.device)
        weights.append((1 - (place[..., None] - parts).abs()).clamp_min(0))
    both = torch.einsum("nyp,nxq->nyxpq", *weights).flatten(3)
    within = inside[0][:, :, None] & inside[1][:, None] & (boxes[:, 2] > 0)[:, None, None]
    half, heads = side // CELLS, CELLS * CELLS
    wanted = both.reshape(-1, half, CELLS, half, CELLS, PARTS * PARTS).permute(0, 2, 4, 1, 3, 5)
    asked = within.reshape(-1, half, CELLS, half, CELLS).permute(0, 2, 4, 1, 3)
    return (
        wanted.reshape(-1, heads, half * half, PARTS * PARTS),
        asked.reshape(-1, heads, half * half),
    )


def pointing_loss(kept: list[Pointing], boxes: Tensor, side: int) -> Tensor:
    """Cross entropy (nats) of where the kept attentions looked in their last call."""
    wanted, asked = parts_wanted(boxes, side)
    losses = []
    for attention in kept:
        if attention.kept is None:
            raise ValueError("the denoiser has not been called")
        looked = attention.kept.reshape(*wanted.shape[:3], -1)[..., -PARTS * PARTS :]
        missed = -(wanted * looked).sum(3)
        losses.append((missed * asked).sum() / asked.sum().clamp_min(1))
    return torch.stack(losses).mean()
