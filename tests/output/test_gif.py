"""GIFs read back by Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageSequence

from smd_cli.output.gif import packed, reduce_colours
from smd_cli.output.stills import Pixels
from smd_cli.scene.types import Output

from .frames import picture, write


def read(path: str = "a.gif") -> tuple[list[Pixels], list[int], dict[str, object]]:
    """Frames, delays in ms and facts of the first frame."""
    with Image.open(path) as image:
        info = dict(image.info)
        pairs = [(np.asarray(f.convert("RGB")), f.info["duration"]) for f in walk(image)]
    return [p for p, _ in pairs], [d for _, d in pairs], info


def walk(image: Image.Image) -> ImageSequence.Iterator:
    return ImageSequence.Iterator(image)


def soft(pixels: Pixels) -> Pixels:
    """What an eye sees of dithered pixels from some way off."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2))).astype(np.uint8)


@pytest.mark.parametrize("size", [(65, 33), (1, 1), (2, 300), (256, 256)])
def test_frames_look_like_what_was_written(size: tuple[int, int]) -> None:
    frames = [picture(k, *size) for k in range(4)]
    write("a.gif", frames=frames)
    for seen, meant in zip(read()[0], frames, strict=True):
        assert seen.shape == meant.shape
        apart = np.abs(soft(seen).astype(int) - soft(meant))
        assert apart.mean() < 2.5


def test_few_colours_are_nearly_exact() -> None:
    frames = [np.zeros((8, 8, 3), np.uint8) for _ in range(3)]
    for k, frame in enumerate(frames):
        frame[:, : 2 + k] = (250, 10 * k, 60)
        frame[3] = (1, 2, 3)
    write("a.gif", frames=frames)
    for seen, meant in zip(read()[0], frames, strict=True):
        assert np.abs(seen.astype(int) - meant).max() <= 3


@pytest.mark.parametrize("fps", [0.5, 7, 23.976, 50])
def test_the_whole_time_is_right(fps: float) -> None:
    write("a.gif", frames=[picture(k, 2, 8) for k in range(60)], output=Output(fps=fps))
    frames, delays, _ = read()
    assert len(frames) == 60
    assert abs(sum(delays) - 60_000 / fps) <= 5
    assert max(delays) - min(delays) <= 10


def test_too_fast_for_viewers() -> None:
    write("a.gif", frames=[picture(k, 8, 8) for k in range(5)], output=Output(fps=120))
    assert set(read()[1]) == {20}


def test_loop() -> None:
    frames = [picture(k) for k in range(2)]
    write("for-ever.gif", "once.gif", frames=frames)
    assert read("for-ever.gif")[2]["loop"] == 0
    write("once.gif", frames=frames, output=Output(loop=False))
    assert "loop" not in read("once.gif")[2]
    assert b"NETSCAPE" not in Path("once.gif").read_bytes()


def test_still_parts_do_not_shimmer() -> None:
    frames = [picture(0, 64, 64) for _ in range(3)]
    frames[1][:8] = 0
    frames[2][:8] = 255
    frames[2][32:, 32:] ^= 1
    write("a.gif", frames=frames)
    seen = read()[0]
    assert np.array_equal(seen[0][8:], seen[2][8:])
    assert (seen[2][:8] == 255).all()


def test_slow_change_is_not_lost() -> None:
    frames = [np.full((8, 8, 3), 100 + k, np.uint8) for k in range(20)]
    write("a.gif", frames=frames)
    for seen, meant in zip(read()[0], frames, strict=True):
        assert np.abs(seen.astype(int) - meant).max() <= 2


def test_same_bytes_twice() -> None:
    frames = [picture(k) for k in range(3)]
    write("a.gif", "b.gif", frames=frames)
    assert Path("a.gif").read_bytes() == Path("b.gif").read_bytes()


def test_packed_data_is_one_run_of_blocks() -> None:
    data = packed(reduce_colours(picture()))
    at = 1
    while data[at]:
        at += 1 + data[at]
    assert (data[0], at) == (8, len(data) - 1)
