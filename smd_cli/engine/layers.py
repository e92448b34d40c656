"""From painted brushes to their weights, without torch: what `plan` and `smd check` share.

Layers are gone through from the last to the first, with what lies on top remembered: the work grows
with what is painted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from smd_cli.engine.masks import Array, blur_radius, quantise
from smd_cli.engine.schedule import StepTable
from smd_cli.engine.softening import Earlier, Patch, Rules, bare_peak, soften
from smd_cli.engine.weights import Boxed, Weights
from smd_cli.engine.windows import Window
from smd_cli.errors import UsageError
from smd_cli.scene.kept import Kept
from smd_cli.scene.paint import boxes
from smd_cli.scene.paint.boxes import FULL, Levels, Paint, cell_pixels
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import NOT_WRAPPED, Sampler, Wrapped


class SoftMasks:
    """What has been worked out of a scene's masks, by all that it depends on.

    `laid`: the masks as they lie; `peaks`: how strong they would be otherwise; `cuts`: the paint on
    the part of a picture that is generated; `covers`: how they lie under others; `boxed`: what they
    weigh; `windows`: what their rows see, `whole` where that is all of the canvas; `changes`: where
    two paints differ; `last`: every brush as it was, by number.
    """

    def __init__(self) -> None:
        self.cuts: Kept[Paint] = Kept()
        self.laid: Kept[Patch] = Kept()
        self.peaks: Kept[np.float32] = Kept()
        self.covers: Kept[Cover] = Kept()
        self.boxed: Kept[Boxed] = Kept()
        self.windows: Kept[tuple[Window, ...]] = Kept()
        self.whole: Kept[tuple[Window, ...]] = Kept()
        self.changes: Kept[boxes.Window] = Kept()
        self.last: dict[int, Softened] = {}


@dataclass(frozen=True)
class Cover:
    """How paint lies under other: `share` of it, 0..1, is under that, and it `shows` where it is
    stronger. `by`: what lies over it, the most first; nothing where that is little.
    """

    share: float
    shows: bool
    by: tuple[Paint, ...]


@dataclass(frozen=True, eq=False)
class Softened:
    """A soft mask and what it was made of: `over` is the paint that met it from above."""

    paint: Paint
    over: frozenset[Paint]
    std_px: float
    rules: Rules
    patch: Patch


def padded_size(size: Size, multiple: int) -> Size:
    """A canvas' (width, height) rounded up to what a model takes; its edge goes on there."""
    width, height = (side + -side % multiple for side in size)
    return width, height


def refuse_padding(model: str, size: Size, multiple: int, wraps: Wrapped) -> None:
    """Raise UsageError for a side that `wraps` and would be padded to what a model takes.

    `model`: what the user calls it.
    """
    for side, wrap, name in zip(reversed(size), wraps, ("height", "width"), strict=True):
        if wrap and side % multiple:
            low, high = side // multiple * multiple, side + -side % multiple
            raise UsageError(
                f"a {name} of {side} cannot wrap: the model {model} takes multiples of {multiple}",
                f"a {name} of {f'{low} or {high}' if low else high} can",
            )


def rules_of(
    painted: Sequence[Painted],
    size: Size,
    sampler: Sampler,
    factor: int,
    multiple: int,
    wraps: Wrapped = NOT_WRAPPED,
) -> Rules:
    """How a scene's brushes become soft masks on a canvas that is padded to `multiple`."""
    width, height = padded_size(size, multiple)
    published = sampler.preset == "paper"
    most = max((p.brush.blur_px for p in painted), default=0.0)
    return Rules(
        size=size,
        factor=factor,
        grid=(height // factor, width // factor),
        cover=sampler.cover,
        published=published,
        radius_px=blur_radius(most) if published else None,
        wraps=wraps,
    )


class Pile:
    """Layers laid from the top down on a canvas; they are looked at when it is asked for them."""

    def __init__(self, size: Size) -> None:
        self._top: Levels = np.zeros(size[::-1], dtype=np.uint8)
        self._due: list[Paint] = []

    def add(self, paint: Paint) -> None:
        """Lay the next layer below."""
        self._due.append(paint)

    @property
    def top(self) -> Levels:
        """The largest paint (H, W) of any layer so far."""
        for window, levels in (tile for paint in self._due for tile in paint.placed):
            if levels.strides == (0, 0) and levels[0, 0] == FULL:
                self._top[window] = FULL
            else:
                np.maximum(self._top[window], levels, out=self._top[window])
        self._due.clear()
        return self._top

    @property
    def share(self) -> float:
        """How much of the canvas is painted, 0..1."""
        return int(self.top.sum(dtype=np.uint64)) / (FULL * self.top.size)

    def bare(self, rules: Rules) -> npt.NDArray[np.bool_]:
        """Which cells of the latent grid have no paint at all at their pixel."""
        rows, columns = cell_pixels(rules.factor, rules.grid, rules.size)
        return np.asarray(self.top[np.ix_(rows, columns)] == 0)


@dataclass(frozen=True, eq=False)
class Laid:
    """A brush under those that lie on it: `pile` is what they paint, `over` those that meet it.

    Both are to be asked before the next brush is laid.
    """

    painted: Painted
    pile: Pile
    over: tuple[Painted, ...]
    rules: Rules
    kept: SoftMasks

    def soft(self) -> Patch:
        """Its mask, covered and blurred, before alpha."""
        paint, std_px, rules = self.painted.paint, self.painted.brush.blur_px, self.rules
        key = (paint, self._paint_over, std_px, rules)
        patch = self.kept.laid.of(key, self._softened)
        last = Softened(paint, self._paint_over, std_px, rules, patch)
        self.kept.last[self.painted.brush.number] = last
        return patch

    def _softened(self) -> Patch:
        """The mask worked out anew where it may differ from what it was."""
        paint, std_px, rules = self.painted.paint, self.painted.brush.blur_px, self.rules
        last, earlier = self.kept.last.get(self.painted.brush.number), None
        if last is not None and (last.std_px, last.rules) == (std_px, rules):
            earlier = Earlier(last.patch, self._changed(last))
        return soften(paint, self.pile.top, std_px, rules, earlier)

    def _changed(self, last: Softened) -> boxes.Window:
        """The pixels outside of which a brush and all that lies on it are as they were."""
        gone, come = last.over - self._paint_over, self._paint_over - last.over
        changes = [self._differing(last.paint, self.painted.paint)]
        if len(gone) == len(come) == 1:
            changes.append(self._differing(*gone, *come))
        else:
            changes += [paint.window for paint in gone | come]
        return boxes.around(changes)

    def _differing(self, one: Paint, other: Paint) -> boxes.Window:
        return self.kept.changes.of((one, other), lambda: one.changed(other))

    @cached_property
    def _paint_over(self) -> frozenset[Paint]:
        return frozenset(painted.paint for painted in self.over)

    def uncovered_peak(self) -> np.float32:
        """The largest value of its mask if nothing lay on it."""
        paint, std_px = self.painted.paint, self.painted.brush.blur_px
        key = ("bare", paint, std_px, self.rules)
        return self.kept.peaks.of(key, lambda: bare_peak(paint, std_px, self.rules))

    def sharp_peak(self) -> np.float32:
        """The largest value of its mask if it were not blurred."""
        paint = self.painted.paint
        key = ("sharp", paint, self._paint_over, self.rules)
        return self.kept.peaks.of(key, lambda: soften(paint, self.pile.top, 0.0, self.rules).peak)


def downwards(
    painted: Sequence[Painted], pile: Pile, rules: Rules, kept: SoftMasks
) -> Iterator[Laid]:
    """Brushes in painter's order, from the last to the first, laid on an empty pile.

    Of the soft masks those are kept that were asked for.
    """
    laid: list[Painted] = []
    with kept.laid.round(), kept.changes.round():
        for layer in reversed(painted):
            over = tuple(other for other in laid if other.paint.meets(layer.paint))
            yield Laid(layer, pile, over, rules, kept)
            pile.add(layer.paint)
            laid.append(layer)
    for number in kept.last.keys() - {layer.brush.number for layer in laid}:
        del kept.last[number]


def layer_weights(
    painted: Sequence[Painted],
    pile: Pile,
    rules: Rules,
    table: StepTable,
    mask_type: str,
    kept: SoftMasks,
) -> Weights:
    """The weights of brushes laid on an empty pile; each is worked out in its box."""
    found = []
    how = (table, mask_type, rules.published)
    with kept.boxed.round():
        for laid in downwards(painted, pile, rules, kept):
            of = (laid.soft(), laid.painted.brush.alpha, *how)
            found.append(kept.boxed.of(of, partial(_boxed, *of)))
    return Weights(rules.grid, table.slots, tuple(reversed(found)))


def _boxed(patch: Patch, alpha: float, table: StepTable, mask_type: str, published: bool) -> Boxed:
    """The weights of a soft mask in every slot."""
    mask = patch.values * np.float32(alpha)
    return Boxed(quantise(mask, table, mask_type, published=published), patch.window)


def largest_weights(
    peak: np.float32, alpha: float, table: StepTable, mask_type: str, rules: Rules
) -> Array:
    """The largest weight (T,) of a soft mask in every slot: it grows with the mask, so that the
    peak tells.
    """
    mask = np.full((1, 1), peak * np.float32(alpha), dtype=np.float32)
    weights: Array = quantise(mask, table, mask_type, published=rules.published)[:, 0, 0]
    return weights
