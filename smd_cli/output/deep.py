"""PNG files of 16 bits a sample, which Pillow cannot write where there are colours."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL.PngImagePlugin import PngInfo

from smd_cli.output.chunks import SIGNATURE, chunk
from smd_cli.scene.paint.photo import Levels, Photo

_BITS, _COLOURS, _COLOURS_AND_ALPHA = 16, 2, 6
_ABOVE = b"\2"  # the filter of every row: what it differs in from the one above it
_BAND = 256  # rows that are packed at once
_LEVEL = 6


def deep_png(photo: Photo, text: PngInfo) -> bytes:
    """A picture of 16 bits with its colour profile and text chunks (PNG 1.2)."""
    kind = _COLOURS_AND_ALPHA if photo.has_alpha else _COLOURS
    header = struct.pack(">2I5B", *photo.size, _BITS, kind, 0, 0, 0)
    parts = [SIGNATURE, chunk(b"IHDR", header)]
    if photo.profile:
        parts.append(chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.profile)))
    parts += [chunk(name, body) for name, body, *_ in text.chunks]
    parts += [chunk(b"IDAT", body) for body in _packed(photo.levels) if body]
    return b"".join([*parts, chunk(b"IEND", b"")])


def _packed(levels: Levels) -> Iterator[bytes]:
    """The rows of (H, W, samples), each less the one above it, byte by byte."""
    packer = zlib.compressobj(_LEVEL)
    above = np.zeros((1, levels.shape[1] * levels.shape[2] * 2), dtype=np.uint8)
    for top in range(0, len(levels), _BAND):
        band = np.ascontiguousarray(levels[top : top + _BAND], dtype=">u2")
        rows = band.view(np.uint8).reshape(len(band), -1)
        filtered = rows - np.concatenate([above, rows[:-1]])
        above = rows[-1:]
        yield packer.compress(b"".join(_ABOVE + row.tobytes() for row in filtered))
    yield packer.flush()
