"""WebP animations read back by Pillow (libwebp)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from smd_cli.output.stills import encode_still
from smd_cli.scene.types import Output

from .frames import picture, write


@pytest.mark.parametrize("size", [(65, 33), (64, 64), (1, 1)])
def test_frames_are_the_stills(size: tuple[int, int]) -> None:
    frames = [picture(k, *size) for k in range(5)]
    write("a.webp", "s-%d.webp", frames=frames)
    with Image.open("a.webp") as image:
        assert (image.n_frames, image.size) == (5, size)
        assert image.info["loop"] == 0
        seen = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(image)]
    for k, pixels in enumerate(seen):
        with Image.open(f"s-{k}.webp") as still:
            assert np.array_equal(pixels, np.asarray(still.convert("RGB")))


def test_timing_and_loop() -> None:
    write("a.webp", frames=[picture(k) for k in range(24)], output=Output(fps=12, loop=False))
    with Image.open("a.webp") as image:
        assert image.info["loop"] == 1
        delays = []
        for k in range(24):
            image.seek(k)
            image.load()
            delays.append(image.info["duration"])
    assert sum(delays) == 2000
    assert set(delays) == {83, 84}


def test_the_container_is_whole() -> None:
    write("a.webp", frames=[picture(k) for k in range(3)])
    data = Path("a.webp").read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    assert len(data) % 2 == 0


def test_one_frame_is_a_still() -> None:
    write("a.webp", frames=[picture()], output=Output(quality=80))
    assert Path("a.webp").read_bytes() == encode_still(picture(), "WEBP", 80, {})
