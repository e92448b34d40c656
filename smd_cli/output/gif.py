"""GIF, frame by frame: our own blocks around the picture data that Pillow packs.

Pillow's `save_all` holds every frame; this writer holds one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from smd_cli.output.stills import Pixels
from smd_cli.output.timing import delays
from smd_cli.scene.model import Output

if TYPE_CHECKING:
    from PIL.Image import Image

TICKS_PER_S = 100
LEAST_TICKS = 2  # viewers slow anything shorter down to 10 frames a second
MOST_TICKS = 0xFFFF
MOST_FPS = TICKS_PER_S // LEAST_TICKS

_TABLE_OF_256 = 0x87  # a colour table follows, 2^(7+1) entries
_FOREVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
_TRAILER = b"\x3b"


class GifMovie:
    """Writes frames to `stream`, each with its own 256 colours."""

    def __init__(self, stream: BinaryIO, size: tuple[int, int], output: Output) -> None:
        self._stream = stream
        self._delays = delays(output.fps, TICKS_PER_S, LEAST_TICKS, MOST_TICKS)
        stream.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0x70, 0, 0))
        if output.loop:
            stream.write(_FOREVER)

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:  # noqa: ARG002 - no text here
        """Append one frame (H, W, 3)."""
        picture = reduce_colours(pixels)
        control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0, next(self._delays), 0, 0)
        place = struct.pack("<BHHHHB", 0x2C, 0, 0, *picture.size, _TABLE_OF_256)
        self._stream.write(control + place + colour_table(picture) + packed(picture))

    def finish(self) -> None:
        """Close the file's last block."""
        self._stream.write(_TRAILER)

    def abort(self) -> None:
        """Nothing outlives the stream."""


def reduce_colours(pixels: Pixels) -> Image:
    """The picture in its best 256 colours, dithered."""
    from PIL import Image

    full = Image.fromarray(pixels)
    palette = full.quantize(256, method=Image.Quantize.MEDIANCUT)
    return full.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def colour_table(picture: Image) -> bytes:
    """256 colours of 3 bytes, black where the palette is shorter."""
    return bytes(picture.getpalette("RGB") or []).ljust(768, b"\0")[:768]


def packed(picture: Image) -> bytes:
    """The LZW data of a palette picture, cut out of the GIF that Pillow makes of it."""
    stream = BytesIO()
    picture.save(stream, "GIF", optimize=False, interlace=0)
    whole = stream.getvalue()
    table = 3 << ((whole[10] & 7) + 1)
    return whole[13 + table + 10 : -1]
