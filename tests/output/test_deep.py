"""PNG of 16 bits, unpacked by hand and by Pillow."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from smd_cli.output.chunks import chunks
from smd_cli.output.stills import encode_still
from smd_cli.scene.paint.photo import Photo

TEXT = {"seed": "7", "scene": "a fox 🦊"}


def samples(height: int, width: int, channels: int) -> npt.NDArray[np.uint16]:
    draw = np.random.default_rng(2)
    return draw.integers(0, 65536, (height, width, channels)).astype(np.uint16)


def unpacked(png: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Every row is its filter's number, then bytes less those above them (PNG 1.2, filter 2)."""
    packed = b"".join(body for kind, body in chunks(png) if kind == b"IDAT")
    rows = zlib.decompress(packed)
    length = 1 + shape[1] * shape[2] * 2
    above, found = bytes(length - 1), []
    for start in range(0, len(rows), length):
        assert rows[start] == 2
        own = rows[start + 1 : start + length]
        above = bytes((a + b) % 256 for a, b in zip(own, above, strict=True))
        found.append(np.frombuffer(above, dtype=">u2").reshape(shape[1:]))
    return np.stack(found)


@pytest.mark.parametrize("channels", [3, 4])
def test_samples_come_back(channels: int) -> None:
    levels = samples(300, 31, channels)  # of more rows than are packed at once
    png = encode_still(Photo(levels), "PNG", 90, TEXT)
    assert np.array_equal(unpacked(png, levels.shape), levels)
    with Image.open(BytesIO(png)) as image:
        assert np.array_equal(np.asarray(image), levels >> 8)
        assert image.text == TEXT


def test_the_profile_goes_along() -> None:
    png = encode_still(Photo(samples(9, 7, 3), profile=b"colours"), "PNG", 90, {})
    with Image.open(BytesIO(png)) as image:
        assert image.info["icc_profile"] == b"colours"


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_other_formats_take_eight_bits(file_format: Any) -> None:
    levels = samples(9, 7, 3)
    rounded = np.rint(levels / 257).astype(np.uint8)
    deep = encode_still(Photo(levels), file_format, 90, {})
    assert deep == encode_still(rounded, file_format, 90, {})
