"""Shapes as paint: rectangles, ellipses and polygons with antialiased edges.

Canvas coordinates: x to the right, y down, pixel (i, j) covers [i, i+1) x [j, j+1). A pixel's paint
is the share of it that the shape covers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from smd_cli.scene.model import EllipseMask, Length, PolygonMask, RectMask

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

_ROWS = 16  # scan lines a pixel
_FINE = 256  # steps a pixel along a scan line: sums stay whole numbers, and bare is exactly 0


def shape_box(shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]) -> Box:
    """Left, top, right and bottom of a shape in pixels on a canvas of (width, height)."""
    if isinstance(shape, PolygonMask):
        xs, ys = _corners(shape, size)
        return (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
    left, top = shape.x.pixels(size[0]), shape.y.pixels(size[1])
    return (left, top, left + shape.width.pixels(size[0]), top + shape.height.pixels(size[1]))


def touches(box: Box, size: tuple[int, int]) -> bool:
    """Whether any of the box lies on the canvas."""
    return box[0] < size[0] and box[1] < size[1] and box[2] > 0 and box[3] > 0


def draw_shape(shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]) -> Array:
    """The shape's paint on a canvas of (width, height): (H, W) in 0..1, inverted where it says."""
    if isinstance(shape, RectMask):
        paint = _rectangle(shape_box(shape, size), size)
    elif isinstance(shape, EllipseMask):
        paint = _ellipse(shape_box(shape, size), size)
    else:
        paint = _polygon(*_corners(shape, size), size)
    return 1 - paint if shape.invert else paint


def describe_shape(shape: RectMask | EllipseMask | PolygonMask) -> str:
    """``rect 10,10 80x60``, as it was written."""
    if isinstance(shape, PolygonMask):
        return f"polygon of {len(shape.points)} points"
    kind = "rect" if isinstance(shape, RectMask) else "ellipse"
    x, y, width, height = (_length(v) for v in (shape.x, shape.y, shape.width, shape.height))
    return f"{kind} {x},{y} {width}x{height}"


def _length(length: Length) -> str:
    return f"{length.value * 100:g}%" if length.unit == "share" else f"{length.value:g}"


def _corners(shape: PolygonMask, size: tuple[int, int]) -> tuple[Floats, Floats]:
    return (
        np.array([x.pixels(size[0]) for x, _ in shape.points], dtype=np.float64),
        np.array([y.pixels(size[1]) for _, y in shape.points], dtype=np.float64),
    )


def _rectangle(box: Box, size: tuple[int, int]) -> Array:
    return np.outer(_overlap(box[1], box[3], size[1]), _overlap(box[0], box[2], size[0]))


def _overlap(low: float, high: float, count: int) -> Array:
    """How much of every pixel 0..count-1 lies between low and high."""
    starts = np.arange(count, dtype=np.float64)
    overlap = np.minimum(starts + 1, high) - np.maximum(starts, low)
    return np.asarray(np.clip(overlap, 0, 1), dtype=np.float32)


def _scan_lines(size: tuple[int, int]) -> Floats:
    """The y of every scan line."""
    return (np.arange(size[1] * _ROWS) + 0.5) / _ROWS


def _ellipse(box: Box, size: tuple[int, int]) -> Array:
    lines = _scan_lines(size)
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    height = (lines - centre_y) / max((box[3] - box[1]) / 2, 1e-9)
    rows = np.flatnonzero(np.abs(height) < 1)
    reach = (box[2] - box[0]) / 2 * np.sqrt(1 - height[rows] ** 2)
    return _fill(rows, centre_x - reach, centre_x + reach, size)


def _polygon(xs: Floats, ys: Floats, size: tuple[int, int]) -> Array:
    """Fill every scan line where the polygon winds around it (a pentagram has no hole).

    Edges cross each line an even number of times, with windings that add up to 0: sorted by line
    and x, one running sum tells for every crossing whether the way to the next one lies inside.
    """
    lines = _scan_lines(size)
    rows, crossings, turns = [], [], []
    for x, y, next_x, next_y in zip(xs, ys, np.roll(xs, -1), np.roll(ys, -1), strict=True):
        met = np.flatnonzero((y <= lines) != (next_y <= lines))
        rows.append(met)
        crossings.append(x + (lines[met] - y) / (next_y - y or 1.0) * (next_x - x))
        turns.append(np.full(len(met), 1 if next_y > y else -1))
    row, at, turn = np.concatenate(rows), np.concatenate(crossings), np.concatenate(turns)
    order = np.lexsort((at, row))
    inside = np.flatnonzero(np.cumsum(turn[order]))
    return _fill(row[order][inside], at[order][inside], at[order][inside + 1], size)


def _fill(
    rows: npt.NDArray[np.int64], starts: Floats, ends: Floats, size: tuple[int, int]
) -> Array:
    """Paint spans of scan lines: every pixel gets the share of it that they cover.

    A span begins where its first pixel gains what lies right of `start`, and ends likewise; running
    sums along each line of pixels do the rest, in whole numbers.
    """
    paint = np.zeros((size[1], size[0]), dtype=np.float32)
    if not len(rows):
        return paint
    pixel_rows = rows // _ROWS
    first, last = int(pixel_rows.min()), int(pixel_rows.max()) + 1
    gains = np.zeros((last - first, size[0] + 2), dtype=np.int32)
    for edge, sign in ((starts, 1), (ends, -1)):
        fine = np.rint(np.clip(edge, 0, size[0]) * _FINE).astype(np.int64)
        pixel, past = fine // _FINE, (fine % _FINE).astype(np.int32)
        np.add.at(gains, (pixel_rows - first, pixel), sign * (_FINE - past))
        np.add.at(gains, (pixel_rows - first, pixel + 1), sign * past)
    paint[first:last] = np.cumsum(gains, axis=1)[:, : size[0]] / (_FINE * _ROWS)
    return paint
