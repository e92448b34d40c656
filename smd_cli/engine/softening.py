"""From a brush's box of paint to its soft mask on the latent grid: covered, blurred, resized.

A mask is worked out in blocks, around its paint alone; where all is the same, for one pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from smd_cli.engine.masks import Array, blur_radius, covered, gaussian_blur, gaussian_kernel
from smd_cli.scene.paint.boxes import Levels, Paint, Window
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

_BLOCK_PX = 512


@dataclass(frozen=True)
class Rules:
    """What makes all paint of a scene soft alike.

    `size` (width, height) of the canvas; `factor`: its pixels per latent cell; `grid`: rows and
    columns of cells, those included that the model wants beyond the canvas, whose edge goes on
    there; of a side that `wraps` it is the other end. `cover` and `published`: as for `covered`;
    `radius_px`: one kernel radius for all.
    """

    size: Size
    factor: int
    grid: tuple[int, int]
    cover: float
    published: bool = False
    radius_px: int | None = None
    wraps: Wrapped = NOT_WRAPPED


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask on the latent grid, without the bare cells around it: `values` (h, w) in 0..1 lie at
    `window`.
    """

    values: Array
    window: Window

    @property
    def peak(self) -> np.float32:
        """The largest value."""
        peak: np.float32 = self.values.max(initial=0)
        return peak


@dataclass(frozen=True, eq=False)
class Earlier:
    """A mask as it was by the same rules and blur, and the `changed` window of pixels outside of
    which its paint, and what lies on that, is still the same.
    """

    patch: Patch
    changed: Window


def soften(
    paint: Paint, above: Levels, std_px: float, rules: Rules, earlier: Earlier | None = None
) -> Patch:
    """Steps 1, 2 and 5 for a brush under the largest later paint, `above` (H, W).

    What is further off than the kernel reaches stays bare, or as it was `earlier`.
    """
    box = _reached(paint.window, std_px, rules)
    values = np.zeros([side.stop - side.start for side in box], dtype=np.float32)
    due = box
    if earlier is not None:
        due = _shared(box, _reached(earlier.changed, std_px, rules))
        same = _shared(box, earlier.patch.window)
        values[_within(same, box)] = earlier.patch.values[_within(same, earlier.patch.window)]
        values[_within(due, box)] = 0
    for cells, soft in _softened(due, paint, above, std_px, rules):
        values[_within(cells, box)] = soft
    return Patch(values, box)


def _softened(
    due: Window, paint: Paint, above: Levels, std_px: float, rules: Rules
) -> Iterator[tuple[Window, Array]]:
    """The blocks of cells that are not bare, with their values; one value for a flat block."""
    kernel = gaussian_kernel(std_px, rules.radius_px)
    flat: dict[tuple[int, int], Array] = {}
    for cells in product(_blocks(due[0], rules.factor), _blocks(due[1], rules.factor)):
        view = _View.of(cells, len(kernel) // 2, rules)
        levels, top = view.read(paint.read), view.read(above.__getitem__)
        peak = int(levels.max())
        if not peak:
            continue
        if levels.min() == peak and top.min() == top.max():
            key = (peak, int(top[0, 0]))
            if key not in flat:
                flat[key] = _flat(*key, kernel, rules)
            yield cells, flat[key]
        else:
            left = covered(levels, top, rules.cover, published=rules.published)
            yield cells, gaussian_blur(view.widened(left), kernel, rules.factor)


def bare_peak(paint: Paint, std_px: float, rules: Rules) -> np.float32:
    """The largest value of a soft mask on which nothing lies.

    Where the strongest paint is flat as far as the kernel reaches, no other is larger.
    """
    kernel, peak = gaussian_kernel(std_px, rules.radius_px), paint.peak
    room = len(kernel) + rules.factor
    for levels in paint.tiles.values():
        if levels.strides == (0, 0) and levels[0, 0] == peak and min(levels.shape) >= room:
            value: np.float32 = _flat(peak, 0, kernel, rules)[0, 0]
            return value
    nothing = np.broadcast_to(np.uint8(0), paint.size[::-1])
    return soften(paint, nothing, std_px, rules).peak


def _reached(window: Window, std_px: float, rules: Rules) -> Window:
    """The cells that paint in a window may reach, the canvas' edge going on beyond it."""
    reach = blur_radius(std_px) if rules.radius_px is None else rules.radius_px
    reach = reach if std_px > 0 else 0
    sides = zip(window, reversed(rules.size), rules.grid, rules.wraps, strict=True)
    rows, columns = (_cells(*side, reach, rules.factor) for side in sides)
    return rows, columns


def _cells(side: slice, length: int, count: int, wraps: bool, reach: int, factor: int) -> slice:
    """The cells along a side that paint on it may reach, the canvas' edge going on beyond it; all
    of a side that `wraps` where it reaches over an end.
    """
    if side.start == side.stop:
        return slice(0, 0)
    if wraps and (side.start < reach or side.stop + reach > length):
        return slice(0, count)
    last = count if side.stop == length else min(count, -(-(side.stop + reach) // factor))
    return slice(max(0, side.start - reach) // factor, last)


def _shared(one: Window, other: Window) -> Window:
    """The cells in both."""
    rows, columns = (
        slice(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))
        for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def _within(cells: Window, box: Window) -> Window:
    """Cells counted from the top left of a box that holds them."""
    rows, columns = (
        slice(inner.start - outer.start, inner.stop - outer.start)
        for inner, outer in zip(cells, box, strict=True)
    )
    return rows, columns


def _blocks(cells: slice, factor: int) -> Iterator[slice]:
    step = max(1, _BLOCK_PX // factor)
    for start in range(cells.start, cells.stop, step):
        yield slice(start, min(start + step, cells.stop))


def _flat(level: int, top: int, kernel: Array, rules: Rules) -> Array:
    """One pixel of a blur where nothing changes as far as the kernel reaches."""
    shape = (len(kernel), len(kernel))
    levels, above = (np.full(shape, one, dtype=np.uint8) for one in (level, top))
    left = covered(levels, above, rules.cover, published=rules.published)
    return gaussian_blur(left, kernel)


def _around(first: int, last: int, length: int) -> Iterator[slice]:
    """The stretches of a side that goes on at its other end, from a pixel to before another."""
    while first < last:
        start = first % length
        stop = min(start + last - first, length)
        yield slice(start, stop)
        first += stop - start


@dataclass(frozen=True)
class _View:
    """The pixels that a block of cells depends on: stretches of `rows` and of `columns`, one after
    the other, and their edges beyond the canvas as often as `beyond` says.
    """

    rows: tuple[slice, ...]
    columns: tuple[slice, ...]
    beyond: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, cells: Window, radius: int, rules: Rules) -> _View:
        """The view for a block."""
        sides, beyond = [], []
        for block, length, wraps in zip(cells, reversed(rules.size), rules.wraps, strict=True):
            first = block.start * rules.factor - radius
            last = (block.stop - 1) * rules.factor + radius + 1
            if wraps:
                sides.append(tuple(_around(first, last, length)))
                beyond.append((0, 0))
                continue
            start = min(max(first, 0), length - 1)
            stop = max(min(last, length), start + 1)
            before = max(0, -first)
            sides.append((slice(start, stop),))
            beyond.append((before, last - first - before - (stop - start)))
        return cls(sides[0], sides[1], (beyond[0], beyond[1]))

    def read(self, levels: Callable[[Window], Levels]) -> Levels:
        """The levels of its pixels, from what gives those of a window."""
        lines = [[levels((down, right)) for right in self.columns] for down in self.rows]
        if len(lines) == len(lines[0]) == 1:
            return lines[0][0]
        return np.concatenate([np.concatenate(line, axis=1) for line in lines])

    def widened(self, paint: Array) -> Array:
        """The paint of the window with its edges."""
        return np.pad(paint, self.beyond, mode="edge") if np.any(self.beyond) else paint
