"""How the layers lie on each other, and what of it is hardly meant.

One way through the layers, from the last to the first, that remembers only what lies on top: the
work grows with what is painted, not with the square of the layers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.engine.layers import Cover, Laid, Pile, SoftMasks, downwards, largest_weights
from smd_cli.engine.masks import Array
from smd_cli.engine.repaint import first_slot, phases
from smd_cli.engine.schedule import StepTable
from smd_cli.engine.softening import Rules
from smd_cli.scene.paint.boxes import FULL, Levels, Paint, Tile, full_window, unrepeated
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import PaintedScene
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
_BYTES = 256
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
    with kept.laid.round(), kept.peaks.round(), kept.covers.round():
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
                owners.add(laid.painted.paint)
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
    """Whose paint is the largest, at every so many pixels of a canvas: enough to say a name.

    Paint is laid from the top down, and looked at when somebody asks what lies over other.
    """

    def __init__(self, size: Size) -> None:
        self._step = math.ceil(max(size) / _LOOKED_AT)
        grid = [math.ceil(side / self._step) for side in reversed(size)]
        self._owners: npt.NDArray[np.int16] = np.zeros(grid, dtype=np.int16)
        self._top: Levels = np.zeros(grid, dtype=np.uint8)
        self._laid: list[Paint] = []
        self._looked_at = 0

    def add(self, paint: Paint) -> None:
        """Lay the next below: it owns where it is more than all on top of it."""
        self._laid.append(paint)

    def over(self, paint: Paint) -> tuple[Paint, ...]:
        """What lies over a mask: that which holds most of it first."""
        self._look()
        counts = np.zeros(len(self._laid) + 1, dtype=np.int64)
        for at, levels in self._seen(paint):
            counts += _numbers(self._owners[at] * (levels > 0), len(counts))
        found = [n for n in range(len(self._laid), 0, -1) if counts[n]]  # of equals the lowest
        return tuple(self._laid[n - 1] for n in sorted(found, key=lambda n: -counts[n]))

    def _look(self) -> None:
        for number, paint in enumerate(self._laid[self._looked_at :], self._looked_at + 1):
            for at, levels in self._seen(paint):
                top, owners = self._top[at], self._owners[at]
                np.maximum(owners, (levels > top) * np.int16(number), out=owners)
                np.maximum(top, levels, out=top)
        self._looked_at = len(self._laid)

    def _seen(self, paint: Paint) -> Iterator[Tile]:
        """The places that are looked at in a mask's tiles, and its levels there."""
        for sides, levels in paint.placed:
            down, right = (-side.start % self._step for side in sides)
            inner = levels[down :: self._step, right :: self._step]
            rows, columns = (
                slice(-(-side.start // self._step), -(-side.stop // self._step)) for side in sides
            )
            yield (rows, columns), inner


def _numbers(found: npt.NDArray[np.int16], below: int) -> npt.NDArray[np.int64]:
    """How often each number below a limit is found. Pillow is quick at counting bytes."""
    if below > _BYTES:
        return np.bincount(found.ravel(), minlength=below)
    return np.asarray(Image.fromarray(found.astype(np.uint8)).histogram()[:below])


def _layer(laid: Laid, weights: _Weights, owners: _Owners) -> Layer:
    """A layer as it lies when it starts; its slots are still to be counted."""
    brush, paint = laid.painted.brush, laid.painted.paint
    starts = bool(paint.tiles) and weights.first < weights.table.slots
    late = starts and weights.mean(laid.soft().peak, brush.alpha) < _LATE_SHARE
    cover = laid.kept.covers.of(_key(laid), lambda: _cover(laid, owners))
    return Layer(
        brush=brush,
        area_px=paint.sum / FULL,
        peak=paint.peak / FULL,
        box=box_of(paint),
        slots=0,
        held=_cause(laid, weights) if late else None,
        covered=cover.share,
        by=tuple(_label(laid, paint) for paint in cover.by),
        hidden=cover.share >= _HIDDEN_SHARE and not cover.shows,
        around=_around(paint),
    )


def _label(laid: Laid, over: Paint) -> str:
    """Who paints what lies over a layer; of several the topmost, under which the others are."""
    return next(other.brush.label for other in laid.over if other.paint is over)


def _key(laid: Laid) -> Hashable:
    """What tells how a layer lies under others."""
    return laid.painted.paint, tuple(other.paint for other in laid.over)


def _cover(laid: Laid, owners: _Owners) -> Cover:
    """How a layer lies under those that meet it."""
    paint = laid.painted.paint
    if not (paint.tiles and laid.over):
        return Cover(0.0, bool(paint.tiles), ())
    share = _shared(paint, laid.pile.top) / (FULL * paint.sum)
    return Cover(
        share=share,
        shows=share < _HIDDEN_SHARE or _shows(paint, laid.pile.top),
        by=owners.over(paint) if share > _COVERED_SHARE else (),
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
