"""WebP animation, frame by frame: the stills that Pillow makes in an animation's container.

Pillow's `save_all` and libwebp's own assembler hold every frame; this writer holds one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import BinaryIO

from smd_cli.output.stills import Pixels, encode_still
from smd_cli.output.timing import delays
from smd_cli.scene.types import Output

TICKS_PER_S = 1000
MOST_TICKS = 0xFFFFFF
_ANIMATED = 0x02
_NO_BLEND = 0x02
_RIFF_HEAD = 12  # "RIFF", size, "WEBP"


class WebpMovie:
    """Writes whole pictures to `stream` (seekable: the file's size is filled in at the end)."""

    def __init__(self, stream: BinaryIO, size: tuple[int, int], output: Output) -> None:
        self._stream = stream
        self._quality = output.quality
        self._delays = delays(output.fps, TICKS_PER_S, 1, MOST_TICKS)
        self._extent = b"".join(_u24(side - 1) for side in size)
        stream.write(b"RIFF\0\0\0\0WEBP")
        stream.write(chunk(b"VP8X", struct.pack("<I", _ANIMATED) + self._extent))
        stream.write(chunk(b"ANIM", b"\xff\xff\xff\xff" + struct.pack("<H", not output.loop)))

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:  # noqa: ARG002 - no text here
        """Append one frame (H, W, 3)."""
        still = encode_still(pixels, "WEBP", self._quality, {})[_RIFF_HEAD:]
        head = _u24(0) + _u24(0) + self._extent + _u24(next(self._delays)) + bytes([_NO_BLEND])
        self._stream.write(chunk(b"ANMF", head + still))

    def finish(self) -> None:
        """Fill in the size."""
        length = self._stream.tell() - 8
        self._stream.seek(4)
        self._stream.write(struct.pack("<I", length))

    def abort(self) -> None:
        """Nothing outlives the stream."""


def chunk(name: bytes, body: bytes) -> bytes:
    """A whole chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _u24(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
