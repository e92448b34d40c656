"""GIF, frame by frame: our own blocks around the picture data that Pillow packs.

Pillow's `save_all` holds every frame; this writer holds one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.output.stills import Pixels
from smd_cli.output.timing import delays
from smd_cli.scene.types import Output

TICKS_PER_S = 100
LEAST_TICKS = 2  # viewers slow anything shorter down to 10 frames a second
MOST_TICKS = 0xFFFF
MOST_FPS = TICKS_PER_S // LEAST_TICKS
UNCHANGED = 255  # the palette index that lets the frame before show through
STILL_LEVELS = 2  # of 255 in any channel; less than the palette's own error
SAMPLE_PIXELS = 4096  # sixteen times as many make no visible difference

_TABLE_OF_256 = 0x87  # a colour table follows, 2^(7+1) entries
_KEEP_AND_SEE_THROUGH = 1 << 2 | 1  # disposal "leave in place", transparent index given
_FOREVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
_TRAILER = b"\x3b"


class GifMovie:
    """Writes frames to `stream`, each with 255 colours of its own.

    A pixel that has not moved since it was last drawn stays as it is (transparent), so that still
    parts do not shimmer with the dithering and cost no bytes.
    """

    def __init__(self, stream: BinaryIO, size: tuple[int, int], output: Output) -> None:
        self._stream = stream
        self._delays = delays(output.fps, TICKS_PER_S, LEAST_TICKS, MOST_TICKS)
        self._drawn: Pixels | None = None  # the full colours behind what a viewer shows now
        stream.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0x70, 0, 0))
        if output.loop:
            stream.write(_FOREVER)

    def add(self, pixels: Pixels, text: Mapping[str, str]) -> None:  # noqa: ARG002 - no text here
        """Append one frame (H, W, 3)."""
        picture = reduce_colours(pixels)
        picture.paste(UNCHANGED, mask=Image.fromarray(self._still(pixels)))
        ticks = next(self._delays)
        control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, _KEEP_AND_SEE_THROUGH, ticks, UNCHANGED, 0)
        place = struct.pack("<BHHHHB", 0x2C, 0, 0, *picture.size, _TABLE_OF_256)
        self._stream.write(control + place + colour_table(picture) + packed(picture))

    def finish(self) -> None:
        """Close the file's last block."""
        self._stream.write(_TRAILER)

    def abort(self) -> None:
        """Nothing outlives the stream."""

    def _still(self, pixels: Pixels) -> npt.NDArray[np.bool_]:
        """Which pixels (H, W) keep their colour; the others count as drawn now."""
        if self._drawn is None:
            self._drawn = pixels.copy()
            return np.zeros(pixels.shape[:2], dtype=bool)
        apart = np.maximum(pixels, self._drawn) - np.minimum(pixels, self._drawn)
        red, green, blue = np.moveaxis(apart <= STILL_LEVELS, 2, 0)
        still: npt.NDArray[np.bool_] = red & green & blue
        np.copyto(self._drawn, pixels, where=~still[..., None])
        return still


def reduce_colours(pixels: Pixels) -> Image.Image:
    """The picture in its best 255 colours, dithered; the palette comes from a sample of pixels.

    Measured on moving textures: k-means after maximum coverage has the least error and the least
    flicker from frame to frame of all that Pillow offers, and half the cost of median cut.
    """
    stride = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLE_PIXELS))
    sample = Image.fromarray(np.ascontiguousarray(pixels[::stride, ::stride]))
    palette = sample.quantize(UNCHANGED, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    full = Image.fromarray(pixels)
    return full.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def colour_table(picture: Image.Image) -> bytes:
    """256 colours of 3 bytes, black where the palette is shorter."""
    return bytes(picture.getpalette("RGB") or []).ljust(768, b"\0")[:768]


def packed(picture: Image.Image) -> bytes:
    """The LZW data of a palette picture, cut out of the GIF that Pillow makes of it."""
    stream = BytesIO()
    picture.save(stream, "GIF", optimize=False, interlace=0)
    whole = stream.getvalue()
    table = 3 << ((whole[10] & 7) + 1)
    return whole[13 + table + 10 : -1]
