"""The text of a PNG or APNG, read chunk by chunk: no pixel of it is decoded."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from smd_cli.errors import SmdError
from smd_cli.output.chunks import SIGNATURE

MOST_TEXT_BYTES = 2**30  # of one picture, unpacked
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


class DamagedError(SmdError):
    """A text chunk cannot be read."""


def read_text(path: Path) -> tuple[dict[str, str], int]:
    """The texts of a PNG file by keyword, the first of each, and how many pictures it shows.

    What comes after a cut is left out. Raises ValueError for a file that is no PNG, DamagedError
    where a text itself is damaged or too large, OSError.
    """
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise ValueError("no PNG")
        texts: dict[str, str] = {}
        count, room = 1, MOST_TEXT_BYTES
        for kind, body in _chunks(file):
            if kind == b"acTL" and len(body) == struct.calcsize(">2I"):
                count = struct.unpack(">2I", body)[0]
            elif kind in _TEXTS:
                keyword, text = _text(kind, body, room)
                room -= len(text)
                texts.setdefault(keyword, text)
        return texts, count


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The texts and the number of frames, up to the end or a cut; all else is passed over."""
    size = os.fstat(file.fileno()).st_size
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind not in (*_TEXTS, b"acTL"):
            file.seek(length + 4, 1)
            continue
        if file.tell() + length + 4 > size:
            raise DamagedError("its text is cut off")
        body, check = file.read(length), file.read(4)
        if struct.unpack(">I", check)[0] != zlib.crc32(kind + body):
            raise DamagedError("its text is damaged")
        yield kind, body


def _text(kind: bytes, body: bytes, room: int) -> tuple[str, str]:
    """Keyword and text of a chunk; at most `room` bytes are unpacked."""
    keyword, _, rest = body.partition(b"\0")
    packed, code = kind == b"zTXt", "latin-1"
    rest = rest[1:] if packed else rest
    if kind == b"iTXt":
        packed, code = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].split(b"\0", 2)[-1]
    try:
        text = _unpacked(rest, room) if packed else rest
        return keyword.decode("latin-1"), text.decode(code)
    except (zlib.error, UnicodeDecodeError) as broken:
        raise DamagedError("its text is damaged") from broken


def _unpacked(data: bytes, room: int) -> bytes:
    stream = zlib.decompressobj()
    text = stream.decompress(data, room)
    if stream.unconsumed_tail:
        raise DamagedError(f"its text is larger than {MOST_TEXT_BYTES >> 20} MiB")
    return text
