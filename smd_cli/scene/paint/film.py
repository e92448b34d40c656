"""Films, read by the ffmpeg that imageio brings: facts first, then one picture after the other.

A film's packets tell when each picture stands, without decoding any. Pictures are decoded from the
first one on, whichever is asked for, so that none depends on where reading began.
"""

from __future__ import annotations

import math
import re
import subprocess
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from PIL import Image

from smd_cli.scene.paint import ffmpeg
from smd_cli.scene.paint.errors import PictureError, Size, quote, refuse_huge
from smd_cli.scene.paint.opening import refuse_file
from smd_cli.scene.paint.pixels import Source
from smd_cli.scene.paint.reel import Decoded, Reel
from smd_cli.units import counted

_ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv"),
    *(".ogv", ".3gp", ".ts", ".m2ts"),
)
_MOST_FRAMES = 1_000_000
_PASSED = 32  # pictures that are rather read and dropped than skipped by a new start
_DISCARDED = 4  # a packet's flag: it is decoded and not shown
_PACKET = re.compile(r"0, *(\S+), *(\S+), *(\d+), *\d+, *0x[0-9a-f]+(?:.*F=0x([0-9A-Fa-f]+))?")
_SCALE = "scale=flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
_DAMAGED = "save or copy the file again"
_MEND = "ffmpeg -i OLD -c:v libx264 NEW.mp4"
_CUT_OFF = "partial file|ended prematurely|[Tt]runcat"


@dataclass(frozen=True)
class FilmFacts:
    """What a film is: (width, height) of its pictures upright, how many frames a second, which of
    its coded pictures each frame shows, and the codec of its sound (empty without).

    `varies`: its pictures come at a variable rate, and each frame shows that of its time.
    """

    size: Size
    rate: Fraction
    pictures: Sequence[int]
    sound: str = ""
    varies: bool = False


def is_film(path: Path) -> bool:
    """Whether a name is a film's."""
    return path.suffix.lower() in _ENDINGS


def film_facts(path: Path, written: str) -> FilmFacts:
    """The facts of a film, worked out once as long as its file is the same. Raises PictureError."""
    refuse_file(path, written)
    status = path.stat()
    return _facts(path, written, status.st_mtime_ns, status.st_size)


class Film(Reel):
    """A film as a reel; one ffmpeg runs at its head while pictures are asked for in order."""

    def __init__(self, path: Path, written: str) -> None:
        """Raises PictureError."""
        self._path, self.written = path, written
        self._facts = film_facts(path, written)
        self.count, self.size = len(self._facts.pictures), self._facts.size
        self.sound = self._facts.sound
        if self._facts.varies:
            rate = f"{float(self._facts.rate):.6g} frames a second"
            self.note = f"has a variable frame rate: it is taken at {rate}"
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        self._next = 0
        self._last: tuple[int, Image.Image] | None = None

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return self._facts.rate

    @contextmanager
    def opened(self, number: int) -> Iterator[Source]:
        """One of its frames. Going back, or far ahead, decodes from the first one again."""
        yield Decoded(self._decoded(self._facts.pictures[number], number))

    def _decoded(self, picture: int, number: int) -> Image.Image:
        if self._last is None or self._last[0] != picture:
            data = self._read(picture)
            if len(data) < self.size[0] * self.size[1] * 3:
                which = f"its frame {number} of {counted(self.count, 'frame')} cannot be decoded"
                hint = f"{_DAMAGED}, or make a film of what can be: {_MEND}"
                raise PictureError(f"{quote(self.written)} is damaged: {which}", hint)
            self._last = (picture, Image.frombytes("RGB", self.size, data))
        return self._last[1]

    def _read(self, picture: int) -> bytes:
        """The bytes of a coded picture, counted as they are shown; fewer at the film's end."""
        if self._process is None or not self._next <= picture <= self._next + _PASSED:
            self._start(picture)
        assert self._process is not None
        assert self._process.stdout is not None
        data = b""
        while self._next <= picture:
            data = self._process.stdout.read(self.size[0] * self.size[1] * 3)
            self._next += 1
        return data

    def _start(self, picture: int) -> None:
        """Decode from the start, and let pass what comes from a picture on."""
        self._end()
        passing = f"select=gte(n\\,{picture}),{_SCALE}"
        shown = ["-xerror", "-map", "0:v:0", "-fps_mode", "passthrough", "-vf", passing]
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        self._process = ffmpeg.start(
            [*_input(self._path), *shown, *raw],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _ended, self._process)
        self._next = picture


def _ended(process: subprocess.Popen[bytes]) -> None:
    """No process and no pipe is left."""
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _input(path: Path) -> list[str]:
    """A file and nothing else, whatever its name or its content may ask for."""
    return ["-nostdin", "-protocol_whitelist", "file", "-i", f"file:{path}"]


@lru_cache(maxsize=32)
def _facts(path: Path, written: str, saved_ns: int, length: int) -> FilmFacts:  # noqa: ARG001
    copied, complaint = _asked(path, written, ["-map", "0:v:0", "-map", "0:a:0?", "-c", "copy"])
    first, _ = _asked(path, written, ["-map", "0:v:0", "-frames:v", "1"])
    size = re.search(r"#dimensions 0: (\d+)x(\d+)", first)
    tick = re.search(r"#tb 0: (\d+)/(\d+)", copied)
    packets = [hit for line in copied.splitlines() if (hit := _PACKET.fullmatch(line.strip()))]
    shown = [hit for hit in packets if not int(hit[4] or "0", 16) & _DISCARDED]
    if size is None or tick is None or not (shown and _PACKET.search(first)):
        raise _no_film(written)
    if re.search(_CUT_OFF, complaint):
        message = f"{quote(written)} is cut off: {counted(len(shown), 'frame')} of it can be read"
        raise PictureError(message, f"copy the file again, or make a film of these: {_MEND}")
    width, height = int(size[1]), int(size[2])
    refuse_huge(width * height, written)
    if len(shown) > _MOST_FRAMES:
        raise PictureError(f"{quote(written)} has more than {_MOST_FRAMES} frames")
    sound = re.search(r"#codec_id 1: (\S+)", copied)
    times = sorted(int(hit[2] if hit[2].lstrip("-").isdigit() else hit[1]) for hit in shown)
    second = Fraction(int(tick[1]), int(tick[2]))
    rate, pictures = _timed(times, int(shown[-1][3]), second)
    varies = not isinstance(pictures, range)
    return FilmFacts((width, height), rate, pictures, sound[1] if sound else "", varies)


def _no_film(written: str) -> PictureError:
    message = f"{quote(written)} is damaged, or no film: no picture in it can be decoded"
    return PictureError(message, f"{_DAMAGED}; MP4, WebM, MOV, MKV and AVI are read")


def _asked(path: Path, written: str, wanted: Sequence[str]) -> tuple[str, str]:
    """What ffmpeg tells of streams and packets, in its format `framecrc`, and its complaints."""
    process = ffmpeg.start(
        [*_input(path), *wanted, "-f", "framecrc", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    told, complaint = process.communicate()
    if process.returncode and b"matches no streams" in complaint:
        raise PictureError(f"{quote(written)} holds no pictures", "a film with pictures is wanted")
    return told.decode("ascii", "replace"), complaint.decode("ascii", "replace")


def _timed(times: Sequence[int], stands: int, tick: Fraction) -> tuple[Fraction, Sequence[int]]:
    """Frames a second, and the picture of each frame; `times` in ticks (s), ascending.

    `stands`: how long the last one stands. At a constant rate every picture is a frame.
    """
    rate = frame_rate(times, stands, tick)
    pace = 1 / (rate * tick)  # ticks from frame to frame
    if all(abs(time - times[0] - n * pace) < pace / 2 for n, time in enumerate(times)):
        return rate, range(len(times))
    frames = max(1, math.floor((times[-1] - times[0] + (stands or pace)) / pace + Fraction(1, 2)))
    middles = (times[0] + (n + Fraction(1, 2)) * pace for n in range(min(frames, _MOST_FRAMES)))
    return rate, tuple(bisect_right(times, middle) - 1 for middle in middles)


def frame_rate(times: Sequence[int], stands: int, tick: Fraction) -> Fraction:
    """Frames a second by their times in ticks (s): the plainest that these allow, such as 24,
    24000/1001 (NTSC) or 12.5. A single one is taken for as long as it `stands`, or 1/25 s.
    """
    if len(times) < 2 or times[-1] == times[0]:
        return 1 / (stands * tick) if stands else Fraction(25)
    span = times[-1] - times[0]
    exact = Fraction(len(times) - 1, span) / tick
    ntsc = Fraction(round(exact * 1001 / 1000) * 1000, 1001)
    for plain in (Fraction(round(exact)), ntsc, Fraction(round(exact * 100), 100)):
        if plain > 0 and abs(plain - exact) <= exact / span:  # a tick more or less
            return plain
    return exact.limit_denominator(1001)
