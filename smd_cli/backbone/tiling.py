"""A picture or its latents gone through in tiles: memory for one tile, and no seam.

Every tile sees a margin around what it is for, and next to it the results fade into each other, as
in the tiled autoencoders of diffusers. Those begin a tile every so many cells, so that the last one
may be a sliver with statistics of its own, and know no canvas that goes on at its other end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from smd_cli.scene.types import Wrapped


@dataclass(frozen=True)
class Tiles:
    """How a network that turns a canvas into another one works in tiles. Lengths are latent cells.

    A tile is for `core` cells a side at most and sees `margin` more on each side, where there are
    any; from `fade` before its ends to `fade` beyond them it is mixed with the next one. Where the
    network sees no more than `margin - fade` around a cell, the result is that of the whole.
    """

    core: int
    margin: int
    fade: int

    def run(
        self, work: Callable[[Tensor], Tensor], x: Tensor, cell: tuple[int, int], wraps: Wrapped
    ) -> Tensor:
        """What `work` makes of x (N, C, H, W), float32, tile by tile.

        `cell`: so many elements one latent cell has a side before and after; `wraps` says which
        sides go on at their other end.
        """
        before, after = cell
        down, across = (
            self._spans(side // before, wrap)
            for side, wrap in zip(x.shape[-2:], wraps, strict=True)
        )
        room = [spans[0].room * after for spans in (down, across)]
        whole: Tensor | None = None
        for rows in down:
            part = x.index_select(-2, rows.seen(before, x.device))
            for columns in across:
                made = work(part.index_select(-1, columns.seen(before, x.device)))
                made = rows.kept(columns.kept(made, after).mT, after).mT
                if whole is None:
                    whole = made.new_zeros(*made.shape[:2], *room)
                whole[..., rows.at(after), columns.at(after)] += made
        assert whole is not None
        return across[0].folded(down[0].folded(whole.mT, after).mT, after)

    def _spans(self, side: int, wraps: bool) -> list[_Span]:
        count = math.ceil(side / self.core)
        edges = [side * n // count for n in range(count + 1)]
        fade = min(self.fade, side // count // 2)
        return [_Span(*pair, side, wraps, self.margin, fade) for pair in pairwise(edges)]


@dataclass(frozen=True)
class _Span:
    """One side of a tile: it is for the cells from `first` to before `last` of a `side`."""

    first: int
    last: int
    side: int
    wraps: bool
    margin: int
    fade: int

    @property
    def room(self) -> int:
        """The cells of the side, and `fade` on both ends."""
        return self.side + 2 * self.fade

    def _reach(self, more: int) -> tuple[int, int]:
        """From where to where it goes with so many cells more, if the canvas has them."""
        first, last = self.first - more, self.last + more
        return (first, last) if self.wraps else (max(first, 0), min(last, self.side))

    def seen(self, scale: int, device: torch.device) -> Tensor:
        """The indices of what it sees."""
        first, last = self._reach(self.margin)
        return torch.arange(first * scale, last * scale, device=device) % (self.side * scale)

    def at(self, scale: int) -> slice:
        """Where its result lies in the room."""
        first, last = self._reach(self.fade)
        return slice((first + self.fade) * scale, (last + self.fade) * scale)

    def kept(self, made: Tensor, scale: int) -> Tensor:
        """The part of its result (…, m, n) along the last side that counts, by how much it does."""
        (seen, _), (first, last) = self._reach(self.margin), self._reach(self.fade)
        made = made.narrow(-1, (first - seen) * scale, (last - first) * scale)
        ramp = 2 * self.fade * scale
        if not ramp:
            return made
        rise = (torch.arange(ramp, dtype=made.dtype, device=made.device) + 0.5) / ramp
        share = made.new_ones(made.shape[-1])
        if first < self.first:
            share[:ramp] *= rise
        if last > self.last:
            share[-ramp:] *= rise.flip(0)
        return made * share

    def folded(self, whole: Tensor, scale: int) -> Tensor:
        """The side alone of (…, m, n); of one that wraps, the ends of the room are laid over it."""
        fade, length = self.fade * scale, self.side * scale
        if fade and self.wraps:
            whole[..., length : length + fade] += whole[..., :fade]
            whole[..., fade : 2 * fade] += whole[..., length + fade :]
        return whole[..., fade : fade + length]
