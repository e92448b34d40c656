"""Laying what was generated into a picture: against loops over pixels and hand values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from dense import boxed

from smd_cli.engine.crop import Crop
from smd_cli.engine.paste import Paste, grain_of, mixed, shares_of
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.paint.photo import Photo

from .scenes import brush

SIZE = (61, 47)
Values = npt.NDArray[Any]


def painted(number: int, box: tuple[int, int, int, int], blur_px: float) -> Painted:
    paint = np.zeros(SIZE[::-1], dtype=np.float32)
    left, top, right, bottom = box
    paint[top:bottom, left:right] = 1
    return Painted(brush(number, blur_px=blur_px), boxed(paint), ())


def share_by_hand(
    layers: list[Painted], x: int, y: int, wraps: tuple[bool, bool] = (False, False)
) -> int:
    """One pixel: the sum over all pixels of a Gaussian of ceil(3·std) cells, the edge going on, at
    its other end where a side wraps.
    """

    def met(place: int, length: int, around: bool) -> int:
        return place % length if around else min(max(place, 0), length - 1)

    most = 0
    for one in layers:
        std = one.brush.blur_px
        reach = math.ceil(3 * std)
        offsets = range(-reach, reach + 1)
        bell = [math.exp(-0.5 * (k / std) ** 2) if std else 1.0 for k in offsets]
        levels = one.paint.read((slice(0, SIZE[1]), slice(0, SIZE[0])))
        total = 0.0
        for dy, down in zip(offsets, bell, strict=True):
            for dx, across in zip(offsets, bell, strict=True):
                row, column = met(y + dy, SIZE[1], wraps[0]), met(x + dx, SIZE[0], wraps[1])
                total += down * across * levels[row, column] / 255
        most = max(most, math.floor(min(1, 2 * total / sum(bell) ** 2) * 255 + 1e-3))
    return most


@pytest.mark.parametrize("blurs", [(0.0, 0.0), (2.0, 1.0)])
def test_shares_are_the_brushes_blurred_masks(blurs: tuple[float, float]) -> None:
    layers = [painted(1, (10, 8, 20, 30), blurs[0]), painted(2, (40, 20, 61, 47), blurs[1])]
    crop = Crop(3, 2, (58, 45), (58, 45))
    shares = shares_of(layers, SIZE, crop)
    places = [(3, 2), (10, 10), (19, 20), (20, 20), (22, 33), (24, 6), (39, 30), (60, 46)]
    for x, y in [*places, (38, 19), (37, 40)]:
        assert abs(int(shares[y - 2, x - 3]) - share_by_hand(layers, x, y)) <= 1, (x, y)


@pytest.mark.parametrize("wraps", [(False, True), (True, True)])
def test_shares_go_on_at_the_other_end_of_a_side_that_wraps(wraps: tuple[bool, bool]) -> None:
    layers = [painted(1, (45, 30, 61, 47), 2.0), painted(2, (0, 0, 20, 9), 1.5)]
    shares = shares_of(layers, SIZE, Crop.whole(SIZE), wraps)
    for x, y in [(0, 40), (2, 35), (5, 44), (60, 3), (59, 8), (50, 1), (30, 2), (0, 46), (10, 45)]:
        assert abs(int(shares[y, x]) - share_by_hand(layers, x, y, wraps)) <= 1, (x, y)
    assert 0 < shares[40, 2] < 255


@pytest.mark.parametrize("blur_px", [0.0, 1.5, 6.0])
def test_beyond_three_blurs_nothing_is_generated(blur_px: float) -> None:
    layers = [painted(1, (20, 15, 31, 24), blur_px)]  # whose middle a blur of 6 thins to 0.35
    shares = shares_of(layers, SIZE, Crop.whole(SIZE))
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    apart = np.hypot(np.maximum(0, np.maximum(20 - x, x - 30)), np.maximum(0, abs(y - 19) - 4))
    assert not shares[apart > 3 * blur_px + 1].any()
    assert (shares[apart > 0].max() > 0) == (blur_px > 0)
    assert shares[19, 25] == (255 if blur_px < 6 else shares.max())


def mixed_by_hand(old: Values, new: Values, share: int, most: int) -> list[float]:
    part = share / 255
    opaque = old[3] / most if len(old) == 4 else 1.0
    whole = part + (1 - part) * opaque
    if not whole:
        return [float(v) for v in old]
    seen = [(part * new[c] * most + (1 - part) * opaque * float(old[c])) / whole for c in range(3)]
    return seen + ([whole * most] if len(old) == 4 else [])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_mixing_is_new_over_old(kind: type, channels: int) -> None:
    draw = np.random.default_rng(3)
    most = np.iinfo(kind).max
    old = draw.integers(0, most, (6, 7, channels), dtype=kind, endpoint=True)
    old[0, :, -1] = 0
    new = draw.random((6, 7, 3)).astype(np.float32)
    share = draw.integers(0, 256, (6, 7)).astype(np.uint8)
    share[:, 0], share[:, 1] = 0, 255
    found = mixed(old, new, share)
    assert found.dtype == kind
    assert np.array_equal(found[:, 0], old[:, 0])
    for at in np.ndindex(6, 7):
        expected = mixed_by_hand(old[at], new[at], int(share[at]), most)
        assert found[at] == pytest.approx(expected, abs=0.51 if kind is np.uint8 else 1), at


def test_grain_of_a_chequerboard_is_its_hand_value() -> None:
    """Each second difference of +a, -a, +a is 4a; both ways 16a."""
    y, x = np.mgrid[:66, :66]
    luma = (0.5 + 0.01 * (-1.0) ** (x + y)).astype(np.float32)
    everywhere = np.ones((66, 66), dtype=bool)
    expected = math.sqrt(math.pi / 2) * 16 * 0.01 / 6
    assert grain_of(luma, everywhere) == pytest.approx(expected, rel=1e-4)


def test_grain_sees_noise_and_neither_slopes_nor_things() -> None:
    y, x = np.mgrid[:200, :240].astype(np.float32)
    everywhere = np.ones(y.shape, dtype=bool)
    slope = x / 300 + y / 900
    assert grain_of(slope, everywhere) < 1e-6
    noise = np.random.default_rng(5).normal(0, 0.02, y.shape).astype(np.float32)
    assert grain_of(slope + noise, everywhere) == pytest.approx(0.02, rel=0.08)
    things = np.where(x > 120, 0.3 * np.sin(x * 2) * np.sin(y * 1.7), 0)
    assert grain_of(slope + noise + things, everywhere) == pytest.approx(0.02, rel=0.12)


def test_grain_is_measured_where_it_is_asked_for() -> None:
    luma = np.random.default_rng(6).normal(0.5, 0.01, (100, 100)).astype(np.float32)
    luma[:, 50:] = 0.5
    left = np.zeros(luma.shape, dtype=bool)
    left[:, :50] = True
    assert grain_of(luma, left) == pytest.approx(0.01, rel=0.1)
    assert grain_of(luma, ~left) == 0
    assert grain_of(luma[:9, :9], left[:9, :9]) == 0  # there is no square in it


def paste(grain: float = 0.0, levels: Values | None = None) -> Paste:
    """A paste in the middle of 96 x 80 pixels, on a model's canvas of half the size."""
    levels = np.full((80, 96, 3), 90, dtype=np.uint8) if levels is None else levels
    share = np.full((64, 64), 255, dtype=np.uint8)
    share[:3] = share[-3:] = share[:, :3] = share[:, -3:] = 0
    return Paste(Photo(levels), Crop(20, 10, (64, 64), (32, 32)), share, grain, seed=7)


def test_what_is_missing_of_the_grain_is_added() -> None:
    flat = np.full((32, 32, 3), 0.5, dtype=np.float32)
    bare = paste().laid(flat, 0).levels
    assert (bare[13:71, 23:81] == 128).all()
    grained = paste(0.03).laid(flat, 0).levels
    noise = grained[13:71, 23:81].astype(float) - 127.5
    assert noise.std() / 255 == pytest.approx(0.03, rel=0.05)
    assert np.array_equal(noise[..., 0], noise[..., 2])  # of brightness alone
    outside = np.ones(grained.shape[:2], dtype=bool)
    outside[13:71, 23:81] = False
    assert (grained[outside] == 90).all()


def test_grain_is_a_function_of_seed_and_frame() -> None:
    flat = np.full((32, 32, 3), 0.5, dtype=np.float32)
    own = paste(0.03)
    first = own.laid(flat, 0).levels
    assert np.array_equal(own.laid(flat, 0).levels, first)
    assert not np.array_equal(own.laid(flat, 1).levels, first)
    assert not np.array_equal(replace(own, seed=8).laid(flat, 0).levels, first)


def test_no_grain_is_added_where_none_is_missing() -> None:
    noisy = np.random.default_rng(8).normal(0.5, 0.05, (64, 64, 1)).astype(np.float32)
    noisy = np.repeat(np.clip(noisy, 0, 1), 3, axis=2)
    whole = replace(paste(0.02), crop=Crop(20, 10, (64, 64), (64, 64)))
    laid = whole.laid(noisy, 0).levels[13:71, 23:81]
    assert np.array_equal(laid, np.rint(noisy * 255).astype(np.uint8)[3:-3, 3:-3])


def test_sixteen_bits_stay_sixteen() -> None:
    levels = np.random.default_rng(9).integers(0, 65536, (80, 96, 3)).astype(np.uint16)
    laid = paste(levels=levels).laid(np.full((32, 32, 3), 0.4, dtype=np.float32), 0).levels
    assert laid.dtype == np.uint16
    assert (laid[13:71, 23:81] == round(0.4 * 65535)).all()
    assert np.array_equal(laid[:13], levels[:13])
