"""Random regions of training canvases."""

import numpy as np

from smd_cli.starter.shapes import draw_region


def test_regions_take_the_share_they_were_asked_for_and_hold_their_object() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        region = draw_region(rng, 32, (0.05, 0.31))
        assert 0.035 < region.cells.mean() < 0.36
        top, left, bottom, right = region.box
        y, x = region.corner(region.object_cells)
        assert top - 1 <= y
        assert y + region.object_cells <= bottom + 1
        assert left - 1 <= x
        assert x + region.object_cells <= right + 1


def test_centring_puts_the_box_in_the_middle() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        region = draw_region(rng, 32, (0.05, 0.31))
        centred = region.centred()
        top, left, bottom, right = centred.box
        assert ((top + bottom) // 2, (left + right) // 2) == (16, 16)
        assert centred.cells.sum() == region.cells.sum()
