"""The layers of a PSD or PSB: groups, offsets, opacity, layer masks, of 8 and 16 bits.

Layout: Adobe's "Photoshop File Formats Specification".
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from PIL import Image

from smd_cli.scene.paint.errors import PictureError, quote, refuse_huge, unread
from smd_cli.scene.paint.layers import MAX_DEPTH, Document, Layer, Levels, stacked
from smd_cli.scene.paint.pixels import Pixels, plain
from smd_cli.scene.paint.psd import (
    LAYERS,
    LONG,
    MODES,
    PsdSource,
    as_bytes,
    exactly,
    global_blocks,
    number,
    open_psd,
)
from smd_cli.scene.paint.srgb import to_srgb

_Box = tuple[int, int, int, int]
"""Top, left, bottom, right on the document."""

_ALPHA, _MASK = -1, -2
_HIDDEN = 2  # a layer's flag
_MASK_OFF, _MASK_TUNED = 2, 16  # a mask's flags: disabled; with a density or feather of its own
_RAW, _RLE, _ZIP, _PREDICTED = 0, 1, 2, 3
_FOLDERS, _FOLDER_END = (1, 2), 3  # kinds of a section divider
_MAX_LAYERS = 8000
_MASK_BYTES = 18  # of a mask's box, level and flags
_PADS = 4  # bytes that may stand between two blocks
_VECTOR = (b"vmsk", b"vsms")
_NO_PIXELS = "rasterize the layer: it has a vector mask or a fill, and no pixels"


@dataclass(frozen=True)
class _Channel:
    """A layer's channel: its number, and where its bytes are."""

    kind: int
    at: int
    length: int


@dataclass(frozen=True)
class _Mask:
    """A layer's mask: its box, the level around that, and its flags."""

    box: _Box
    around: int
    flags: int


@dataclass(frozen=True)
class _Record:
    """What the file says of a layer."""

    name: str
    box: _Box
    opacity: float
    visible: bool
    divider: int
    vector: bool
    mask: _Mask | None
    channels: tuple[_Channel, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixels."""
        top, left, bottom, right = self.box
        return bottom <= top or right <= left


def read_psd(file: BinaryIO, written: str) -> Document:
    """The document of a PSD or PSB; its layers are decoded when they are asked for."""
    source = open_psd(file, written)
    reader = _Reader(source)
    return Document(written, source.size, reader.layers(), lambda: source.load(source.size))


class _Reader:
    """Makes layers of the records of a file."""

    def __init__(self, source: PsdSource) -> None:
        self._source, self._file = source, source.file
        self._count = MODES[source.mode][1]

    def layers(self) -> tuple[Layer, ...]:
        """All layers from the top down."""
        stack: list[tuple[_Record | None, list[Layer]]] = [(None, [])]
        for record in reversed(_records(self._source)):
            if record.divider in _FOLDERS:
                stack.append((record, []))
                if len(stack) > MAX_DEPTH:
                    written = quote(self._source.written)
                    raise PictureError(f"{written} has groups more than {MAX_DEPTH} deep")
            elif record.divider == _FOLDER_END and len(stack) > 1:
                folder, inside = stack.pop()
                stack[-1][1].append(self._layer(folder or record, tuple(inside)))
            elif record.divider != _FOLDER_END:
                stack[-1][1].append(self._layer(record, None))
        while len(stack) > 1:  # a folder that is not closed
            folder, inside = stack.pop()
            stack[-1][1].extend(inside)
        return tuple(stack[0][1])

    def _layer(self, record: _Record, children: Sequence[Layer] | None) -> Layer:
        draw = partial(self._painted, record) if children is None else partial(stacked, children)
        mask = record.mask if record.mask and not record.mask.flags & _MASK_OFF else None
        ignored = ["a vector mask"] if record.vector else []
        if mask is not None and mask.flags & _MASK_TUNED:
            ignored.append("a mask with a density or feather")
        kept = None if children is None else tuple(children)
        masks = [partial(self._mask, record)] if mask else []
        about = (record.name, record.visible, record.opacity)
        paints = children is not None or not (record.vector and record.is_empty)
        return Layer(*about, draw, masks, kept, tuple(ignored), paints)

    def _painted(self, record: _Record) -> Image.Image:
        """A layer's pixels on the document, RGBA."""
        top, left, bottom, right = record.box
        whole = Image.new("RGBA", self._source.size)
        by_kind = {channel.kind: channel for channel in record.channels}
        if record.is_empty:
            if record.vector:
                raise PictureError("it has no pixels", _NO_PIXELS)
            return whole
        refuse_huge((bottom - top) * (right - left), self._source.written)
        planes = [
            Image.fromarray(self._levels(by_kind[kind], record.box)) for kind in range(self._count)
        ]
        picture = _rgb(self._source, planes)
        alpha = by_kind.get(_ALPHA)
        picture.putalpha(Image.fromarray(self._levels(alpha, record.box)) if alpha else 255)
        whole.paste(picture, (left, top))
        return whole

    def _mask(self, record: _Record) -> Levels:
        """What a layer's mask leaves (H, W)."""
        assert record.mask is not None
        top, left, bottom, right = record.mask.box
        whole = Image.new("L", self._source.size, record.mask.around)
        found = next((c for c in record.channels if c.kind == _MASK), None)
        if found is not None and bottom > top and right > left:
            refuse_huge((bottom - top) * (right - left), self._source.written)
            levels = self._levels(found, record.mask.box)
            whole.paste(Image.fromarray(levels), (left, top))
        return np.asarray(whole)

    def _levels(self, channel: _Channel, box: _Box) -> Levels:
        """A channel (h, w) in 8 bits."""
        self._file.seek(channel.at)
        packing = number(self._file, 2)
        data = exactly(self._file, max(0, channel.length - 2))
        height, width = box[2] - box[0], box[3] - box[1]
        deep = self._source.depth == 16
        rows = _rows(data, packing, (height, width * (2 if deep else 1)), self._source)
        if not deep:
            return np.cumsum(rows, axis=1, dtype=np.uint8) if packing == _PREDICTED else rows
        values = rows.view(">u2").astype(np.uint16)
        if packing == _PREDICTED:
            values = np.cumsum(values, axis=1, dtype=np.uint16)
        return as_bytes(values)


def _rgb(source: PsdSource, planes: list[Image.Image]) -> Image.Image:
    """Channels as the colours that they mean, mode RGB."""
    colours = source.coloured(planes, MODES[source.mode][0])
    if colours.mode == "LAB":
        return to_srgb(Pixels(colours))[0].convert("RGB")
    return plain(colours).convert("RGB")


def _rows(data: bytes, packing: int, shape: tuple[int, int], source: PsdSource) -> Levels:
    """The bytes (h, bytes of a row) of a channel."""
    height, row = shape
    if packing == _RLE:
        table = height * (4 if source.wide else 2)
        picture = Image.frombytes("L", (row, height), data[table:], "packbits", "L")
        return np.asarray(picture)
    if packing in (_ZIP, _PREDICTED):
        data = zlib.decompressobj().decompress(data, height * row)
    elif packing != _RAW:
        raise unread(source.written, f"has a layer packed in a way (number {packing})")
    return np.frombuffer(data, dtype=np.uint8, count=height * row).reshape(shape)


def _records(source: PsdSource) -> list[_Record]:
    """What the file says of its layers, from the bottom up."""
    file = source.file
    start, end = _where(source)
    if end <= start:
        return []
    file.seek(start)
    count = abs(struct.unpack(">h", exactly(file, 2))[0])
    if count > _MAX_LAYERS:
        raise PictureError(f"{quote(source.written)} has {count} layers: at most {_MAX_LAYERS}")
    parsed = [_record(file, source.wide) for _ in range(count)]
    at = file.tell()
    placed = []
    for record in parsed:
        starts = accumulate((channel.length for channel in record.channels), initial=at)
        channels = [replace(c, at=start) for c, start in zip(record.channels, starts, strict=False)]
        placed.append(replace(record, channels=tuple(channels)))
        at += sum(channel.length for channel in channels)
    return placed


def _record(file: BinaryIO, wide: bool) -> _Record:
    """A layer's record; where its channels are is not known yet."""
    top, left, bottom, right, count = struct.unpack(">4iH", exactly(file, 18))
    lengths = [
        struct.unpack(">hQ" if wide else ">hI", exactly(file, 10 if wide else 6))
        for _ in range(count)
    ]
    opacity, _, flags = struct.unpack(">8x3Bx", exactly(file, 12))
    extra = io.BytesIO(exactly(file, number(file, 4)))
    mask = _mask_of(extra.read(number(extra, 4)))
    extra.seek(number(extra, 4), io.SEEK_CUR)  # blending ranges
    name = extra.read(number(extra, 1))
    extra.seek(-(len(name) + 1) % 4, io.SEEK_CUR)
    blocks = dict(_blocks(extra, wide))
    fill = blocks.get(b"iOpa", b"\xff")[:1] or b"\xff"
    divider = blocks.get(b"lsct", blocks.get(b"lsdk", b""))[:4]
    return _Record(
        _name(blocks.get(b"luni", b""), name),
        (top, left, bottom, right),
        opacity / 255 * fill[0] / 255,
        not flags & _HIDDEN,
        int.from_bytes(divider, "big"),
        any(key in blocks for key in _VECTOR),
        mask,
        tuple(_Channel(kind, 0, length) for kind, length in lengths),
    )


def _mask_of(data: bytes) -> _Mask | None:
    """A layer's mask; None where it has none."""
    if len(data) < _MASK_BYTES:
        return None
    top, left, bottom, right, around, flags = struct.unpack(">4i2B", data[:_MASK_BYTES])
    return _Mask((top, left, bottom, right), around, flags)


def _name(wide: bytes, short: bytes) -> str:
    """A layer's name: in UTF-16 behind its length, else in the signs of an old Mac."""
    count = int.from_bytes(wide[:4], "big")
    if wide:
        return wide[4 : 4 + 2 * count].decode("utf-16-be", "replace").rstrip("\0")
    return short.decode("mac_roman")


def _blocks(extra: BinaryIO, wide: bool) -> Iterator[tuple[bytes, bytes]]:
    """The blocks behind a layer's name; some programs pad them, some do not."""
    while (key := _next_key(extra)) is not None:
        length = number(extra, 8 if wide and key in LONG else 4)
        yield key, extra.read(length)


def _next_key(extra: BinaryIO) -> bytes | None:
    """The key of the next block; None where no other follows."""
    start = extra.tell()
    for pad in range(_PADS):
        extra.seek(start + pad)
        head = extra.read(8)
        if head[:4] in (b"8BIM", b"8B64"):
            return head[4:]
    return None


def _where(source: PsdSource) -> tuple[int, int]:
    """From where to where the layers are told: of 16 bits they have a block of their own."""
    file, width = source.file, 8 if source.wide else 4
    file.seek(source.layers_at)
    length = number(file, width)
    end = file.tell() + length
    if not length:
        return 0, 0
    length = number(file, width)
    start = file.tell()
    if length:
        return start, start + length
    blocks = global_blocks(file, start, end, source.wide)
    return next(((at, at + long) for key, at, long in blocks if key in LAYERS), (0, 0))
