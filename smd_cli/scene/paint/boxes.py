"""Paint of 8 bits a pixel, held as the smallest box around all of it, with its place on the canvas.

A large box is held in tiles. One that is the same all over costs one byte, a bare one nothing, so
that a shape costs what its edge does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from smd_cli.scene.paint.errors import Size

Levels = npt.NDArray[np.uint8]
"""Paint (h, w) of 0..255: a level v stands for v/255."""

Window = tuple[slice, slice]
"""Rows and columns of pixels."""

Tile = tuple[Window, Levels]

FULL = 255
HALF = 128  # the least level that is 0.5 or more
TILE_PX = 256

_EMPTY = slice(0, 0)


@dataclass(frozen=True, eq=False)
class Paint:
    """What a mask paints on a canvas of `size` (width, height).

    `window` is the smallest with all paint, empty where there is none. `tiles` lie side by side,
    the first at `origin` (row, column), each under its (row, column) in the grid of tiles.
    """

    size: Size
    window: Window
    origin: tuple[int, int]
    tiles: Mapping[tuple[int, int], Levels]

    @property
    def placed(self) -> Iterator[Tile]:
        """Every tile that is not bare, with its window on the canvas."""
        for (down, right), levels in self.tiles.items():
            top, left = self.origin[0] + down * TILE_PX, self.origin[1] + right * TILE_PX
            height, width = levels.shape
            yield (slice(top, top + height), slice(left, left + width)), levels

    def read(self, window: Window) -> Levels:
        """The levels of any window of the canvas; not to be written to."""
        rows, columns = window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        found = np.zeros((height, width), dtype=np.uint8)
        for down in self._grid(rows, 0):
            for right in self._grid(columns, 1):
                levels = self.tiles.get((down, right))
                if levels is None:
                    continue
                top = self.origin[0] + down * TILE_PX - rows.start
                left = self.origin[1] + right * TILE_PX - columns.start
                inner = levels[max(0, -top) : height - top, max(0, -left) : width - left]
                if inner.shape == found.shape:
                    return inner
                top, left = max(0, top), max(0, left)
                found[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return found

    def _grid(self, side: slice, axis: int) -> range:
        """The rows or columns of tiles that may lie in a stretch of the canvas."""
        begin, own = self.origin[axis], self.window[axis]
        first, last = max(side.start, own.start), min(side.stop, own.stop)
        if first >= last:
            return range(0)
        return range((first - begin) // TILE_PX, (last - 1 - begin) // TILE_PX + 1)

    def cells(self, factor: int, grid: tuple[int, int]) -> Levels:
        """The levels of the top left pixel of every cell of `factor` px, (rows, columns) = `grid`.

        Cells beyond the canvas take the pixel at its edge.
        """
        found = np.zeros(grid, dtype=np.uint8)
        for (rows, columns), levels in self.placed:
            down, right = (
                slice(-(-s.start // factor), -(-s.stop // factor)) for s in (rows, columns)
            )
            place = found[down, right]
            first = (down.start * factor - rows.start, right.start * factor - columns.start)
            inner = levels[first[0] :: factor, first[1] :: factor]
            place[:] = inner[: place.shape[0], : place.shape[1]]
        self._go_on(found, factor)
        return found

    def _go_on(self, cells: Levels, factor: int) -> None:
        """Fill the cells beyond the canvas with what is at its edge."""
        width, height = self.size
        below, beside = (cells[-(-height // factor) :], cells[:, -(-width // factor) :])
        rows, columns = cell_pixels(factor, (cells.shape[0], cells.shape[1]), self.size)
        if below.size:
            below[:] = self.read((slice(height - 1, height), slice(0, width)))[:, columns]
        if beside.size:
            beside[:] = self.read((slice(0, height), slice(width - 1, width)))[rows]

    def meets(self, other: Paint) -> bool:
        """Whether the windows of both have a pixel in common."""
        return all(
            one.start < two.stop and two.start < one.stop
            for one, two in zip(self.window, other.window, strict=True)
        )

    def changed(self, other: Paint) -> Window:
        """The smallest window with all pixels in which both differ; empty where none does."""
        if other is self:
            return (_EMPTY, _EMPTY)

        def differing(at: Window) -> Levels:
            return np.not_equal(self.read(at), other.read(at)).astype(np.uint8)

        box = around(paint.window for paint in (self, other))
        return painted_by(differing, box, self.size).window

    @cached_property
    def sum(self) -> int:
        """All levels together."""
        return sum(_sum(levels) for levels in self.tiles.values())

    @cached_property
    def peak(self) -> int:
        """The highest level."""
        return max((int(unrepeated(levels).max()) for levels in self.tiles.values()), default=0)

    @property
    def share(self) -> float:
        """How much of the canvas is painted, 0..1."""
        return self.sum / (FULL * self.size[0] * self.size[1])

    @property
    def digest(self) -> bytes:
        """The same for paint of the same levels at the same place, held in the same tiles."""
        found = sha256(repr((self.size, self.window, self.origin)).encode())
        for at, levels in sorted(self.tiles.items()):
            core = unrepeated(levels)
            found.update(repr((at, levels.shape, core.shape)).encode())
            found.update(core.tobytes())
        return found.digest()

    def joined(self, other: Paint) -> Paint:
        """The most of both, pixel by pixel."""
        if not (self.tiles and other.tiles):
            return self if self.tiles else other
        box = around((self.window, other.window))
        return painted_by(lambda at: np.maximum(self.read(at), other.read(at)), box, self.size)

    def moved(self, right: int, down: int) -> Paint:
        """The same so many pixels farther right and down, cut at the canvas."""
        pairs = zip(self.window, (down, right), reversed(self.size), strict=True)
        rows, columns = (
            slice(max(0, own.start + step), min(side, own.stop + step)) for own, step, side in pairs
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return bare(self.size)

        def read(at: Window) -> Levels:
            above, beside = at
            return self.read(
                (
                    slice(above.start - down, above.stop - down),
                    slice(beside.start - right, beside.stop - right),
                )
            )

        return painted_by(read, (rows, columns), self.size)

    @property
    def inverted(self) -> Paint:
        """What is left to full paint, on the whole canvas."""
        return painted_by(lambda at: FULL - self.read(at), full_window(self.size), self.size)


def cell_pixels(
    factor: int, grid: tuple[int, int], size: Size
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The row and the column of the pixel that stands for every row and column of cells."""
    rows, columns = (
        np.minimum(np.arange(count) * factor, side - 1)
        for count, side in zip(grid, reversed(size), strict=True)
    )
    return rows, columns


def full_window(size: Size) -> Window:
    """The window of a whole canvas of (width, height)."""
    return (slice(0, size[1]), slice(0, size[0]))


def around(windows: Iterable[Window]) -> Window:
    """The smallest window that holds all others; empty where all are."""
    sides = list(zip(*filter(_holds, windows), strict=True))
    if not sides:
        return (_EMPTY, _EMPTY)
    rows, columns = (
        slice(min(one.start for one in side), max(one.stop for one in side)) for side in sides
    )
    return rows, columns


def _holds(window: Window) -> bool:
    return all(side.start < side.stop for side in window)


def bare(size: Size) -> Paint:
    """No paint at all."""
    return Paint(size, (_EMPTY, _EMPTY), (0, 0), {})


def laid(levels: Levels, corner: tuple[int, int], size: Size) -> Paint:
    """Levels (h, w) with their top left corner at (x, y), all of them on the canvas."""
    rows = _extent(levels.max(axis=1, initial=0))
    columns = _extent(levels[rows].max(axis=0, initial=0))
    left, top = corner
    window = (
        slice(top + rows.start, top + rows.stop),
        slice(left + columns.start, left + columns.stop),
    )

    def read(at: Window) -> Levels:
        down, right = (
            slice(side.start - begin, side.stop - begin)
            for side, begin in zip(at, (top, left), strict=True)
        )
        return levels[down, right]

    return painted_by(read, window, size)


def painted_by(paint: Callable[[Window], Levels], box: Window, size: Size) -> Paint:
    """What `paint` gives for the windows of a box, which has all of the paint."""
    return gathered(((at, paint(at)) for at in tiles_of(box)), box, size)


def tiles_of(box: Window) -> Iterator[Window]:
    """The windows of the tiles in which a box is held."""
    for rows in stretches(box[0]):
        for columns in stretches(box[1]):
            yield rows, columns


def stretches(side: slice) -> Iterator[slice]:
    """A side of a box cut into those of tiles."""
    for start in range(side.start, side.stop, TILE_PX):
        yield slice(start, min(start + TILE_PX, side.stop))


def gathered(tiles: Iterable[Tile], box: Window, size: Size) -> Paint:
    """Paint of a box from its tiles, with windows of `tiles_of`; bare ones may be missing."""
    origin = (box[0].start, box[1].start)
    kept: dict[tuple[int, int], Levels] = {}
    sides: list[tuple[int, int, int, int]] = []
    for (rows, columns), levels in tiles:
        core = unrepeated(levels)
        low, high = int(core.min()), int(core.max())
        if not high:
            continue
        down, right = (levels.max(axis=1), levels.max(axis=0)) if not low else (None, None)
        vertical = rows if down is None else _extent(down, rows.start)
        level = columns if right is None else _extent(right, columns.start)
        sides.append((vertical.start, vertical.stop, level.start, level.stop))
        at = ((rows.start - origin[0]) // TILE_PX, (columns.start - origin[1]) // TILE_PX)
        kept[at] = np.broadcast_to(np.uint8(high), levels.shape) if low == high else levels.copy()
    if not kept:
        return bare(size)
    top, bottom, left, right_end = zip(*sides, strict=True)
    window = (slice(min(top), max(bottom)), slice(min(left), max(right_end)))
    return Paint(size, window, origin, kept)


def _extent(line: Levels, begin: int = 0) -> slice:
    """From the first to the last level > 0 of a line that begins at `begin`."""
    painted = np.flatnonzero(line)
    return slice(begin + int(painted[0]), begin + int(painted[-1]) + 1) if len(painted) else _EMPTY


def unrepeated(levels: Levels) -> Levels:
    """Levels without rows or columns that repeat by how they are held: (1, 1) of flat ones."""
    rows, columns = (slice(None) if stride else slice(0, 1) for stride in levels.strides)
    return levels[rows, columns]


def _sum(levels: Levels) -> int:
    core = unrepeated(levels)
    return int(core.sum(dtype=np.uint64)) * (levels.size // core.size)
