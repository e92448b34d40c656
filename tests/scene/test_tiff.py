"""TIFF's extra samples, separate planes and white-is-zero, written by hand."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import Values, mask_of, tiff
from PIL import Image

from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import PictureError, picture_size, read_mask

MASK = mask_of()
SIZE = (24, 16)
KINDS = {"white": (0, 1), "black": (1, 1), "RGB": (2, 3), "CMYK": (5, 4)}


def stacked(*planes: Values, deep: bool = False) -> Values:
    samples = np.stack(planes, axis=-1)
    return samples.astype("u2") * 257 if deep else samples


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [(2,), (2, 0), (0, 2), (1,)])
@pytest.mark.parametrize("deep", [False, True])
def test_opaque_is_painted_whatever_the_colours_are(
    tmp_path: Path, kind: str, extra: tuple[int, ...], deep: bool
) -> None:
    photometric, colours = KINDS[kind]
    noise = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    others = [MASK if said else noise for said in extra]
    samples = stacked(*[noise] * colours, *others, deep=deep)
    ways = itertools.product((False, True), (False, True), ("<", ">"), (0, 16))
    for planar, deflate, order, tile in ways:
        path = tiff(
            tmp_path / "m.tif",
            samples,
            photometric,
            extra=extra,
            planar=planar,
            deflate=deflate,
            predictor=2 if deflate else 1,
            order=order,
            tile=tile,
        )
        mask = read_mask(path, "m.tif", SIZE)
        assert mask.channel == "alpha"
        assert (dense(mask.paint) * 255 == MASK).all()
        assert mask.notes == ()
        assert picture_size(path, "m.tif") == SIZE


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deep", [False, True])
def test_white_is_zero(tmp_path: Path, deflate: bool, order: str, deep: bool) -> None:
    samples = stacked(255 - MASK, deep=deep)
    path = tiff(tmp_path / "m.tif", samples, 0, deflate=deflate, order=order)
    assert (dense(read_mask(path, "m.tif", SIZE).paint) * 255 == MASK).all()


def test_white_is_zero_in_one_bit(tmp_path: Path) -> None:
    Image.fromarray(MASK).convert("1").save(tmp_path / "m.tif", compression="group4")
    assert (dense(read_mask(tmp_path / "m.tif", "m.tif", SIZE).paint) * 255 == MASK).all()


def test_16_bits_are_rounded_to_the_nearest_level(tmp_path: Path) -> None:
    samples = (65535 - np.arange(24 * 16, dtype="u2")).reshape(16, 24, 1)
    mask = read_mask(tiff(tmp_path / "m.tif", samples, 0), "m.tif", SIZE)
    assert dense(mask.paint).ravel() == pytest.approx(
        np.arange(24 * 16) / 65535, abs=0.5 / 255 + 1e-6
    )


def test_a_channel_that_is_nothing_said_of_is_told(tmp_path: Path) -> None:
    grey = np.full_like(MASK, 100)
    path = tiff(tmp_path / "m.tif", stacked(grey, grey, grey, MASK), 2, extra=(0,))
    mask = read_mask(path, "m.tif", SIZE)
    assert mask.channel == "alpha"
    assert "saved selection" in mask.notes[0].message
    assert (read_photo(path, "m.tif", SIZE).seen == 100).all()  # no hole in a background


def test_a_channel_that_is_the_same_everywhere_says_nothing(tmp_path: Path) -> None:
    zero = np.zeros_like(MASK)
    path = tiff(tmp_path / "m.tif", stacked(MASK, MASK, MASK, zero), 2, extra=(0,))
    mask = read_mask(path, "m.tif", SIZE)
    assert mask.channel == "luma"
    assert (dense(mask.paint) * 255 == MASK).all()


def test_colours_multiplied_by_their_alpha_are_what_they_were(tmp_path: Path) -> None:
    alpha = np.full_like(MASK, 128)
    path = tiff(tmp_path / "m.tif", stacked(*[MASK // 2] * 3, alpha), 2, extra=(1,))
    mask = read_mask(path, "m.tif", SIZE, channel="luma")
    assert abs(dense(mask.paint) * 255 - MASK).max() <= 2  # 8 bits times a half keep 7


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    picture = Image.fromarray(MASK).convert("P")
    picture.save(tmp_path / "m.tif")
    assert (dense(read_mask(tmp_path / "m.tif", "m.tif", SIZE).paint) * 255 == MASK).all()


def test_exif_turns_it(tmp_path: Path) -> None:
    path = tiff(tmp_path / "m.tif", stacked(MASK, MASK), 1, extra=(2,), tags=[(274, 3, 6)])
    mask = read_mask(path, "m.tif", (16, 24))
    assert mask.size == picture_size(path, "m.tif") == (16, 24)
    assert (dense(mask.paint) * 255 == np.rot90(MASK, -1)).all()


def test_transparency_that_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    layers = Image.merge("RGBX", [Image.fromarray(MASK)] * 4)
    layers.save(tmp_path / "m.tif", compression="jpeg")
    with pytest.raises(PictureError, match="that smd does not read\nhint: export it as PNG"):
        read_mask(tmp_path / "m.tif", "m.tif", SIZE)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4"])
def test_libtiffs_own_words_do_not_reach_the_terminal(
    tmp_path: Path, compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    picture = Image.fromarray(noise).convert("1" if compression == "group4" else "RGB")
    picture.save(tmp_path / "m.tif", compression=compression)
    whole = (tmp_path / "m.tif").read_bytes()
    for at in range(100, 1000, 100):
        (tmp_path / "m.tif").write_bytes(whole[:at] + bytes(len(whole) - at - 400) + whole[-400:])
        with suppress(PictureError):
            read_mask(tmp_path / "m.tif", "m.tif", (64, 64))
    assert capfd.readouterr() == ("", "")
