"""Writers of picture files that Pillow cannot write: by hand, from the formats' specifications."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]


def mask_of(height: int = 16, width: int = 24) -> Values:
    """A rectangle of 255 on 0."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[4:10, 3:17] = 255
    return mask


def png_chunk(name: bytes, data: bytes, crc: int | None = None) -> bytes:
    found = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", found)


def spliced(png: bytes, *chunks: bytes, at: int = 33) -> bytes:
    """A PNG with chunks put in, by default behind its header."""
    return png[:at] + b"".join(chunks) + png[at:]


def psd(
    path: Path,
    channels: Sequence[Values],
    mode: int,
    *,
    depth: int = 8,
    packed: bool = False,
    wide: bool = False,
    layers: int | None = None,
    resources: Sequence[tuple[int, bytes]] = (),
    palette: bytes = b"",
    blocks: bytes = b"",
) -> Path:
    """Write a PSD or (wide) PSB without layers: `layers` is the count that its header claims."""
    height, width = channels[0].shape
    head = b"8BPS" + struct.pack(
        ">H6xHIIHH", 2 if wide else 1, len(channels), height, width, depth, mode
    )
    told = b"".join(
        b"8BIM" + struct.pack(">H2xI", number, len(data)) + data + bytes(len(data) % 2)
        for number, data in resources
    )
    long = ">Q" if wide else ">I"
    section = b""
    if layers is not None:
        count = struct.pack(">hxx", layers)
        section = struct.pack(long, len(count)) + count + bytes(4) + blocks
    body = struct.pack(">I", len(palette)) + palette + struct.pack(">I", len(told)) + told
    body += struct.pack(long, len(section)) + section
    rows = [_psd_rows(c, depth) for c in channels]
    if packed:
        bits = [[packbits(row) for row in own] for own in rows]
        lengths = [len(row) for own in bits for row in own]
        body += struct.pack(f">H{len(lengths)}{'I' if wide else 'H'}", 1, *lengths)
        body += b"".join(b"".join(own) for own in bits)
    else:
        body += b"\0\0" + b"".join(b"".join(own) for own in rows)
    path.write_bytes(head + body)
    return path


def _psd_rows(channel: Values, depth: int) -> list[bytes]:
    if depth == 1:
        return [np.packbits(row == 0).tobytes() for row in channel]  # a set bit is black
    if depth == 16:
        return [(row.astype(">u2") * 257).tobytes() for row in channel]
    return [row.astype("u1").tobytes() for row in channel]


def packbits(data: bytes) -> bytes:
    """Runs of equal bytes and of others, as PackBits has them."""
    out, at = b"", 0
    while at < len(data):
        run = 1
        while at + run < len(data) and run < 128 and data[at + run] == data[at]:
            run += 1
        if run > 1:
            out += bytes([257 - run, data[at]])
        else:
            out += bytes([0, data[at]])
        at += run
    return out


def tiff(
    path: Path,
    samples: Values,
    photometric: int,
    *,
    extra: Sequence[int] | None = None,
    planar: bool = False,
    deflate: bool = False,
    predictor: int = 1,
    order: str = "<",
    rows: int = 5,
    tile: int = 0,
    tags: Sequence[tuple[int, int, int]] = (),
) -> Path:
    """Write samples (H, W, S) of 8 or 16 bits as strips of `rows`, or as tiles of a side."""
    height, width, count = samples.shape
    planes = [samples[..., i : i + 1] for i in range(count)] if planar else [samples]
    blocks = [b for plane in planes for b in _blocks(plane, rows, tile)]
    bits = samples.dtype.itemsize * 8
    data = [_tiff_block(block, bits, predictor, order) for block in blocks]
    data = [zlib.compress(one) for one in data] if deflate else data
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * count),
        259: (3, [8 if deflate else 1]),
        262: (3, [photometric]),
        277: (3, [count]),
        284: (3, [2 if planar else 1]),
        317: (3, [predictor]),
        **{tag: (kind, [value]) for tag, kind, value in tags},
    }
    if extra is not None:
        entries[338] = (3, list(extra))
    if tile:
        entries |= {322: (3, [tile]), 323: (3, [tile])}
    else:
        entries[278] = (3, [rows])
    offsets, lengths = (324, 325) if tile else (273, 279)
    starts = [8 + sum(len(d) for d in data[:i]) for i in range(len(data))]
    entries |= {offsets: (4, starts), lengths: (4, [len(d) for d in data])}
    body = b"".join(data) + bytes(sum(map(len, data)) % 2)
    path.write_bytes(
        _tiff_head(order, 8 + len(body)) + body + _directory(entries, order, len(body))
    )
    return path


def _blocks(plane: Values, rows: int, tile: int) -> list[Values]:
    height, width = plane.shape[:2]
    if not tile:
        return [plane[top : top + rows] for top in range(0, height, rows)]
    padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
    return [
        padded[top : top + tile, left : left + tile]
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]


def _tiff_block(block: Values, bits: int, predictor: int, order: str) -> bytes:
    if predictor == 2:
        block = np.concatenate([block[:, :1], np.diff(block, axis=1)], axis=1)
    return bytes(block.astype("u1" if bits == 8 else f"{order}u2").tobytes())


def _tiff_head(order: str, at: int) -> bytes:
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)


def _directory(entries: dict[int, tuple[int, list[int]]], order: str, body: int) -> bytes:
    beyond = 8 + body + 2 + 12 * len(entries) + 4
    head, tail = struct.pack(f"{order}H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack(f"{order}I", beyond + len(tail))
            tail += data
        head += struct.pack(f"{order}HHI", tag, kind, len(values)) + place
    return head + bytes(4) + tail
