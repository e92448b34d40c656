"""How the layers lie on each other, and what of it is hardly meant.

One way through the layers, from the last to the first, that remembers only what lies on top: the
work grows with what is painted, not with the square of the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from smd_cli.engine.layers import SlotCounter, pad_patch, slot_counter
from smd_cli.engine.masks import Array, Patch, Pile, cover_lower, cut_out
from smd_cli.engine.schedule import StepTable
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Brush, Sampler

Box = tuple[int, int, int, int]
Cause = Literal["alpha", "cover", "blur", "weak", "small"]

SMALL_CELLS = 4  # a brush smaller than this many latent cells is warned about
_HIDDEN_SHARE = 0.9  # of a brush's paint, under later brushes
_COVERED_SHARE = 0.85  # likewise: what shows of the brush is too little to be meant
_LATE_SHARE = 0.5  # of all slots: a brush that acts in fewer comes too late to paint its thing
_PAPER_SHARE, _FULL_SHARE = 0.6, 0.9  # of the canvas, painted with all corners or but for one
_SCALING = 0.02  # a few levels of 255, which scaling an image may cost


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


class _Owners:
    """Whose paint is the largest at every pixel of a canvas (H, W), by the brushes' numbers."""

    def __init__(self, canvas: tuple[int, int]) -> None:
        self._numbers: npt.NDArray[np.int16] = np.zeros(canvas, dtype=np.int16)
        self._labels: dict[int, str] = {}

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the canvas."""
        return self._numbers.shape

    def over(self, patch: Patch) -> tuple[str, ...]:
        """The labels of those over a patch, the one that holds most of it first."""
        numbers = self._numbers[patch.window][patch.paint > 0]
        found, counts = np.unique(numbers[numbers > 0], return_counts=True)
        return tuple(self._labels[int(found[i])] for i in np.argsort(-counts, kind="stable"))

    def add(self, brush: Brush, patch: Patch, top: Array) -> None:
        """Lay a brush below: it owns where it paints more than all on `top` of it."""
        self._numbers[patch.window][patch.paint > top] = brush.number
        self._labels[brush.number] = brush.label


def see_layers(painted: PaintedScene, sampler: Sampler, table: StepTable, factor: int) -> Layers:
    """Follow every brush's paint to the slots in which it acts."""
    counter = slot_counter(painted.brushes, painted.size, sampler, table, factor)
    patches = [cut_out(p.paint) for p in painted.brushes]
    padded = [pad_patch(patch, painted.size, factor) for patch in patches]
    published = sampler.preset == "paper"
    left = cover_lower(padded, counter.canvas, sampler.cover, published=published)
    canvas = (painted.size[1], painted.size[0])
    pile, owners = Pile(canvas), _Owners(canvas)
    found = []
    for layer, patch, bare, covered in zip(
        reversed(painted.brushes), reversed(patches), reversed(padded), left, strict=True
    ):
        brush, top = layer.brush, pile.over(patch)
        acting = _Acting.of(brush, covered, counter)
        cause = acting.cause(bare) if acting.late and patch.paint.size else None
        found.append(_layer(brush, patch, top, owners, acting.slots, cause))
        owners.add(brush, patch, top)
        pile.add(patch.paint, patch.window)
    uncovered = 1 - float(pile.top.mean(dtype="float64"))
    return Layers(tuple(reversed(found)), uncovered)


def _layer(
    brush: Brush, patch: Patch, top: Array, owners: _Owners, slots: int, held: Cause | None
) -> Layer:
    """A layer with the largest paint on `top` of it, which the `owners` painted."""
    paint = patch.paint
    covered = float((paint * top).sum() / paint.sum()) if paint.size else 0.0
    return Layer(
        brush=brush,
        area_px=float(paint.sum(dtype="float64")),
        peak=float(paint.max(initial=0)),
        box=_box(patch),
        slots=slots,
        held=held,
        covered=covered,
        by=owners.over(patch) if covered > _COVERED_SHARE else (),
        hidden=covered >= _HIDDEN_SHARE and not (paint > top + _SCALING).any(),
        around=_around(paint, owners.canvas),
    )


def _box(patch: Patch) -> Box | None:
    """Left, top, width and height of a patch."""
    rows, columns = patch.window
    height, width = patch.paint.shape
    return (columns.start, rows.start, width, height) if patch.paint.size else None


def _around(paint: Array, canvas: tuple[int, int]) -> bool:
    """Whether paint holds the corners of a canvas (H, W) and most of it, but not all.

    A sky or a ground leaves two corners bare; what leaves nothing bare is meant to be everywhere.
    """
    if paint.shape != canvas:
        return False
    solid = paint >= paint.max() / 2
    corners = int(solid[:: canvas[0] - 1, :: canvas[1] - 1].sum())
    least = {4: _PAPER_SHARE, 3: _FULL_SHARE}.get(corners, 1.0)
    return least < float(solid.mean()) < 1


@dataclass(frozen=True)
class _Acting:
    """In which slots a brush acts of which `covered` is left, and for how much of the time.

    `share`: its largest weights over all slots, 0..1 on average. Faint paint has a weight in the
    last slots alone, and less than 1 in the first of those.
    """

    brush: Brush
    covered: Patch
    counter: SlotCounter
    slots: int
    share: float

    @classmethod
    def of(cls, brush: Brush, covered: Patch, counter: SlotCounter) -> _Acting:
        weights = counter.weights(covered, brush.alpha, brush.blur_px)
        return cls(brush, covered, counter, int((weights > 0).sum()), float(weights.mean()))

    @property
    def late(self) -> bool:
        """Whether it comes too late to paint its thing."""
        return self.share < _LATE_SHARE

    def cause(self, bare: Patch) -> Cause:
        """What keeps it from more slots, `bare` being its paint as if nothing lay on top.

        Found by trying which change lets it act most.
        """
        brush, covered = self.brush, self.covered
        solid = Patch(covered.paint / max(bare.paint.max(), _SCALING), covered.window)
        trials: dict[Cause, tuple[Patch, float, float]] = {
            "alpha": (covered, 1.0, brush.blur_px),
            "weak": (solid, brush.alpha, brush.blur_px),
            "cover": (bare, brush.alpha, brush.blur_px),
            "blur": (covered, brush.alpha, 0.0),
        }
        shares = {cause: float(self.counter.weights(*t).mean()) for cause, t in trials.items()}
        best = max(shares, key=lambda cause: shares[cause])
        return best if shares[best] > self.share + _SCALING else "small"
