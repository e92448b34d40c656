"""Videos read back by ffmpeg."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from smd_cli.errors import SmdError
from smd_cli.output import video
from smd_cli.output.stills import Pixels
from smd_cli.output.targets import plan_targets
from smd_cli.output.video import rate_factor
from smd_cli.output.writers import Outputs, open_outputs
from smd_cli.scene.types import Output

from .frames import picture, write

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (0, 0, 0), (255, 255, 255)]
KINDS = pytest.mark.parametrize("name", ["a.mp4", "a.webm"])


def decode(name: str, width: int, height: int) -> tuple[str, Pixels]:
    """What ffmpeg says about a file, and its frames."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", name]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    pixels = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return done.stderr.decode(), pixels


@KINDS
def test_colours_and_size_come_back(name: str) -> None:
    frames = [np.full((33, 65, 3), colour, np.uint8) for colour in COLOURS]
    write(name, frames=frames, output=Output(fps=23.976))
    said, pixels = decode(name, 66, 34)
    assert np.abs(pixels.mean(axis=(1, 2)) - COLOURS).max() <= 2
    codec = "h264" if name == "a.mp4" else "vp9"
    assert re.search(rf"Video: {codec}.*yuv420p\(tv, bt709.*66x34.*23\.98 fps", said)


@KINDS
def test_odd_sizes_repeat_the_last_row_and_column(name: str) -> None:
    frames = [picture(0, 65, 33)] * 2
    write(name, frames=frames, output=Output(quality=100))
    _, pixels = decode(name, 66, 34)
    assert np.abs(pixels[0, :33, :65].astype(int) - frames[0]).mean() < 6
    assert np.abs(pixels[0, 33].astype(int) - pixels[0, 32]).mean() < 6


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (64, 48)])
@KINDS
def test_small_sizes(name: str, size: tuple[int, int]) -> None:
    write(name, frames=[picture(k, *size) for k in range(2)])
    even = tuple(side + side % 2 for side in size)
    assert len(decode(name, *even)[1]) == 2


def test_mp4_starts_fast() -> None:
    write("a.mp4", frames=[picture(k) for k in range(3)])
    data = Path("a.mp4").read_bytes()
    assert data.index(b"ftyp") < data.index(b"moov") < data.index(b"mdat")


@KINDS
def test_same_bytes_twice(name: str) -> None:
    frames = [picture(k) for k in range(3)]
    write(name, "b" + name, frames=frames)
    assert Path(name).read_bytes() == Path("b" + name).read_bytes()


def test_slow_rates() -> None:
    write("a.mp4", frames=[picture(k) for k in range(3)], output=Output(fps=0.5))
    assert "Duration: 00:00:06.00" in decode("a.mp4", 66, 34)[0]


def test_quality() -> None:
    assert [rate_factor("mp4", q) for q in (100, 90, 50, 1)] == [15, 18, 28, 40]
    assert [rate_factor("webm", q) for q in (100, 90, 50, 1)] == [20, 24, 40, 60]
    frames = [picture(k, 128, 128) for k in range(3)]
    write("low.mp4", frames=frames, output=Output(quality=20))
    write("high.mp4", frames=frames, output=Output(quality=95))
    assert Path("low.mp4").stat().st_size < Path("high.mp4").stat().st_size


def test_a_name_like_an_option_or_a_protocol() -> None:
    assert write("-y.mp4", frames=[picture()]) == ("-y.mp4",)
    assert Path("-y.mp4").stat().st_size > 0


def children() -> set[int]:
    """Living or unburied child processes."""
    found = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in found.read_text().split()}


def add_and_fail(outputs: Outputs, error: type[BaseException], before: set[int]) -> None:
    outputs.add(0, picture(), {})
    (ffmpeg,) = children() - before
    assert os.getpgid(ffmpeg) != os.getpgid(0)  # the terminal's Ctrl-C does not reach it
    raise error


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_leaves_no_process_and_the_old_file(error: type[BaseException]) -> None:
    Path("a.mp4").write_bytes(b"old")
    before = children()
    targets = plan_targets(["a.mp4"], scene_name="meadow", seed=0, frames=9)
    with pytest.raises(error), open_outputs(targets, size=(65, 33), output=Output()) as outputs:
        add_and_fail(outputs, error, before)
    assert children() == before
    assert Path("a.mp4").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_ffmpeg_that_dies_is_a_sentence(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_PICTURE", ["-vf", "nonsense"])
    with pytest.raises(SmdError) as caught:
        write("a.mp4", frames=[picture(k, 512, 512) for k in range(9)])
    assert caught.value.message.startswith("a.mp4 could not be written: ffmpeg stopped: ")
    assert "nonsense" in caught.value.message
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")
    assert not Path("a.mp4").exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_killed_ffmpeg_is_a_sentence() -> None:
    before = children()
    targets = plan_targets(["a.mp4"], scene_name="meadow", seed=0, frames=9)
    with (
        pytest.raises(SmdError, match="ffmpeg stopped: no reason given"),
        open_outputs(targets, size=(65, 33), output=Output()) as outputs,
    ):
        kill_and_add(outputs, before)


def kill_and_add(outputs: Outputs, before: set[int]) -> None:
    (ffmpeg,) = children() - before
    os.kill(ffmpeg, signal.SIGKILL)
    outputs.add(0, picture(), {})


def test_no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    hint = "\nhint: install imageio-ffmpeg anew, or name an ffmpeg in IMAGEIO_FFMPEG_EXE"
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(SmdError) as caught:
        write("a.mp4", frames=[picture()])
    assert str(caught.value) == "error: no ffmpeg was found; .mp4 and .webm need it" + hint
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "./missing")
    with pytest.raises(SmdError, match="ffmpeg could not be started: No such file"):
        write("a.mp4", frames=[picture()])
