"""Windows: which parts of the canvas a brush's network rows see.

Plain NumPy like the masks. A brush is denoised on the smallest legal window around its weight
instead of on the whole canvas; what is larger than a model is at home with is tiled
(MultiDiffusion, arXiv 2302.08113), with weights that fall towards a tile's edges. All lengths are
latent cells.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from smd_cli.scene.types import NOT_WRAPPED, Sampler, Windows, Wrapped

Line = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Box = tuple[slice, slice]
"""Rows and columns of cells."""

STRETCH = 1.5
"""A model keeps its composition up to so many times its native side."""

_OVERLAP = 0.25  # share of a tile that it has in common with the next one, at least


@dataclass(frozen=True)
class Legal:
    """Which windows a model draws well in.

    Sides run from `least` in halves of it to `most`, and longer boxes are tiled by sides of `tile`.
    Windows begin at multiples of `grid`, the cells that a network's deepest layer sees as one, and
    keep `margin` cells around the weight where the canvas has them. Centred ones keep `ground`:
    with less plain ground around it the first guess of a bootstrapped brush is worse (by the
    starter's evaluation objects were right 9 % less often with 2 cells, and no less with 4).
    """

    least: int
    tile: int
    most: int
    grid: int
    margin: int = 2
    ground: int = 4

    @staticmethod
    def of(
        asked: Windows, least_px: int, native_px: int, factor: int, multiple: int
    ) -> Legal | None:
        """Those of a model whose least and native sides are given in canvas pixels.

        A number that is asked for stands for the least side, in pixels; None is for windows as
        large as their canvas, off.
        """
        if asked == "off":
            return None
        grid = multiple // factor
        least = _rounded((least_px if asked == "auto" else asked) / factor, grid)
        native = max(_rounded(native_px / factor, grid), least)
        return Legal(least, native, int(native * STRETCH) // grid * grid, grid)


def legal_windows(
    sampler: Sampler, least_px: int, native_px: int, factor: int, multiple: int
) -> Legal | None:
    """Those that a scene's sampler asks for, of a model as `Legal.of` takes it."""
    asked = "off" if sampler.sees_all else sampler.windows
    return Legal.of(asked, least_px, native_px, factor, multiple)


def _rounded(length: float, grid: int) -> int:
    return math.ceil(length / grid) * grid


@dataclass(frozen=True, eq=False)
class Strip:
    """One side of a window: `length` cells from `start` on, which may lie before the canvas or
    reach beyond it: there it goes on at the other end. `share` (length,) in 0..1 is what a tile
    counts beside its neighbours, None where there are none.
    """

    start: int
    length: int
    share: Line | None = None


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the canvas that one row sees."""

    rows: Strip
    columns: Strip

    @property
    def strips(self) -> tuple[Strip, Strip]:
        """Its rows and its columns."""
        return self.rows, self.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rows.length, self.columns.length

    @property
    def corner(self) -> tuple[int, int]:
        """Top and left."""
        return self.rows.start, self.columns.start

    @property
    def share(self) -> npt.NDArray[np.float32]:
        """What the window counts in each of its cells, (h, w) in 0..1."""
        down, across = (
            np.ones(s.length, np.float32) if s.share is None else s.share for s in self.strips
        )
        return down[:, None] * across


@dataclass(frozen=True, eq=False)
class Support:
    """Where a brush has any weight on a canvas of `sides` (h, w): where `cells`, those of its
    `box`, are true.
    """

    cells: Cells
    box: Box
    sides: tuple[int, int]

    def line(self, axis: int) -> Cells:
        """Which rows (axis 0) or columns (1) of the canvas have any."""
        found = np.zeros(self.sides[axis], dtype=np.bool_)
        found[self.box[axis]] = self.cells.any(axis=1 - axis)
        return found

    def inside(self, window: Window) -> bool:
        """Whether a window sees any."""
        rows, columns = (self.seen(strip, axis) for axis, strip in enumerate(window.strips))
        return bool(self.cells[np.ix_(rows, columns)].any())

    def seen(self, strip: Strip, axis: int) -> Numbers:
        """Which rows (axis 0) or columns (1) of the cells a strip sees."""
        own = self.box[axis]
        at = places(strip, self.sides[axis]) - own.start
        found: Numbers = at[(at >= 0) & (at < own.stop - own.start)]
        return found

    @property
    def key(self) -> Hashable:
        """What tells it from others on the same canvas."""
        return support_key(self.cells, self.box)


def support_key(cells: Cells, box: Box) -> Hashable:
    """What tells the true `cells` of a box on a canvas from others."""
    return np.packbits(cells).tobytes(), cells.shape, tuple(side.start for side in box)


def places(strip: Strip, side: int) -> Numbers:
    """Which cells of a canvas' side a strip has, in its order, (length,)."""
    return np.arange(strip.start, strip.start + strip.length) % side


def windows_of(
    support: Support, legal: Legal | None, wraps: Wrapped = NOT_WRAPPED, *, centred: bool
) -> tuple[Window, ...]:
    """The windows of a brush with such support.

    `centred` puts the middle of the weight's box into the middle of its window, over the canvas's
    edges if need be: bootstrapped brushes are seen so (StreamMultiDiffusion, arXiv 2403.09055). On
    a side that `wraps` no window ends where there is any weight, but for tiles, which overlap.
    """
    lines = [support.line(axis) for axis in (0, 1)]
    if not lines[0].any():
        return ()
    rows, columns = (
        tuple((_ring_strips if wrap else _strips)(line, legal, centred))
        for line, wrap in zip(lines, wraps, strict=True)
    )
    seen = [support.seen(across, 1) for across in columns]
    found = []
    for down in rows:
        line = np.asarray(support.cells[support.seen(down, 0)].any(axis=0))
        found += [
            Window(down, across)
            for across, own in zip(columns, seen, strict=True)
            if line[own].any()
        ]
    return tuple(found)


def _strips(line: Cells, legal: Legal | None, centred: bool) -> Iterator[Strip]:
    """The strips that see every true cell of one side of a canvas."""
    canvas, hits = len(line), np.flatnonzero(line)
    low, high = int(hits[0]), int(hits[-1])
    length = canvas if legal is None else _side(high + 1 - low, canvas, legal, centred)
    if length is None:
        assert legal is not None
        yield from _tiles(low, high + 1, canvas, legal)
        return
    start = (low + high + 1) // 2 - length // 2
    if not centred:
        grid = 1 if legal is None else legal.grid
        start = min(max(_nearest(start, grid, low, high + 1 - length), 0), canvas - length)
    yield Strip(start, length)


def _ring_strips(line: Cells, legal: Legal | None, centred: bool) -> Iterator[Strip]:
    """The same for a side that goes on at its other end.

    A box that leaves no room for margins is tiled all around.
    """
    canvas, (low, box) = len(line), _arc(line)
    room = _room(legal, centred)
    length = canvas if legal is None else _side(box, canvas, legal, centred)
    if box + 2 * room > canvas:
        yield from _ring(canvas, legal)
    elif length is None:
        assert legal is not None
        first = (low - room) // legal.grid * legal.grid
        last = _rounded(low + box + room - first - legal.tile, legal.grid)
        starts = [first + start for start in _spread(0, last, legal.tile, legal.grid)]
        yield from _shared(starts, legal.tile, canvas)
    else:
        start, grid = (2 * low + box) // 2 - length // 2, 1 if legal is None else legal.grid
        near = (start + grid // 2) // grid * grid
        fits = not centred and low + box + room - length <= near <= low - room
        yield Strip(near if fits else start, length)


def _arc(line: Cells) -> tuple[int, int]:
    """Where the shortest stretch of a ring with all that is true begins, and how long it is."""
    hits = np.flatnonzero(line)
    gaps = np.diff(hits, append=hits[0] + len(line))
    widest = int(gaps.argmax())
    return int(hits[(widest + 1) % len(hits)]), len(line) - int(gaps[widest]) + 1


def _room(legal: Legal | None, centred: bool) -> int:
    """The cells that a window keeps around a box."""
    if legal is None:
        return Legal.ground if centred else Legal.margin
    return legal.ground if centred else legal.margin


def _nearest(start: int, grid: int, low: int, high: int) -> int:
    """The multiple of `grid` next to `start`; `start` itself where the box would be cut there."""
    near = round(start / grid) * grid
    return near if high <= near <= low else start


def _side(box: int, canvas: int, legal: Legal, centred: bool) -> int | None:
    """The smallest legal side for a box on a canvas; None where that has to be tiled."""
    wanted = box + 2 * _room(legal, centred)
    if canvas <= legal.least:
        return canvas
    half = _rounded(legal.least / 2, legal.grid)
    steps = math.ceil(max(0, wanted - legal.least) / half)
    side = legal.least + steps * half
    if side >= canvas and canvas <= legal.most:
        return canvas
    return side if side <= min(legal.most, canvas) else None


@lru_cache(maxsize=256)
def _tiles(low: int, high: int, canvas: int, legal: Legal) -> tuple[Strip, ...]:
    """Overlapping strips over the cells from `low` to before `high`, evenly spread."""
    low, high = max(low - legal.margin, 0), min(high + legal.margin, canvas)
    length, grid = min(legal.tile, canvas), legal.grid
    last = min(_rounded(max(high - length, 0), grid), canvas - length)
    first = min(low // grid * grid, last)
    return tuple(_shared(_spread(first, last, length, grid), length, canvas))


def _spread(first: int, last: int, length: int, grid: int) -> list[int]:
    """Where strips of a `length` begin that overlap enough, from the first to the last of them."""
    count = math.ceil((last - first) / (length * (1 - _OVERLAP))) + 1
    return sorted({round(at / grid) * grid for at in np.linspace(first, last, count)})


def _ring(canvas: int, legal: Legal | None) -> Iterator[Strip]:
    """Overlapping strips all around a side, evenly spread: two at least, as none may end alone."""
    grid = 1 if legal is None else legal.grid
    length = canvas if legal is None or canvas <= legal.most else legal.tile
    count = max(2, math.ceil(canvas / (length * (1 - _OVERLAP))))
    starts = [round(canvas * n / count / grid) * grid for n in range(count)]
    yield from _shared(starts, length, canvas)


def _shared(starts: Sequence[int], length: int, canvas: int) -> Iterator[Strip]:
    """Strips whose shares fall towards their ends, and are 1 together."""
    place = np.arange(length) + 0.5
    tent = np.minimum(place, length - place).astype(np.float32)
    total = np.zeros(canvas, dtype=np.float32)
    for start in starts:
        total[places(Strip(start, length), canvas)] += tent
    for start in starts:
        yield Strip(start, length, tent / total[places(Strip(start, length), canvas)])
