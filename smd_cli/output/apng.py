"""APNG, frame by frame: chunks of the PNGs that Pillow makes, renamed and numbered."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import BinaryIO

from smd_cli.output.chunks import SIGNATURE, chunk, chunks
from smd_cli.output.stills import Pixels, encode_still
from smd_cli.output.timing import exact_fps
from smd_cli.scene.types import Output

_MOST = 0xFFFF  # of either number of a delay


class ApngMovie:
    """Writes full frames to `stream` (seekable: the number of frames is filled in at the end)."""

    def __init__(self, stream: BinaryIO, size: tuple[int, int], output: Output) -> None:
        self._stream = stream
        self._plays = 0 if output.loop else 1
        self._control = struct.pack(">4I2H2B", *size, 0, 0, *delay(output.fps), 0, 0)
        self._sequence = 0
        self._frames = 0
        self._count_at = 0

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:
        """Append one frame (H, W, 3); the first one's `text` is kept."""
        parts = list(chunks(encode_still(pixels, "PNG", 100, text)))
        if self._frames == 0:
            self._head([part for part in parts if part[0] not in (b"IDAT", b"IEND")])
        self._numbered(b"fcTL", self._control)
        for body in (body for kind, body in parts if kind == b"IDAT"):
            if self._frames == 0:
                self._stream.write(chunk(b"IDAT", body))
            else:
                self._numbered(b"fdAT", body)
        self._frames += 1

    def finish(self) -> None:
        """Write the end and the number of frames."""
        self._stream.write(chunk(b"IEND", b""))
        self._stream.seek(self._count_at)
        self._stream.write(self._count())

    def abort(self) -> None:
        """Nothing outlives the stream."""

    def _head(self, parts: list[tuple[bytes, bytes]]) -> None:
        """The header, room for the number of frames, and the text."""
        self._stream.write(SIGNATURE + chunk(*parts[0]))
        self._count_at = self._stream.tell()
        self._stream.write(self._count())
        self._stream.writelines(chunk(*part) for part in parts[1:])

    def _count(self) -> bytes:
        return chunk(b"acTL", struct.pack(">2I", self._frames, self._plays))

    def _numbered(self, kind: bytes, body: bytes) -> None:
        self._stream.write(chunk(kind, struct.pack(">I", self._sequence) + body))
        self._sequence += 1


def delay(fps: float) -> tuple[int, int]:
    """Seconds a frame stands as numerator and denominator of 16 bits; exact where they reach."""
    rate = min(max(exact_fps(fps), Fraction(1, _MOST)), Fraction(_MOST))
    if rate >= 1:
        time_s = (1 / rate).limit_denominator(_MOST)
        return time_s.numerator, time_s.denominator
    rate = rate.limit_denominator(_MOST)
    return rate.denominator, rate.numerator
