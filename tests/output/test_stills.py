from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from smd_cli.output.chunks import chunks
from smd_cli.output.stills import encode_still
from smd_cli.output.targets import Format
from smd_cli.scene.paint.photo import Photo

from .frames import picture

TEXT = {"scene": "model: starter\nprompt: a fox 🦊", "seed": "7", "frame": "0"}


def test_png_keeps_pixels_and_text() -> None:
    data = encode_still(picture(), "PNG", 1, TEXT)
    with Image.open(BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), picture())
        assert image.text == TEXT


def test_png_text_lies_where_other_tools_look() -> None:
    parts = list(chunks(encode_still(picture(), "PNG", 1, TEXT)))
    assert (b"tEXt", b"seed\x007") in parts
    assert (b"iTXt", b"scene\0\0\0\0\0" + TEXT["scene"].encode()) in parts
    assert [kind for kind, _ in parts].index(b"iTXt") < [k for k, _ in parts].index(b"IDAT")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_same_bytes_twice(file_format: Format) -> None:
    one, two = (encode_still(picture(), file_format, 90, TEXT) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_quality(file_format: Format) -> None:
    errors, sizes = [], []
    for quality in (20, 60, 95):
        data = encode_still(picture(), file_format, quality, TEXT)
        sizes.append(len(data))
        with Image.open(BytesIO(data)) as image:
            assert image.format == file_format
            errors.append(np.abs(np.asarray(image).astype(int) - picture()).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(("quality", "sampling"), [(89, b"\x22"), (90, b"\x11"), (100, b"\x11")])
def test_jpeg_colour_resolution(quality: int, sampling: bytes) -> None:
    data = encode_still(picture(), "JPEG", quality, {})
    frame = re.search(rb"\xff\xc0..\x08....\x03\x01(.)", data, re.DOTALL)
    assert frame is not None
    assert frame[1] == sampling


def clear() -> Photo:
    """A picture half of which is transparent, over green."""
    alpha = np.zeros((33, 65, 1), dtype=np.uint8)
    alpha[:, :40] = 255
    return Photo(np.concatenate([picture(), alpha], axis=2), under=(0, 200, 0))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_transparency_and_what_it_hides_are_kept(file_format: Format) -> None:
    data = encode_still(clear(), file_format, 100, {})
    with Image.open(BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), clear().levels)


def test_a_jpeg_shows_what_lies_under() -> None:
    with Image.open(BytesIO(encode_still(clear(), "JPEG", 95, {}))) as image:
        seen = np.asarray(image).astype(int)
    assert np.abs(seen[:, 50:] - (0, 200, 0)).max() <= 12


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_colour_profile_goes_along(file_format: Format) -> None:
    data = encode_still(Photo(picture(), profile=b"some colours"), file_format, 90, {})
    with Image.open(BytesIO(data)) as image:
        assert image.info["icc_profile"] == b"some colours"


def test_a_webp_of_100_loses_nothing() -> None:
    with Image.open(BytesIO(encode_still(picture(), "WEBP", 100, {}))) as image:
        assert np.array_equal(np.asarray(image), picture())


@pytest.mark.parametrize("quality", [90, 95, 100])
def test_a_jpeg_of_nothing_but_noise_is_written(quality: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 310, 3)).astype(np.uint8)
    with Image.open(BytesIO(encode_still(noise, "JPEG", quality, {}))) as image:
        assert np.abs(np.asarray(image).astype(int) - noise).mean() < 8
