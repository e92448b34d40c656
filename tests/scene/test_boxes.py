"""Paint in boxes of tiles, against whole arrays."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from dense import boxed, levels

from smd_cli.scene.paint import boxes
from smd_cli.scene.paint.boxes import Paint, bare, laid
from smd_cli.scene.paint.shapes import draw_shape
from smd_cli.scene.types import EllipseMask, Length

SIZE = (50, 40)


def blobs(seed: int) -> np.ndarray:
    """Levels (H, W) of noise, flat stretches and bare ones."""
    rng = np.random.default_rng(seed)
    found = np.zeros(SIZE[::-1], dtype=np.uint8)
    for _ in range(3):
        top, left = rng.integers(0, 30, 2)
        height, width = rng.integers(1, 25, 2)
        level = rng.choice([255, 255, 90, 0])
        found[top : top + height, left : left + width] = level
    top, left = rng.integers(0, 30, 2)
    found[top : top + 6, left : left + 6] = rng.integers(0, 256, (6, 6))
    return found


@pytest.fixture(autouse=True, params=[4, 16, 256])
def tile_px(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "TILE_PX", request.param)


@pytest.mark.parametrize("seed", range(6))
def test_boxes_hold_what_was_painted(seed: int) -> None:
    one, two = blobs(seed), blobs(seed + 100)
    paint, other = laid(one, (0, 0), SIZE), laid(two, (0, 0), SIZE)
    assert (levels(paint) == one).all()
    assert (levels(paint.inverted) == 255 - one).all()
    assert (levels(paint.joined(other)) == np.maximum(one, two)).all()
    assert (paint.sum, paint.peak) == (int(one.sum()), int(one.max()))
    assert paint.share == pytest.approx(one.mean() / 255)
    assert (paint.cells(8, (5, 7)) == one[::8, ::8]).all()
    for window in [(slice(3, 29), slice(11, 12)), (slice(0, 1), slice(0, 50)), paint.window]:
        assert (paint.read(window) == one[window]).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_window_is_the_smallest(seed: int) -> None:
    one = blobs(seed)
    rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
    for paint in (laid(one, (0, 0), SIZE), laid(255 - one, (0, 0), SIZE).inverted):
        assert paint.window == (
            slice(rows[0], rows[-1] + 1),
            slice(columns[0], columns[-1] + 1),
        )


def test_a_picture_is_laid_at_its_place() -> None:
    one = np.arange(1, 31, dtype=np.uint8).reshape(5, 6)
    found = levels(laid(one, (7, 20), SIZE))
    assert (found[20:25, 7:13] == one).all()
    assert found.sum() == one.sum()


def test_no_paint() -> None:
    nothing = laid(np.zeros(SIZE[::-1], dtype=np.uint8), (0, 0), SIZE)
    some = boxed(np.eye(50)[:40])
    assert nothing.tiles == {}
    assert nothing.window == bare(SIZE).window
    assert (nothing.sum, nothing.peak, nothing.share) == (0, 0, 0.0)
    assert nothing.joined(some) is some
    assert some.joined(nothing) is some
    assert not nothing.meets(some)
    assert (levels(nothing.inverted) == 255).all()


def test_who_meets() -> None:
    def block(left: int, right: int) -> Paint:
        return laid(np.full((5, right - left), 9, dtype=np.uint8), (left, 10), SIZE)

    assert block(0, 10).meets(block(9, 20))
    assert not block(0, 10).meets(block(10, 20))


def test_a_shape_costs_what_its_edge_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    tracemalloc.start()
    disc = EllipseMask(Length(10), Length(10), Length(4000), Length(4000))
    paint = draw_shape(disc, (4096, 4096))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert paint.sum / 255 == pytest.approx(np.pi * 2000**2, rel=1e-4)
    assert held < 4096 * 4096 / 3
    assert peak < 4096 * 4096


@pytest.mark.parametrize("seed", range(6))
def test_what_changed_lies_in_the_smallest_window(seed: int) -> None:
    one, two = blobs(seed), blobs(seed + 100)
    for other in (two, one, np.zeros_like(one)):
        paint, now = laid(one, (0, 0), SIZE), laid(other, (0, 0), SIZE)
        assert paint.changed(now) == now.changed(paint)
        assert paint.changed(now) == laid((one != other).astype(np.uint8), (0, 0), SIZE).window
