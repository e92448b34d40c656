"""Shapes as paint: rectangles, ellipses and polygons with antialiased edges.

Canvas coordinates: x to the right, y down, pixel (i, j) covers [i, i+1) x [j, j+1). A pixel's paint
is the share of it that the shape covers, to the nearest of 255 levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from smd_cli.scene.paint.boxes import FULL, Paint, Tile, Window, gathered, stretches, tiles_of
from smd_cli.scene.types import EllipseMask, ImageMask, Length, MaskPart, PolygonMask, RectMask

Floats = npt.NDArray[np.float64]
Gains = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Box = tuple[float, float, float, float]

_ROWS = 16  # scan lines a pixel
_CROSSINGS = 2**16  # of edges and scan lines, held at once
_MOST_CROSSINGS = 2**26  # in all: about a second
_FINE = 256  # steps a pixel along a scan line: sums stay whole numbers, and bare is exactly 0
_WHOLE = _FINE * _ROWS  # what a pixel gains where it is covered


def shape_box(shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]) -> Box:
    """Left, top, right and bottom of a shape in pixels on a canvas of (width, height)."""
    if isinstance(shape, PolygonMask) or shape.turn:
        xs, ys = _corners(shape, size)
        return (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
    right, down = offset_px(shape, size)
    left, top = shape.x.pixels(size[0]) + right, shape.y.pixels(size[1]) + down
    width, height = shape.width.pixels(size[0]), shape.height.pixels(size[1])
    if shape.scale != 1:
        more = (shape.scale - 1) / 2  # on every side
        left, top = left - width * more, top - height * more
        width, height = width * shape.scale, height * shape.scale
    return (left, top, left + width, top + height)


def offset_px(part: MaskPart, size: tuple[int, int]) -> tuple[float, float]:
    """How far right and down a part is moved on a canvas of (width, height)."""
    if part.move is None:
        return 0.0, 0.0
    return part.move[0].pixels(size[0]), part.move[1].pixels(size[1])


def middle_px(part: MaskPart, size: tuple[int, int]) -> tuple[float, float]:
    """Where a shape's middle, about which it turns and grows, lies on a canvas of (width, height).

    Of an image how far it is moved: where it lies without that does not change.
    """
    if isinstance(part, ImageMask):
        return offset_px(part, size)
    left, top, right, bottom = shape_box(replace(part, scale=1.0, turn=0.0), size)
    return (left + right) / 2, (top + bottom) / 2


def touches(box: Box, size: tuple[int, int]) -> bool:
    """Whether any of the box lies on the canvas."""
    return box[0] < size[0] and box[1] < size[1] and box[2] > 0 and box[3] > 0


def draw_shape(shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]) -> Paint:
    """The paint of a shape on a canvas of (width, height), drawn tile by tile in its own box."""
    left, top, right, bottom = box = shape_box(shape, size)
    columns = slice(_within(math.floor(left), size[0]), _within(math.ceil(right), size[0]))
    rows = slice(_within(math.floor(top), size[1]), _within(math.ceil(bottom), size[1]))
    window = (rows, columns)
    if isinstance(shape, PolygonMask) or shape.turn:
        tiles = _spans(_Polygon(*_corners(shape, size), window).gains, window)
    elif isinstance(shape, RectMask):
        tiles = _rect(box, window)
    else:
        tiles = _spans(lambda band: _ellipse(box, (band, columns)), window)
    paint = gathered(tiles, window, size)
    return paint.inverted if shape.invert else paint


def describe_shape(shape: RectMask | EllipseMask | PolygonMask) -> str:
    """``rect 10,10 80x60``, as it was written."""
    if isinstance(shape, PolygonMask):
        return f"polygon of {len(shape.points)} points"
    kind = "rect" if isinstance(shape, RectMask) else "ellipse"
    x, y, width, height = (_length(v) for v in (shape.x, shape.y, shape.width, shape.height))
    return f"{kind} {x},{y} {width}x{height}"


def _length(length: Length) -> str:
    return f"{length.value * 100:g}%" if length.unit == "share" else f"{length.value:g}"


def _corners(
    shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """x and y of a polygon, or of what comes near to a turned shape, where it is moved to."""
    if isinstance(shape, PolygonMask):
        xs = np.array([x.pixels(size[0]) for x, _ in shape.points], dtype=np.float64)
        ys = np.array([y.pixels(size[1]) for _, y in shape.points], dtype=np.float64)
    else:
        xs, ys = _outline(shape, size)
    right, down = offset_px(shape, size)
    if shape.scale == 1 and not shape.turn:
        return xs + right, ys + down
    middle_x, middle_y = (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2
    across, along = xs - middle_x, ys - middle_y
    cosine, sine = turning(shape.scale, shape.turn)
    return (
        middle_x + right + cosine * across - sine * along,
        middle_y + down + sine * across + cosine * along,
    )


def _outline(shape: RectMask | EllipseMask, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """The corners of a rectangle, or so many points of an ellipse that none is 0.01 px off."""
    left, top = shape.x.pixels(size[0]), shape.y.pixels(size[1])
    width, height = shape.width.pixels(size[0]), shape.height.pixels(size[1])
    if isinstance(shape, RectMask):
        across, down = np.array([0.0, 1, 1, 0]), np.array([0.0, 0, 1, 1])
        return left + width * across, top + height * down
    radius = max(width, height) * max(shape.scale, 1) / 2
    count = 4 * math.ceil(math.pi * math.sqrt(50 * radius) / 4)
    angles = np.arange(count) * (2 * math.pi / count)
    return left + width * (1 + np.cos(angles)) / 2, top + height * (1 + np.sin(angles)) / 2


def turning(scale: float, degrees: float) -> tuple[float, float]:
    """Cosine and sine, times the scale, of a turn clockwise; exact for quarters of a turn."""
    quarters, rest = divmod(degrees, 90)
    cosine, sine = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(quarters) % 4):
        cosine, sine = -sine, cosine
    return scale * cosine, scale * sine


def _within(pixel: int, side: int) -> int:
    return min(max(pixel, 0), side)


def _rect(box: Box, window: Window) -> Iterator[Tile]:
    left, top, right, bottom = box
    for rows, columns in tiles_of(window):
        down, across = _overlap(top, bottom, rows), _overlap(left, right, columns)
        yield (rows, columns), np.rint(np.outer(down, across) * FULL).astype(np.uint8)


def _overlap(low: float, high: float, pixels: slice) -> Floats:
    """How much of every pixel lies between low and high."""
    starts = np.arange(pixels.start, pixels.stop, dtype=np.float64)
    overlap: Floats = np.clip(np.minimum(starts + 1, high) - np.maximum(starts, low), 0, 1)
    return overlap


def _scan_lines(rows: slice, count: int) -> Floats:
    """The y of every scan line in rows of pixels, so many in each."""
    return (np.arange(rows.start * count, rows.stop * count) + 0.5) / count


def _ellipse(box: Box, window: Window) -> Gains:
    lines = _scan_lines(window[0], _ROWS)
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    height = (lines - centre_y) / max((box[3] - box[1]) / 2, 1e-9)
    met = np.flatnonzero(np.abs(height) < 1)
    reach = (box[2] - box[0]) / 2 * np.sqrt(1 - height[met] ** 2)
    gains = _blank_gains(window)
    for edge, sign in ((centre_x - reach, 1), (centre_x + reach, -1)):
        _gain(gains, met // _ROWS, _fine(edge, window[1]), np.full(len(met), sign))
    return gains


class _Polygon:
    """Fills every scan line where the polygon winds around it (a pentagram has no hole).

    Edges cross each line an even number of times, with windings that add up to 0: sorted by line
    and x, one running sum tells for every crossing whether the way to the next one lies inside.
    Rows are done in bands of so many crossings as memory is meant to hold, and on fewer scan lines
    where edges without end leave no time for more.
    """

    def __init__(self, xs: Floats, ys: Floats, window: Window) -> None:
        self._edges = np.stack([xs, ys, np.roll(xs, -1), np.roll(ys, -1)])
        self._window, self._rows = window, _ROWS
        rows = np.clip(self._edges[[1, 3]], window[0].start, window[0].stop)
        crossings = float(np.abs(rows[1] - rows[0]).sum())
        while self._rows > 1 and crossings * self._rows > _MOST_CROSSINGS:
            self._rows //= 2

    def gains(self, rows: slice) -> Gains:
        """What spans begin and end in some rows of pixels."""
        gains = _blank_gains((rows, self._window[1]))
        lines = _scan_lines(rows, self._rows)
        ends = np.sort(np.searchsorted(lines, self._edges[[1, 3]]), axis=0)  # lines an edge meets
        for band in _bands(ends, len(lines)):
            met = np.flatnonzero((ends[0] < band[1]) & (ends[1] > band[0]))
            low, high = np.clip(ends[:, met], *band)
            self._wind(gains, lines, self._edges[:, met], low - band[0], high - low, band)
        return gains

    def _wind(
        self,
        gains: Gains,
        lines: Floats,
        edges: Floats,
        low: Whole,
        counts: Whole,
        band: tuple[int, int],
    ) -> None:
        """Add what edges enclose on a band of lines: each meets `counts` of them from `low` on.

        Crossings are sorted as one number each: line, place, and which way the edge goes.
        """
        columns = self._window[1]
        places = (columns.stop - columns.start) * _FINE + 1
        kind = np.int32 if (band[1] - band[0]) * places * 2 < 2**31 else np.int64
        line = np.arange(counts.sum(), dtype=kind)
        line += np.repeat((low - np.cumsum(counts) + counts).astype(kind), counts)
        at = _crossings(edges, lines[band[0] : band[1]][line], counts)
        keys = line * kind(places)
        keys += _fine(at, columns)
        keys <<= 1
        keys |= np.repeat(edges[3] > edges[1], counts)
        keys.sort()
        inside = np.cumsum((keys & 1) * 2 - 1, dtype=kind) != 0
        before = np.concatenate([[False], inside])[:-1]
        for changed, sign in ((inside & ~before, 1), (before & ~inside, -1)):
            line, fine = np.divmod(keys[changed].astype(np.int64) >> 1, places)
            weight = np.full(len(line), sign * (_ROWS // self._rows))
            _gain(gains, (line + band[0]) // self._rows, fine, weight)


def _bands(ends: Whole, count: int) -> Iterator[tuple[int, int]]:
    """First and last scan lines of bands with about `_CROSSINGS` crossings, and a line at least."""
    steps = np.bincount(ends[0], minlength=count + 1) - np.bincount(ends[1], minlength=count + 1)
    crossings = np.cumsum(np.cumsum(steps))[:count]
    first = 0
    while first < count:
        done = crossings[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(crossings, done + _CROSSINGS, side="right")))
        yield first, last
        first = last


def _crossings(edges: Floats, lines: Floats, counts: Whole) -> Floats:
    """The x at which edges cross scan lines, y; each of them meets `counts` of the `lines`."""
    x, y, next_x, next_y = edges
    at = lines
    at -= np.repeat(y, counts)
    at /= np.repeat(np.where(next_y == y, 1.0, next_y - y), counts)
    at *= np.repeat(next_x - x, counts)
    at += np.repeat(x, counts)
    return at


def _blank_gains(window: Window) -> Gains:
    rows, columns = (pixels.stop - pixels.start for pixels in window)
    return np.zeros((rows, columns + 2), dtype=np.int32)


def _fine(at: Floats, columns: slice) -> npt.NDArray[np.int32]:
    """Places along a scan line in whole steps from the left of the window, cut at its sides."""
    steps = np.clip(at, columns.start, columns.stop)
    steps -= columns.start
    steps *= _FINE
    return np.rint(steps, out=steps).astype(np.int32)


def _gain(gains: Gains, rows: Whole, fine: Gains | Whole, sign: Whole) -> None:
    """Begin (> 0) or end (< 0) spans of scan lines at places along rows of pixels.

    A span begins where its first pixel gains what lies right of the place, and ends likewise;
    running sums along each row do the rest, in whole numbers.
    """
    pixel, past = np.divmod(fine, _FINE)
    at, line = rows * gains.shape[1] + pixel, gains.reshape(-1)  # one index is quick
    np.add.at(line, at, (sign * (_FINE - past)).astype(np.int32))
    np.add.at(line, at + 1, (sign * past).astype(np.int32))


def _spans(gains_of: Callable[[slice], Gains], window: Window) -> Iterator[Tile]:
    """Every pixel's share of its scan lines that spans cover; where none begins or ends on a tile,
    it goes on as it was on its left.
    """
    for rows in stretches(window[0]):
        gains = gains_of(rows)
        past = np.zeros((rows.stop - rows.start, 1), dtype=np.int32)
        for columns in stretches(window[1]):
            own = gains[:, columns.start - window[1].start : columns.stop - window[1].start]
            shares = past
            if own.any():
                own[:, :1] += past
                shares = np.cumsum(own, axis=1, dtype=np.int32)
                past = shares[:, -1:]
            levels = (shares * FULL + _WHOLE // 2) // _WHOLE
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            yield (rows, columns), np.broadcast_to(levels.astype(np.uint8), shape)
