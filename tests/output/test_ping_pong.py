"""Movies that go there and back: every reader sees the frames 0 … N-1 … 1."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from smd_cli.errors import SmdError
from smd_cli.output.ping_pong import ThereAndBack
from smd_cli.output.stills import Pixels
from smd_cli.scene.types import Output

from .frames import picture, write

BACK_TOO = Output(fps=10, loop="ping-pong")
FRAMES = [picture(3 * k) for k in range(5)]
ORDER = [0, 1, 2, 3, 4, 3, 2, 1]


def seen(path: str) -> list[Pixels]:
    """A movie's frames (H, W, 3) by Pillow or ffmpeg."""
    if path.endswith("mp4"):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"]
        raw = [*command, "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        pixels = subprocess.run(raw, check=True, capture_output=True).stdout
        return [*np.frombuffer(pixels, np.uint8).reshape(-1, 34, 66, 3)]
    with Image.open(path) as movie:
        return [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(movie)]


def nearest(made: Pixels) -> int:
    """Which of the frames a picture is, however much its format bends colours."""
    far = [np.abs(made[:33, :65].astype(int) - frame).mean() for frame in FRAMES]
    assert min(far) < 12
    return int(np.argmin(far))


@pytest.mark.parametrize("name", ["a.gif", "a.apng", "a.webp", "a.mp4"])
def test_a_movie_goes_there_and_back(name: str) -> None:
    assert write(name, frames=FRAMES, output=BACK_TOO) == (name,)
    assert [nearest(made) for made in seen(name)] == ORDER


def test_it_loops_and_its_pictures_are_those_of_the_way_there() -> None:
    write("a.apng", frames=FRAMES, output=BACK_TOO)
    with Image.open("a.apng") as movie:
        assert movie.info["loop"] == 0
        assert movie.info["duration"] == 100
    made = seen("a.apng")
    assert all(np.array_equal(one, FRAMES[k]) for one, k in zip(made, ORDER, strict=True))
    write("a.gif", frames=FRAMES, output=BACK_TOO)
    assert b"NETSCAPE2.0" in Path("a.gif").read_bytes()


@pytest.mark.parametrize("count", [1, 2])
def test_few_frames_have_no_way_back(count: int) -> None:
    write("a.gif", frames=FRAMES[:count], output=BACK_TOO)
    assert [nearest(made) for made in seen("a.gif")] == ORDER[:count]


def test_a_sequence_has_every_frame_once() -> None:
    made = write("a-%d.png", "a.gif", frames=FRAMES, output=BACK_TOO)
    assert made == (*(f"a-{k}.png" for k in range(5)), "a.gif")


class _Full:
    """A movie for which there is no room."""

    def add(self, pixels: Pixels, text: object) -> None:  # noqa: ARG002
        raise OSError(28, "No space left on device")

    def finish(self) -> None:
        raise AssertionError

    def abort(self) -> None:
        self.aborted = True


def test_what_stops_it_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    full = _Full()
    movie = ThereAndBack(full, tmp_path)
    with pytest.raises(OSError, match="No space"):
        movie.add(FRAMES[0], {})
    movie.abort()
    assert full.aborted
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SmdError, match=r"no folder|could not be written"):
        write(str(tmp_path / "gone" / "a.gif"), frames=FRAMES, output=BACK_TOO)
