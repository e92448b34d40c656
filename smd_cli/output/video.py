"""MP4 (H.264) and WebM (VP9) through the ffmpeg that imageio brings.

Every `quality` 1..100 has its constant rate factor: H.264 40 - q/4 (90 gives 18, visually
lossless; 50 gives 28), VP9 60 - 2q/5 (90 gives 24). Both store 4:2:0, so odd sizes get one more
row or column, a copy of the last one. Colours are BT.709, limited range, and say so.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from smd_cli.errors import SmdError
from smd_cli.output.atomic import AtomicFile
from smd_cli.output.stills import Pixels
from smd_cli.output.timing import exact_fps
from smd_cli.scene.paint import ffmpeg
from smd_cli.scene.types import Output

_CODECS = {
    "mp4": ["-c:v", "libx264", "-preset", "medium", "-movflags", "+faststart", "-f", "mp4"],
    "webm": ["-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-cpu-used", "2", "-f", "webm"],
}
_TO_YUV = "scale=out_color_matrix=bt709:out_range=tv:flags=lanczos+accurate_rnd+full_chroma_int"
_TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
_PICTURE = [
    *("-vf", f"{_TO_YUV},format=yuv420p,{_TAGS}"),
    *("-fflags", "+bitexact", "-flags:v", "+bitexact"),  # no random numbers in the file
]
_LAST_WORDS_S = 5
# Sound that a container holds as it is; other sound is coded anew by the last words.
_HELD = {"mp4": ("aac", "mp3", "ac3", "eac3", "alac"), "webm": ("opus", "vorbis")}
_CODED = {"mp4": ["aac", "-b:a", "192k"], "webm": ["libopus", "-b:a", "128k"]}
_NO_SOUND = "output: {audio: drop} writes it without sound"


@dataclass(frozen=True)
class Sound:
    """The sound of the film at `path`, coded by `codec`, for so many `seconds`."""

    path: Path
    codec: str
    seconds: Fraction

    @property
    def source(self) -> list[str]:
        """ffmpeg's arguments that open it."""
        return ["-protocol_whitelist", "file", "-i", f"file:{self.path}"]

    def coding(self, kind: str) -> list[str]:
        """ffmpeg's arguments that write it beside the pictures, copied where that can be."""
        coding = ["copy"] if self.codec in _HELD[kind] else _CODED[kind]
        length = ["-t", f"{float(self.seconds):.6f}"]
        return ["-map", "0:v", "-map", "1:a:0", "-c:a", *coding, "-flags:a", "+bitexact", *length]


class VideoMovie:
    """Feeds frames to an ffmpeg that writes to the file's temporary name."""

    def __init__(
        self,
        kind: str,
        file: AtomicFile,
        size: tuple[int, int],
        output: Output,
        sound: Sound | None = None,
    ) -> None:
        """`kind`: mp4 or webm. `sound` goes with the pictures."""
        file.stream.close()
        self._hint = _NO_SOUND if sound else ""
        self._path = file.path
        self._pad = ((0, size[1] % 2), (0, size[0] % 2), (0, 0))
        width, height = (side + side % 2 for side in size)
        frames = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        source = [*frames, "-r", str(exact_fps(output.fps)), "-i", "-"]
        source += sound.source if sound else []
        coding = sound.coding(kind) if sound else []
        coding += [*_CODECS[kind], "-crf", str(rate_factor(kind, output.quality))]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as ffmpeg
        try:
            self._ffmpeg = ffmpeg.start(
                ["-y", *source, *_PICTURE, *coding, str(file.temporary)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
            )
        except BaseException:
            self._log.close()
            raise

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:  # noqa: ARG002 - no text here
        """Append one frame (H, W, 3)."""
        frame = np.pad(pixels, self._pad, mode="edge")
        try:
            _input(self._ffmpeg).write(frame.tobytes())
        except OSError as error:
            raise self._failure() from error

    def finish(self) -> None:
        """Wait until ffmpeg has completed the file."""
        try:
            _input(self._ffmpeg).close()
        except OSError as error:
            raise self._failure() from error
        if self._ffmpeg.wait() != 0:
            raise self._failure()
        self._log.close()

    def abort(self) -> None:
        """End ffmpeg, if it still runs, and leave no zombie."""
        if self._ffmpeg.poll() is None:
            self._ffmpeg.kill()
        with suppress(OSError):
            _input(self._ffmpeg).close()
        self._ffmpeg.wait()
        self._log.close()

    def _failure(self) -> SmdError:
        """What ffmpeg said last, as a sentence."""
        with suppress(subprocess.TimeoutExpired):
            self._ffmpeg.wait(timeout=_LAST_WORDS_S)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        reason = re.sub(r"^\[[^]]*\] ", "", said[0]) if said else "no reason given"
        return SmdError(f"{self._path} could not be written: ffmpeg stopped: {reason}", self._hint)


def rate_factor(kind: str, quality: int) -> int:
    """The constant rate factor of an H.264 ("mp4") or VP9 ("webm") encoder for 1..100."""
    return round(40 - quality / 4) if kind == "mp4" else round(60 - quality * 2 / 5)


def _input(ffmpeg: subprocess.Popen[bytes]) -> IO[bytes]:
    assert ffmpeg.stdin is not None
    return ffmpeg.stdin
