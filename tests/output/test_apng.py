"""APNGs read back by Pillow and by a walk over the chunks."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from smd_cli.output.apng import delay
from smd_cli.scene.types import Output

from .frames import picture, write


def walk(data: bytes) -> list[tuple[bytes, bytes]]:
    """Every chunk of a PNG; checks lengths and sums on the way."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        named = data[at + 4 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(named)
        found.append((named[:4], named[4:]))
        at += 12 + length
    assert at == len(data)
    return found


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pixels_come_back(count: int) -> None:
    frames = [picture(k) for k in range(count)]
    write("a.apng", frames=frames, text={"scene": "é"})
    with Image.open("a.apng") as image:
        assert getattr(image, "n_frames", 1) == count
        assert image.text == {"scene": "é"}
        seen = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(image)]
    assert np.array_equal(seen, frames)


def test_chunks_are_in_order_and_numbered() -> None:
    frames = [np.random.default_rng(k).integers(0, 256, (200, 200, 3), np.uint8) for k in range(3)]
    write("a.apng", frames=frames, text={"seed": "7"}, output=Output(fps=23.976, loop=False))
    parts = walk(Path("a.apng").read_bytes())
    kinds = [kind for kind, _ in parts]
    assert kinds[:5] == [b"IHDR", b"acTL", b"tEXt", b"fcTL", b"IDAT"]
    assert (kinds[-1], kinds.count(b"IEND"), kinds.count(b"fcTL")) == (b"IEND", 1, 3)
    assert parts[1][1] == struct.pack(">2I", 3, 1)
    numbers = [struct.unpack(">I", b[:4])[0] for k, b in parts if k in (b"fcTL", b"fdAT")]
    assert numbers == list(range(len(numbers)))
    controls = [body for kind, body in parts if kind == b"fcTL"]
    assert {struct.unpack(">4I2H2B", c[4:]) for c in controls} == {
        (200, 200, 0, 0, 125, 2997, 0, 0)
    }


def test_loop_for_ever() -> None:
    write("a.apng", frames=[picture(k) for k in range(2)])
    assert walk(Path("a.apng").read_bytes())[1][1] == struct.pack(">2I", 2, 0)


@pytest.mark.parametrize(
    "fps", [0.5, 1, 12, 23.976, 29.97, 59.94, 12.3456789, 0.1234567, 1e-9, 1e9]
)
def test_delays_fit_16_bits_and_are_true(fps: float) -> None:
    above, below = delay(fps)
    assert 0 < above <= 65535
    assert 0 < below <= 65535
    wanted = 1 / min(max(fps, 1 / 65535), 65535)
    assert float(Fraction(above, below)) == pytest.approx(wanted, rel=1e-4)
