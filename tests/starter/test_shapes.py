"""Random regions of training canvases."""

import numpy as np

from smd_cli.starter.shapes import SIZES, Region, bite, draw_region


def test_regions_take_the_share_they_were_asked_for_and_hold_their_object() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        region = draw_region(rng, 32, (0.05, 0.31))
        assert 0.035 < region.cells.mean() < 0.36
        top, left, bottom, right = region.box
        assert region.object_cells in range(SIZES[0], SIZES[1] + 1, 2)
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


def test_about_the_middle_an_object_of_a_size_has_but_one_place() -> None:
    rng = np.random.default_rng(2)
    places: dict[int, set[tuple[int, int]]] = {}
    for _ in range(200):
        region = draw_region(rng, 32, (0.05, 0.31)).centred()
        places.setdefault(region.object_cells, set()).add(region.corner(region.object_cells))
    assert places == {size: {(16 - size // 2, 16 - size // 2)} for size in range(6, 17, 2)}


def test_a_region_loses_what_others_take_but_never_most_of_it() -> None:
    cells = np.zeros((16, 16), dtype=np.bool_)
    cells[2:12, 2:12] = True
    region = Region(cells, 0.9)
    below = np.zeros_like(cells)
    below[9:] = True
    bitten = bite(region, [below])
    assert bitten.box == (2, 2, 9, 12)
    assert (region.object_cells, bitten.object_cells) == (8, 6)
    below[6:] = True
    assert bite(region, [below]) is region
    assert bite(region, []).cells.sum() == region.cells.sum()
