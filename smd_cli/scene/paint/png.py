"""PNG files without what only describes them.

Pillow refuses a picture whose text or profile unpacks to more than 1 MB, and one with a damaged
chunk that no pixel depends on; viewers show both. So it gets the chunks that make the pixels alone.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

MAGIC = b"\x89PNG\r\n\x1a\n"

_MAX_PROFILE = 16 * 2**20  # bytes unpacked
_MAX_TEXT = 2**20
_RAW_EXIF = b"Raw profile type exif"  # ImageMagick's, in hexadecimal
_XMP = b"XML:com.adobe.xmp"
_SRGB_CODES = (b"\1\15", b"\1\1", b"\1\6")  # of primaries and transfer, ITU-T H.273
_GREY, _COLOUR = 0, 2


@dataclass(frozen=True, eq=False)
class PlainPng:
    """A PNG of nothing but pixels, and what else its file told: as Pillow's `info` has it."""

    file: BinaryIO
    info: dict[str, bytes | str] = field(default_factory=dict)
    several: bool = False


def plain_png(file: BinaryIO, *, pixels: bool) -> PlainPng:
    """Read the chunks of a PNG; without its `pixels` where only the header is wanted."""
    parts, header, several = [MAGIC], b"", False
    info: dict[str, bytes | str] = {}
    for name, at, length in _chunks(file):
        if name in (b"IHDR", b"PLTE", b"tRNS") or (name == b"IDAT" and pixels):
            chunk = _read(file, at - 8, length + 12)
            header = chunk[8:-4] if name == b"IHDR" else header
            parts.append(_transparency(chunk, header) if name == b"tRNS" else chunk)
        elif name in (b"iCCP", b"cICP", b"eXIf", b"iTXt", b"zTXt"):
            info = _facts(name, _read(file, at, length + 4)) | info
        several |= name == b"fdAT"
    parts.append(_chunk(b"IEND", b"") if pixels else _chunk(b"IDAT", b""))
    info.setdefault("exif", b"")  # there is none: Pillow need not look further
    return PlainPng(io.BytesIO(b"".join(parts)), info, several)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the data and length of every chunk, up to IEND or to what is none."""
    end, at = file.seek(0, os.SEEK_END), len(MAGIC)
    while at + 8 <= end:
        length, name = struct.unpack(">I4s", _read(file, at, 8))
        if name == b"IEND" or not name.isalpha():
            return
        yield name, at + 8, length
        at += 12 + length


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _transparency(chunk: bytes, header: bytes) -> bytes:
    """The transparent value in the 8 bits to which Pillow brings such pixels; else as it is."""
    name, data = chunk[4:8], chunk[8:-4]
    if len(header) < 10 or chunk != _chunk(name, data):
        return chunk
    depth, colour = header[8], header[9]
    values = struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])
    if colour == _GREY and depth in (2, 4):
        data = struct.pack(f">{len(values)}H", *(v * 255 // (2**depth - 1) & 255 for v in values))
    elif colour == _COLOUR and depth == 16:
        data = struct.pack(f">{len(values)}H", *(v >> 8 for v in values))
    return _chunk(name, data)


def _facts(name: bytes, framed: bytes) -> dict[str, bytes | str]:
    """What a chunk tells of colours and of turning; nothing where it is damaged."""
    data = framed[:-4]
    if framed[-4:] != struct.pack(">I", zlib.crc32(name + data)):
        return {}
    if name == b"eXIf":
        return {"exif": data}
    key, _, rest = data.partition(b"\0")
    if name == b"iCCP":
        return {"icc_profile": _unpacked(rest[1:], _MAX_PROFILE)}
    if name == b"cICP" and data[:2] not in _SRGB_CODES:  # no ICC data, and told as such
        return {"icc_profile": data}
    if name == b"zTXt" and key == _RAW_EXIF:
        with suppress(ValueError):
            lines = _unpacked(rest[1:], _MAX_TEXT).decode("latin-1").split("\n")
            return {"exif": bytes.fromhex("".join(lines[3:]))}
    if name == b"iTXt" and key == _XMP:
        text = rest[2:].split(b"\0", 2)[-1]
        text = _unpacked(text, _MAX_TEXT) if rest[:1] == b"\1" else text
        return {_XMP.decode(): text.decode("utf-8", "replace")}
    return {}


def _unpacked(data: bytes, most: int) -> bytes:
    """Decompressed data; nothing where it is damaged or larger than `most`."""
    unpacker = zlib.decompressobj()
    with suppress(zlib.error):
        unpacked = unpacker.decompress(data, most)
        if not unpacker.unconsumed_tail:
            return unpacked
    return b""
