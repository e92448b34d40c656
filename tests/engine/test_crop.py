"""Which part of a large picture is generated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from dense import boxed, dense

from smd_cli.engine.crop import Crop, crop_of, cropped_brushes, cropped_picture
from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler

from .scenes import brush

AUTO = Sampler()


def painted(size: Size, box: tuple[int, int, int, int], blur_px: float = 0.0) -> Painted:
    paint = np.zeros(size[::-1], dtype=np.float32)
    left, top, right, bottom = box
    paint[top:bottom, left:right] = 1
    return Painted(brush(1, blur_px=blur_px), boxed(paint), ())


@pytest.mark.parametrize("size", [(64, 64), (384, 384), (384, 64), (101, 67)])
def test_what_a_model_is_at_home_with_is_generated_whole(size: Size) -> None:
    crop = crop_of([painted(size, (0, 0, 9, 9))], size, 256, AUTO)
    assert crop == Crop(0, 0, size, size)
    assert crop.scale == 1


def test_a_small_brush_has_a_native_canvas_around_it() -> None:
    crop = crop_of([painted((1200, 900), (700, 420, 740, 450))], (1200, 900), 256, AUTO)
    left, top = crop.left, crop.top
    assert crop.extent == crop.size
    assert math.prod(crop.extent) == pytest.approx(256**2, rel=0.01)
    assert abs(left + crop.extent[0] / 2 - 720) <= 1
    assert abs(top + crop.extent[1] / 2 - 435) <= 1


@pytest.mark.parametrize("number", range(40))
def test_a_crop_holds_all_paint_with_its_blur_and_what_surrounds_it(number: int) -> None:
    draw = np.random.default_rng(number)
    size = (int(draw.integers(400, 900)), int(draw.integers(90, 900)))
    low = [int(draw.integers(0, side - 20)) for side in size]
    high = [int(draw.integers(a + 1, side + 1)) for a, side in zip(low, size, strict=True)]
    blur = float(draw.integers(0, 9))
    crop = crop_of([painted(size, (*low, *high), blur)], size, 256, AUTO)  # type: ignore[arg-type]
    corner = (crop.left, crop.top)
    for a, b, at, extent, side in zip(low, high, corner, crop.extent, size, strict=True):
        assert at <= max(0, a - 3 * blur)
        assert at + extent >= min(side, b + 3 * blur)
        assert 0 <= at <= side - extent
        assert extent >= min(side, 1.5 * (b - a))
    assert math.prod(crop.extent) >= min(256**2, math.prod(size)) * 0.99
    assert math.prod(crop.size) <= (1.26 * 256) ** 2
    assert crop.size[0] / crop.size[1] == pytest.approx(crop.extent[0] / crop.extent[1], rel=0.02)


def test_windows_of_a_side_keep_the_scale() -> None:
    one = painted((2000, 1600), (100, 100, 1900, 1500))
    scaled = crop_of([one], (2000, 1600), 256, AUTO)
    assert scaled.extent == (2000, 1600)
    assert scaled.scale == pytest.approx(256 / math.sqrt(2000 * 1600), rel=0.01)
    assert crop_of([one], (2000, 1600), 256, Sampler(windows=256)) == Crop.whole((2000, 1600))
    paper = Sampler(windows=256, preset="paper")  # which has no windows
    assert crop_of([one], (2000, 1600), 256, paper) == scaled


def test_brushes_far_apart_share_a_box() -> None:
    size = (2000, 1600)
    brushes = [painted(size, (0, 0, 50, 50)), painted(size, (1900, 1500, 2000, 1600))]
    assert crop_of(brushes, size, 256, AUTO).extent == size


def test_masks_without_paint_leave_the_middle() -> None:
    crop = crop_of([painted((2000, 1600), (0, 0, 0, 0))], (2000, 1600), 256, AUTO)
    assert (crop.left, crop.top, crop.extent) == (872, 672, (256, 256))


def test_masks_and_picture_are_scaled_alike() -> None:
    size = (800, 600)
    one = painted(size, (200, 300, 400, 500), blur_px=8.0)
    crop = Crop(100, 200, (400, 400), (100, 100))
    [cut] = cropped_brushes([one], crop, Kept())
    expected = np.zeros((100, 100))
    expected[25:75, 25:75] = 1
    assert cut.brush.blur_px == 2.0
    assert np.array_equal(dense(cut.paint), expected)
    picture = np.zeros((600, 800, 3), dtype=np.uint8)
    picture[200:600, 100:500] = (10, 200, 30)
    assert (cropped_picture(picture, crop) == (10, 200, 30)).all()


def test_a_mask_is_cut_once() -> None:
    kept: Kept[object] = Kept()
    one = painted((800, 600), (200, 300, 400, 500))
    crop = Crop(100, 200, (400, 400), (100, 100))
    with kept.round():
        [first] = cropped_brushes([one], crop, kept)  # type: ignore[arg-type]
        [again] = cropped_brushes([one], crop, kept)  # type: ignore[arg-type]
    assert first.paint is again.paint
