"""A picture or its latents gone through in tiles: memory for one tile, and no seam.

Every tile sees a margin around what it is for, and next to it the results fade into each other, as
in the tiled autoencoders of diffusers. Those begin a tile every so many cells, so that the last one
may be a sliver with statistics of its own, and know no canvas that goes on at its other end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from smd_cli.engine.contract import Finish, as_it_is
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
        self,
        work: Callable[[Tensor], Tensor],
        x: Tensor,
        cell: tuple[int, int],
        wraps: Wrapped,
        finish: Finish = as_it_is,
    ) -> Tensor:
        """What `work` makes of x (N, C, H, W), float32, tile by tile; of that what `finish` makes.

        `cell`: so many elements one latent cell has a side before and after; `wraps` says which
        sides go on at their other end. Of all but what is finished no more is held than the tiles
        of one row.
        """
        before, after = cell
        down, across = (
            tuple(self._spans(side // before, wrap))
            for side, wrap in zip(x.shape[-2:], wraps, strict=True)
        )
        whole: Tensor | None = None
        for top, band in _bands(_Strips(work, x, cell, across), down, after):
            done = finish(across[0].folded(band, after))
            if whole is None:
                sides = [spans[0].side * after for spans in (down, across)]
                whole = done.new_empty(*done.shape[:-2], *sides)
            whole[..., top : top + done.shape[-2], :] = done
        assert whole is not None
        return whole

    def _spans(self, side: int, wraps: bool) -> list[_Span]:
        count = math.ceil(side / self.core)
        edges = [side * n // count for n in range(count + 1)]
        fade = min(self.fade, side // count // 2)
        return [_Span(*pair, side, wraps, self.margin, fade) for pair in pairwise(edges)]


@dataclass(frozen=True)
class _Strips:
    """What `work` makes of the tiles of a row; the rest as for `Tiles.run`."""

    work: Callable[[Tensor], Tensor]
    x: Tensor
    cell: tuple[int, int]
    across: Sequence[_Span]

    def made(self, rows: _Span, above: Tensor | None) -> Tensor:
        """The tiles of these rows, in room for all, on top of what those `above` left to them."""
        before, after = self.cell
        part = self.x.index_select(-2, rows.seen(before, self.x.device))
        strip: Tensor | None = None
        for columns in self.across:
            made = self.work(part.index_select(-1, columns.seen(before, part.device)))
            made = rows.kept(columns.kept(made, after).mT, after).mT
            if strip is None:
                strip = made.new_zeros(*made.shape[:-1], columns.room * after)
                if above is not None:
                    strip[..., : above.shape[-2], :] = above
            strip[..., columns.at(after)] += made
        assert strip is not None
        return strip


def _bands(strips: _Strips, down: Sequence[_Span], scale: int) -> Iterator[tuple[int, Tensor]]:
    """The finished rows of a canvas, each lot with the one that it begins at.

    The last 2 · fade rows of a strip go on in the next one; of a side that wraps its first ones are
    held until the last strip is there.
    """
    fade, above, ends = down[0].fade * scale, None, None
    for rows in down:
        strip, top = strips.made(rows, above), rows.top(scale)
        if top < 0:
            ends, strip, top = strip[..., : 2 * fade, :], strip[..., 2 * fade :, :], fade
        last = strip.shape[-2] - (fade if rows is down[-1] and ends is not None else 2 * fade)
        if rows is not down[-1]:
            above = strip[..., last:, :]
        elif ends is not None:
            strip[..., last - fade : last, :] += ends[..., :fade, :]
            yield 0, ends[..., fade:, :].add_(strip[..., last:, :])
        else:
            last = strip.shape[-2]
        yield top, strip[..., :last, :]


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

    def top(self, scale: int) -> int:
        """Where its result begins on the canvas, before it on a side that wraps."""
        return self._reach(self.fade)[0] * scale

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
