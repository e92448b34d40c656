"""How the layers lie on each other, and what of it is hardly meant.

One way through the layers, from the last to the first, that remembers only what lies on top: the
work grows with what is painted, not with the square of the layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from smd_cli.engine.layers import Laid, Pile, SoftMasks, downwards, largest_weights
from smd_cli.engine.masks import Array
from smd_cli.engine.repaint import first_slot, phases
from smd_cli.engine.schedule import StepTable
from smd_cli.engine.softening import Rules
from smd_cli.scene.paint.boxes import FULL, Levels, Paint, Window, full_window, unrepeated
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.types import Brush, Scene

Box = tuple[int, int, int, int]
Cause = Literal["alpha", "cover", "blur", "weak", "small"]

SMALL_CELLS = 4  # a brush smaller than this many latent cells is warned about
_HIDDEN_SHARE = 0.9  # of a brush's paint, under later brushes
_COVERED_SHARE = 0.85  # likewise: what shows of the brush is too little to be meant
_LATE_SHARE = 0.5  # of its slots: a brush that acts in fewer comes too late to paint its thing
_PAPER_SHARE, _FULL_SHARE = 0.6, 0.9  # of the canvas, painted with all corners or but for one
_NEAR = 5  # levels of 255 by which scaled masks of one outline may differ
_LOOKED_AT = 1024  # places along the longer side where it is asked whose paint is on top
_MORE = 0.02  # of all slots: what a change must let a brush act more, to count


@dataclass(frozen=True)
class Layer:
    """One brush on the canvas: `area_px` is all its paint, `peak` its strongest (0..1), `box`
    (x, y, w, h) in px lies around all of it (None where there is none).

    `slots`: in how many it has any weight; where it acts late, `held` says what holds it back.
    `covered`: the share of its paint, 0..1, under later brushes, and `by` the labels of those, the
    largest first, where that is nearly all. `hidden`: it lies under them everywhere, and they are
    nearly opaque. `around`: its paint goes around what is bare, as white paper around a drawing.
    """

    brush: Brush
    area_px: float
    peak: float
    box: Box | None
    slots: int
    held: Cause | None
    covered: float
    by: tuple[str, ...]
    hidden: bool
    around: bool


@dataclass(frozen=True)
class Layers:
    """All layers in painter's order; `uncovered`: the share of the canvas, 0..1, under none."""

    layers: tuple[Layer, ...]
    uncovered: float


def see_layers(
    painted: PaintedScene,
    scene: Scene,
    table: StepTable,
    rules: Rules,
    kept: SoftMasks,
) -> Layers:
    """Follow every brush's paint to the slots in which it acts; `kept` spares doing so again."""
    pile = Pile(painted.size)
    firsts = [first_slot(each.brush.repaint, table) for each in painted.brushes]
    found: dict[int, Layer] = {}
    with kept.laid.round(), kept.peaks.round():
        for slots in phases(firsts, table.slots):
            pile, owners = Pile(painted.size), _Owners(painted.size)
            acting = [n for n, first in enumerate(firsts) if first <= slots.start]
            under = downwards([painted.brushes[n] for n in acting], pile, rules, kept)
            for n, laid in zip(reversed(acting), under, strict=True):
                weights = _Weights(table, scene.sampler.mask_type, rules, firsts[n])
                if n not in found:
                    found[n] = _layer(laid, weights, owners)
                more = weights.acting(laid, slots)
                found[n] = replace(found[n], slots=found[n].slots + more)
                owners.add(laid.painted)
    return Layers(tuple(found[n] for n in range(len(firsts))), 1 - pile.share)


@dataclass(frozen=True)
class _Weights:
    """The weights of a brush that may act from slot `first` on."""

    table: StepTable
    mask_type: str
    rules: Rules
    first: int

    def mean(self, peak: np.float32, alpha: float) -> float:
        """The mean weight of its slots, at the peak of its mask."""
        return float(self._largest(peak, alpha)[self.first :].mean())

    def acting(self, laid: Laid, slots: range) -> int:
        """In how many of some slots it has any weight."""
        largest = self._largest(laid.soft().peak, laid.painted.brush.alpha)
        return int((largest[slots.start : slots.stop] > 0).sum())

    def _largest(self, peak: np.float32, alpha: float) -> Array:
        return largest_weights(peak, alpha, self.table, self.mask_type, self.rules)


class _Owners:
    """Whose paint is the largest, at every so many pixels of a canvas: enough to say a name."""

    def __init__(self, size: Size) -> None:
        self._step = math.ceil(max(size) / _LOOKED_AT)
        self._grid = tuple(math.ceil(side / self._step) for side in reversed(size))
        self._numbers: npt.NDArray[np.int16] = np.zeros(self._grid, dtype=np.int16)
        self._top: Levels = np.zeros(self._grid, dtype=np.uint8)
        self._labels: dict[int, str] = {}

    def over(self, paint: Paint) -> tuple[str, ...]:
        """The labels of those over a mask, the one that holds most of it first."""
        box, levels = self._seen(paint)
        counts = np.bincount(self._numbers[box][levels > 0])
        counts[:1] = 0  # nobody's
        ranked = np.argsort(-counts, kind="stable")
        return tuple(self._labels[int(number)] for number in ranked if counts[number])

    def add(self, painted: Painted) -> None:
        """Lay a brush below: it owns where it paints more than all on top of it."""
        box, levels = self._seen(painted.paint)
        top, number = self._top[box], painted.brush.number
        np.copyto(self._numbers[box], np.int16(number), where=levels > top)
        np.maximum(top, levels, out=top)
        self._labels[number] = painted.brush.label

    def _seen(self, paint: Paint) -> tuple[Window, Levels]:
        """The places that are looked at in a mask's box, and its levels there."""
        rows, columns = (
            slice(side.start // self._step, -(-side.stop // self._step)) for side in paint.window
        )
        levels = paint.cells(self._step, (self._grid[0], self._grid[1]))
        return (rows, columns), levels[rows, columns]


def _layer(laid: Laid, weights: _Weights, owners: _Owners) -> Layer:
    """A layer as it lies when it starts; its slots are still to be counted."""
    brush, paint = laid.painted.brush, laid.painted.paint
    starts = bool(paint.tiles) and weights.first < weights.table.slots
    late = starts and weights.mean(laid.soft().peak, brush.alpha) < _LATE_SHARE
    covered = _shared(paint, laid.pile.top) / (FULL * paint.sum) if paint.tiles else 0.0
    return Layer(
        brush=brush,
        area_px=paint.sum / FULL,
        peak=paint.peak / FULL,
        box=box_of(paint),
        slots=0,
        held=_cause(laid, weights) if late else None,
        covered=covered,
        by=owners.over(paint) if covered > _COVERED_SHARE else (),
        hidden=covered >= _HIDDEN_SHARE and not _shows(paint, laid.pile.top),
        around=_around(paint),
    )


def box_of(paint: Paint) -> Box | None:
    """Left, top, width and height of all paint."""
    rows, columns = paint.window
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return (columns.start, rows.start, width, height) if paint.tiles else None


def _shared(paint: Paint, top: Levels) -> int:
    """The sum of all products of paint's levels and those on `top` of it (H, W)."""
    total = 0
    for at, levels in paint.placed:
        core = unrepeated(levels)
        if core.size == 1:
            total += int(core[0, 0]) * int(top[at].sum(dtype=np.uint64))
        else:
            total += int((levels * top[at].astype(np.uint16)).sum(dtype=np.uint64))
    return total


def _shows(paint: Paint, top: Levels) -> bool:
    """Whether paint is stronger anywhere than what is on `top` of it (H, W)."""
    limit = FULL - _NEAR
    return any(
        bool((unrepeated(levels) > np.minimum(top[at], limit) + np.uint8(_NEAR)).any())
        for at, levels in paint.placed
    )


def _around(paint: Paint) -> bool:
    """Whether paint holds the corners of its canvas and most of it, but not all.

    A sky or a ground leaves two corners bare; what leaves nothing bare is meant to be everywhere.
    """
    width, height = paint.size
    if paint.window != full_window(paint.size):
        return False
    half = (paint.peak + 1) // 2
    at = [(y, x) for y in (0, height - 1) for x in (0, width - 1)]
    corners = sum(int(paint.read((slice(y, y + 1), slice(x, x + 1)))[0, 0]) >= half for y, x in at)
    least = {4: _PAPER_SHARE, 3: _FULL_SHARE}.get(corners, 1.0)
    if least == 1.0:
        return False
    solid = sum(
        int((unrepeated(levels) >= half).sum()) * (levels.size // unrepeated(levels).size)
        for _, levels in paint.placed
    )
    return least < solid / (width * height) < 1


def _cause(laid: Laid, weights: _Weights) -> Cause:
    """What keeps a brush from more slots. Found by trying which change lets it act most."""
    alpha, peak = laid.painted.brush.alpha, laid.soft().peak
    trials: dict[Cause, tuple[np.float32, float]] = {
        "alpha": (peak, 1.0),
        "weak": (np.float32(peak * FULL / laid.painted.paint.peak), alpha),
        "cover": (laid.uncovered_peak(), alpha),
        "blur": (laid.sharp_peak(), alpha),
    }
    shares = {cause: weights.mean(*trial) for cause, trial in trials.items()}
    best = max(shares, key=lambda cause: shares[cause])
    usual = weights.mean(peak, alpha)
    return best if shares[best] > usual + _MORE else "small"
