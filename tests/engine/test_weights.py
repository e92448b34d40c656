"""Weights in boxes are what whole canvases of them would be, and cost what is painted."""

from __future__ import annotations

import numpy as np
import pytest

from smd_cli.engine.weights import Boxed, Weights
from smd_cli.engine.windows import Strip, Support, Window

from .fake import FakeBackbone
from .scenes import box, brush, plan, scene

GRID, SLOTS = (9, 13), 2


def made(seed: int) -> Weights:
    """Three brushes of some weight each, in boxes of their own; the second has none at all."""
    rng = np.random.default_rng(seed)
    brushes = []
    for number in range(3):
        rows, columns = (
            slice(*sorted(int(rng.integers(0, side + 1)) for _ in range(2))) for side in GRID
        )
        rows = slice(0, 0) if number == 1 else rows
        shape = (SLOTS, rows.stop - rows.start, columns.stop - columns.start)
        values = rng.random(shape, dtype=np.float32) * (rng.random(shape) > 0.5)
        brushes.append(Boxed(values.astype(np.float32), (rows, columns)))
    return Weights(GRID, SLOTS, tuple(brushes))


@pytest.mark.parametrize("seed", range(30))
def test_windows_are_cut_as_from_a_canvas(seed: int) -> None:
    weights, rng = made(seed), np.random.default_rng(seed)
    dense = weights.dense()
    for _ in range(10):
        down, right = (int(rng.integers(-side, 2 * side)) for side in GRID)
        height, width = (int(rng.integers(1, side + 1)) for side in GRID)
        window = Window(Strip(down, height), Strip(right, width))
        for p, slot in np.ndindex(dense.shape[:2]):
            wanted = [
                [dense[p, slot, (down + y) % 9, (right + x) % 13] for x in range(width)]
                for y in range(height)
            ]
            assert (weights.cut(p, slot, window) == np.array(wanted)).all()
            assert weights.support(p, slot).inside(window) == bool(np.any(wanted))


@pytest.mark.parametrize("seed", range(10))
def test_the_background_is_what_is_left(seed: int) -> None:
    weights = made(seed)
    dense = weights.dense()
    below = weights.below().dense()
    assert (below[1:] == dense).all()
    assert below[0] == pytest.approx(np.clip(1 - dense.astype(float).sum(axis=0), 0, 1), abs=1e-6)
    bare = dense.max(axis=(0, 1)) == 0
    assert (weights.below(bare).dense()[0] == bare).all()
    for slot in range(SLOTS):
        assert (weights.painted(slot) == dense[:, slot].any(axis=0)).all()


def test_lines_are_those_of_a_canvas() -> None:
    cells = np.array([[False, True, False], [False, False, False]])
    support = Support(cells, (slice(2, 4), slice(4, 7)), (5, 8))
    assert np.flatnonzero(support.line(0)).tolist() == [2]
    assert np.flatnonzero(support.line(1)).tolist() == [5]


def test_small_brushes_cost_little_on_a_large_canvas() -> None:
    size, count = (512, 512), 12
    paint = [box(8 * n, 8 * n, 8 * n + 8, 8 * n + 8, size) for n in range(count)]
    weights = plan(FakeBackbone(), scene(*map(brush, range(1, count + 1))), paint, size).weights
    assert weights.dense().any(axis=(1, 2, 3)).all()
    assert sum(own.values.nbytes for own in weights.brushes) == count * 5 * 4 * 4 * 4
