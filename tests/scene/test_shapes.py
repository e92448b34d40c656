"""Shapes in bands and boxes, against the plain way: every edge with every scan line."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from dense import boxed, levels

from smd_cli.scene.paint import boxes, shapes
from smd_cli.scene.paint.shapes import draw_shape
from smd_cli.scene.types import EllipseMask, Length, PolygonMask, RectMask

Kind = type[RectMask] | type[EllipseMask]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def polygon(corners: Floats, *, invert: bool = False) -> PolygonMask:
    return PolygonMask(tuple((Length(float(x)), Length(float(y))) for x, y in corners), invert)


def box(kind: Kind, width: float, *, invert: bool = False) -> RectMask | EllipseMask:
    return kind(Length(10), Length(20), Length(width), Length(7), invert)


def drawn(shape: RectMask | EllipseMask | PolygonMask, size: tuple[int, int]) -> Any:
    return levels(draw_shape(shape, size))


def naive(corners: Floats, size: tuple[int, int]) -> Any:
    """Sixteen scan lines a pixel, 256 steps along them; inside is where the winding is not 0."""
    width, height = size
    covered = np.zeros((height, width * 256), dtype=np.int64)
    for line in range(height * 16):
        y = (line + 0.5) / 16
        crossings = []
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y):
                at = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
                crossings.append((at, 1 if y1 > y0 else -1))
        winding = 0
        for (start, turn), (end, _) in zip(sorted(crossings), sorted(crossings)[1:], strict=False):
            winding += turn
            if winding:
                first, last = (round(min(max(at, 0), width) * 256) for at in (start, end))
                covered[line // 16, first:last] += 1
    shares = covered.reshape(height, width, 256).sum(axis=2) / (256 * 16)
    return np.floor(shares * 255 + 0.5)


@pytest.mark.parametrize("crossings", [1, 50, 2**16])
def test_polygons_are_what_the_plain_way_paints(
    monkeypatch: pytest.MonkeyPatch, crossings: int
) -> None:
    monkeypatch.setattr(shapes, "_CROSSINGS", crossings)
    random = np.random.default_rng(0)
    for count in (3, 4, 7, 20):
        for low, high in ((2, 17), (-20, 40), (5.2, 5.9)):
            corners = random.uniform(low, high, (count, 2))
            whole = corners.round() if count == 7 else corners
            assert (drawn(polygon(whole), (19, 13)) == naive(whole, (19, 13))).all()


def test_a_polygon_without_area_paints_nothing() -> None:
    for y in (10, 10.2):
        flat = np.array([(10, y), (20, y), (30, y)])
        assert not drawn(polygon(flat), (64, 64)).any()


def test_a_shape_is_held_in_its_own_box_and_the_most_paint_stays() -> None:
    paint = draw_shape(box(RectMask, 5.25), (64, 64))
    assert paint.window == (slice(20, 27), slice(10, 16))
    joined = boxed(np.full((64, 64), 0.6)).joined(paint)
    expected = np.full((64, 64), 153)
    expected[20:27, 10:15] = 255
    assert (levels(joined) == expected).all()


@pytest.mark.parametrize("kind", [RectMask, EllipseMask])
def test_a_shape_over_many_tiles_is_drawn_as_in_one(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    shapes_of = [
        kind(Length(-7.3), Length(5.5), Length(60), Length(49.25)),
        polygon(np.random.default_rng(1).uniform(-5, 70, (9, 2))),
    ]
    for shape in shapes_of:
        whole = drawn(shape, (64, 48))
        with monkeypatch.context() as patch:
            patch.setattr(boxes, "TILE_PX", 7)
            assert (drawn(shape, (64, 48)) == whole).all()
        assert 0 < whole.sum() < 64 * 48 * 255


@pytest.mark.slow
def test_edges_without_end_are_drawn_in_time() -> None:
    """Twenty thousand edges from top to bottom: on fewer scan lines, half of all is covered."""
    x = np.random.default_rng(0).uniform(0, 2048, 20_000)
    zigzag = polygon(np.stack([x, np.tile([0.0, 2048.0], 10_000)], axis=1))
    started = time.process_time()
    paint = draw_shape(zigzag, (2048, 2048))
    assert time.process_time() - started < 8
    assert paint.share > 0.5


@pytest.mark.parametrize("kind", [RectMask, EllipseMask])
def test_an_inverted_shape_covers_what_lies_outside_its_box(kind: Kind) -> None:
    paint = drawn(box(kind, 5, invert=True), (64, 48))
    assert (paint == 255 - drawn(box(kind, 5), (64, 48))).all()
    assert paint.sum() > (64 * 48 - 36) * 255


def test_an_outline_of_many_points_is_quick_and_takes_little_memory() -> None:
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    reach = 200 + 20 * np.sin(angle * 500)
    outline = polygon(np.stack([256 + reach * np.cos(angle), 256 + reach * np.sin(angle)], axis=1))
    tracemalloc.start()
    started = time.process_time()
    paint = drawn(outline, (512, 512))
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    area = 0.5 * (reach**2).mean() * 2 * np.pi
    assert paint.sum() / 255 == pytest.approx(area, rel=1e-3)
    assert seconds < 2
    assert peak < 30e6


def test_lines_across_the_canvas_take_little_memory() -> None:
    corners = np.random.default_rng(0).uniform(0, 256, (2000, 2))
    tracemalloc.start()
    drawn(polygon(corners), (256, 256))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6


def test_many_shapes_on_a_large_canvas_draw_in_their_own_boxes() -> None:
    numbers = np.random.default_rng(0).uniform(0, 4000, (200, 2))
    started = time.process_time()
    made = [
        draw_shape(EllipseMask(Length(x), Length(y), Length(20), Length(20)), (4096, 4096))
        for x, y in numbers
    ]
    assert time.process_time() - started < 2
    assert all(tile.size <= 21 * 21 for paint in made for tile in paint.tiles.values())
