"""What brushes weigh in every slot: held in boxes around their paint, cut out for each window.

Plain NumPy like the masks. What is held grows with what is painted, not with brushes times canvas.
Letters as in `plan`; h', w' the sides of a box. All lengths are latent cells.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smd_cli.engine.masks import Array, background_weight
from smd_cli.engine.windows import (
    Box,
    Cells,
    Legal,
    Support,
    Window,
    places,
    support_key,
    windows_of,
)
from smd_cli.scene.kept import Kept
from smd_cli.scene.types import Wrapped


@dataclass(frozen=True, eq=False)
class Boxed:
    """The weights of one brush: `values` (T, h', w') in 0..1 at `box`, none around it."""

    values: Array
    box: Box

    @cached_property
    def keys(self) -> tuple[Hashable, ...]:
        """What tells where there is any weight in a slot, one for each of the T."""
        return tuple(support_key(own > 0, self.box) for own in self.values)


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of all brushes, in painter's order, on a `grid` of (h, w) cells."""

    grid: tuple[int, int]
    slots: int
    brushes: tuple[Boxed, ...]

    def __len__(self) -> int:
        return len(self.brushes)

    def cut(self, brush: int, slot: int, window: Window) -> Array:
        """What a brush weighs in the cells of a window (h, w)."""
        own = self.brushes[brush]
        found = np.zeros(window.shape, dtype=np.float32)
        rows, columns = (
            places(strip, side) - part.start
            for strip, side, part in zip(window.strips, self.grid, own.box, strict=True)
        )
        values = own.values[slot]
        down, across = (
            (at >= 0) & (at < length)
            for at, length in zip((rows, columns), values.shape, strict=True)
        )
        found[np.ix_(down, across)] = values[np.ix_(rows[down], columns[across])]
        return found

    def support(self, brush: int, slot: int) -> Support:
        """Where a brush has any weight in a slot."""
        own = self.brushes[brush]
        return Support(own.values[slot] > 0, own.box, self.grid)

    def painted(self, slot: int) -> Cells:
        """Where any brush has weight in a slot, (h, w)."""
        found = np.zeros(self.grid, dtype=np.bool_)
        for own in self.brushes:
            found[own.box] |= own.values[slot] > 0
        return found

    def below(self, bare: Cells | None = None) -> Weights:
        """The same under a painted background, which becomes brush 0.

        `bare` (h, w): the cells without any paint, for the published rule; see
        `masks.background_weight`.
        """
        total = np.zeros((self.slots, *self.grid), dtype=np.float32)
        for own in self.brushes:
            total[:, own.box[0], own.box[1]] += own.values
        box = (slice(0, self.grid[0]), slice(0, self.grid[1]))
        left = Boxed(background_weight(total, bare), box)
        return Weights(self.grid, self.slots, (left, *self.brushes))

    def dense(self) -> Array:
        """All of them, (P, T, h, w)."""
        found = np.zeros((len(self), self.slots, *self.grid), dtype=np.float32)
        for whole, own in zip(found, self.brushes, strict=True):
            whole[:, own.box[0], own.box[1]] = own.values
        return found


def windows_of_slots(
    weights: Weights,
    legal: Legal | None,
    wraps: Wrapped,
    kept: Kept[tuple[Window, ...]],
    *,
    centred: int,
    returns: range = range(0),
    apart: int,
    repainters: Collection[int] = (),
) -> tuple[tuple[tuple[Window, ...], ...], ...]:
    """The windows of every slot and brush before slot `apart`, from where on brushes share rows.

    Brushes other than `repainters` are `centred` in the first so many slots. In the slots `returns`
    the background acts wherever others may give back to it. Those of equal support are worked out
    once.
    """

    def given_back(slot: int) -> Support:
        return Support(weights.painted(slot), weights.brushes[0].box, weights.grid)

    def windows(brush: int, slot: int) -> tuple[Window, ...]:
        if slot >= apart:
            return ()
        early = slot < centred and brush not in repainters
        whole = None if brush or slot not in returns else given_back(slot)
        where = weights.brushes[brush].keys[slot] if whole is None else whole.key

        def made() -> tuple[Window, ...]:
            own = whole or weights.support(brush, slot)
            return windows_of(own, legal, wraps, centred=early)

        return kept.of((where, weights.grid, legal, wraps, early), made)

    with kept.round():
        return tuple(
            tuple(windows(brush, slot) for brush in range(len(weights)))
            for slot in range(weights.slots)
        )
