"""Shows the denoiser where its words are: it is told where an object is, and which part is where.

The last states of a prompt tell what the parts of its first thing look like (see `text`). Of the
object that the painter has painted it is known which part lies where. So in the cross-attention at
the latents' own resolution every cell is told which parts to attend to, and at half of it each head
is, for one of the 2 x 2 cells.
Attention that is told where to look is that of TokenCompose (arXiv 2312.03626). And for cells to
know which part they are, the levels below are asked where in the object they lie. Both are a matter
of training alone; the trained network is the same without them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smd_cli.starter.text import PARTS


class Attending:
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
def attending(unet: Any) -> Iterator[list[Attending]]:
    """Lets one cross-attention of each block on the way up, at half the latent resolution and at
    its own, keep what it does."""
    half, whole = (
        [block for part in up.attentions for block in part.transformer_blocks]
        for up in unet.up_blocks[1:]
    )
    pointed = [block.attn2 for block in half] + [block.attn1 for block in whole]
    usual = [attention.processor for attention in pointed]
    kept = [Attending() for _ in pointed]
    for attention, processor in zip(pointed, kept, strict=True):
        attention.set_processor(processor)
    try:
        yield kept
    finally:
        for attention, processor in zip(pointed, usual, strict=True):
            attention.set_processor(processor)


def parts_wanted(boxes: Tensor, side: int, across: int) -> tuple[Tensor, Tensor]:
    """Which parts each cell should look at: (N, K, Q, PARTS^2), and which cells should, (N, K, Q).

    `boxes` (N, 3) are the objects' top, left and side in cells, the side 0 where there is none;
    `side` is the canvas's, in cells. A query stands for a square of K cells, `across` on a side.
    Between the middles of parts the weights are bilinear.
    """
    places, within = places_in(boxes, side)
    parts = torch.arange(PARTS, device=boxes.device)
    place = ((places + 0.5) * PARTS - 0.5).clamp(0, PARTS - 1)
    down, right = (1 - (place[..., None] - parts).abs()).clamp_min(0).unbind(1)
    both = torch.einsum("nyxp,nyxq->nyxpq", down, right)
    queries, each = side // across, across * across
    wanted = both.reshape(-1, queries, across, queries, across, PARTS * PARTS)
    asked = within.bool().reshape(-1, queries, across, queries, across)
    return (
        wanted.permute(0, 2, 4, 1, 3, 5).reshape(-1, each, queries * queries, PARTS * PARTS),
        asked.permute(0, 2, 4, 1, 3).reshape(-1, each, queries * queries),
    )


def attention_loss(kept: list[Attending], boxes: Tensor, side: int) -> Tensor:
    """Cross entropy (nats) of where the kept attentions looked in their last call.

    Heads share the cells of a query; where it is one cell, all look for it.
    """
    losses, told = [], {across: parts_wanted(boxes, side, across) for across in (1, 2)}
    for attention in kept:
        if attention.kept is None:
            raise ValueError("the denoiser has not been called")
        looked = attention.kept.reshape(len(boxes), -1, *attention.kept.shape[1:])[
            ..., -PARTS * PARTS :
        ]
        wanted, asked = told[side // round(looked.shape[2] ** 0.5)]
        missed = -(wanted * looked).sum(3) * asked
        losses.append(missed.sum() / (asked.sum() * looked.shape[1] / asked.shape[1]).clamp_min(1))
    return torch.stack(losses).mean()


class Placing(nn.Module):
    """Linear readings of the denoiser's lower levels: where in its object does a cell lie?"""

    def __init__(self, channels: int) -> None:
        """`channels` is the width of the lower levels."""
        super().__init__()
        self.readings = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, channels), nn.Conv2d(channels, 2, 1)) for _ in range(3)
        )

    @contextmanager
    def listening(self, unet: Any) -> Iterator[list[Tensor]]:
        """Keeps what the middle and the first blocks on the way up put out, (N, C, h, w) each."""
        kept: list[Tensor] = []
        blocks = (unet.mid_block, *unet.up_blocks[:2])
        hooks = [b.register_forward_hook(lambda *made: kept.append(made[-1])) for b in blocks]
        try:
            yield kept
        finally:
            for hook in hooks:
                hook.remove()

    def loss(self, kept: list[Tensor], boxes: Tensor, side: int) -> Tensor:
        """How wrong the readings are: 1 where they know nothing, 0 where all is known.

        `boxes` and `side` are those of `attention_loss`.
        """
        places, within = places_in(boxes, side)
        losses = []
        for reading, features in zip(self.readings, kept, strict=True):
            across = side // features.shape[-1]
            share = F.avg_pool2d(within, across)
            place = F.avg_pool2d(places * within, across) / share.clamp_min(1e-6)
            error = (reading(features.float()) - place).square() * share
            losses.append(6 * error.sum() / share.sum().clamp_min(1))
        return torch.stack(losses).mean()


def places_in(boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Where in their objects the cells of canvases lie, (N, 2, side, side), from -0.5 to 0.5 down
    and across; and 1 in the cells of the objects, (N, 1, side, side), 0 in others."""
    at = torch.arange(side, device=boxes.device) + 0.5
    down, across = ((at - boxes[:, n, None]) / boxes[:, 2, None].clamp_min(1) - 0.5 for n in (0, 1))
    places = torch.stack(
        [down[:, :, None].expand(-1, -1, side), across[:, None].expand(-1, side, -1)], 1
    )
    within = (places.abs() < 0.5).all(1, keepdim=True) & (boxes[:, 2] > 0)[:, None, None, None]
    return places, within.float()
