"""TIFF files whose samples Pillow drops, inverts or does not know: extra channels, separate planes,
and white-is-zero in 16 bits.

Each plane is decoded as one wide grey picture, a byte a pixel, so that Pillow unpacks every
compression; what the samples mean is read from the tags here. Layout: TIFF 6.0.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from smd_cli.scene.paint.errors import Size, refuse_huge
from smd_cli.scene.paint.pixels import Pixels
from smd_cli.scene.paint.psd import as_bytes
from smd_cli.scene.paint.silence import silent_decoders

Samples = npt.NDArray[Any]

_RAW = 1
_LOSSLESS = (_RAW, 5, 8, 32773, 32946, 34925, 50000)  # LZW, deflate, PackBits, LZMA, zstd
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK = 0, 1, 2, 3, 5
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4}
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2  # kinds of extra samples
# Photometric interpretation and extra samples, of 8 bits, that Pillow reads as they are meant
_WELL_READ = (
    (_BLACK_IS_ZERO, (_UNASSOCIATED,)),
    (_RGB, (_UNASSOCIATED,)),
    (_RGB, (_ASSOCIATED,)),
)
_MAX_BYTES = 2**30  # of all samples
_BAND = 2**27  # bytes that Pillow decodes at once
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _SAMPLES, _ROWS, _STRIP_SIZES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_ORIENTATION, _COLOUR_MAP, _EXTRA, _FORMAT, _PROFILE = 274, 320, 338, 339, 34675
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 322, 323, 324, 325


@dataclass(frozen=True, eq=False)
class Layout:
    """How a TIFF lays its samples out, from the tags of its first page.

    `blocks` are the place and length of every strip or tile, whose (width, height) is `block`.
    """

    size: Size
    bits: int
    samples: int
    photometric: int
    extra: tuple[int, ...]
    compression: int
    planar: bool
    predicted: bool
    block: Size
    tiled: bool
    blocks: tuple[tuple[int, int], ...]
    big_endian: bool
    fill_order: int

    @property
    def colours(self) -> int:
        """How many of the samples are colours; the others are extra."""
        return _COLOURS[self.photometric]


@dataclass(frozen=True, eq=False)
class TiffSource:
    """A TIFF whose tags have been read."""

    file: BinaryIO
    layout: Layout
    turn: int
    several: str
    profile: bytes
    palette: bytes

    @property
    def size(self) -> Size:
        """Width and height as stored."""
        return self.layout.size

    def load(self, _: Size, /) -> Pixels:
        """The first page at its full size."""
        layout = self.layout
        samples = _samples(self.file, layout)
        at = _alpha_index(layout)
        alpha = samples[..., at] if at is not None else None
        kind = layout.extra[at - layout.colours] if at is not None else _UNSPECIFIED
        colours = samples[..., : layout.colours]
        if alpha is not None and kind == _ASSOCIATED and layout.photometric != _PALETTE:
            colours = _unassociated(colours, alpha)
        if layout.photometric == _WHITE_IS_ZERO:
            colours = np.iinfo(colours.dtype).max - colours
        seen = None if alpha is None else Image.fromarray(_bytes(alpha))
        return Pixels(self._coloured(colours), seen, kind != _UNSPECIFIED, self.profile)

    def _coloured(self, colours: Samples) -> Image.Image:
        if colours.shape[-1] == 1 and colours.dtype == np.uint16:
            return Image.fromarray((colours[..., 0] / np.float32(65535)).astype(np.float32))
        stored = np.ascontiguousarray(_bytes(colours)).tobytes()
        mode = {_RGB: "RGB", _CMYK: "CMYK", _PALETTE: "P"}.get(self.layout.photometric, "L")
        picture = Image.frombytes(mode, self.size, stored)
        if mode == "P":
            picture.putpalette(self.palette)
        return picture


def open_tiff(file: BinaryIO, written: str) -> TiffSource | None:
    """Read a TIFF's tags; None where Pillow reads it as well, or where nobody does.

    Raises whatever damaged tags lead to.
    """
    file.seek(0)
    header = file.read(8)
    header += file.read(8) if 43 in header[2:4] else b""
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(tags.next)
    tags.load(file)
    if not {_WIDTH, _HEIGHT} <= set(tags) or not {_STRIPS, _TILES} & set(tags):
        raise EOFError("tags are missing")
    layout = _layout(tags, header.startswith(b"M"))
    if layout is None or not _is_ours(layout):
        return None
    refuse_huge(layout.size[0] * layout.size[1], written)
    turn = int(tags.get(_ORIENTATION, 1))
    palette = b""
    if layout.photometric == _PALETTE:
        stored = np.array(tags[_COLOUR_MAP], dtype=np.uint16).reshape(3, -1) >> 8
        palette = stored.T.astype(np.uint8).tobytes()
    several = "pages" if tags.next else ""
    return TiffSource(file, layout, turn, several, bytes(tags.get(_PROFILE, b"")), palette)


def _layout(tags: TiffImagePlugin.ImageFileDirectory_v2, big_endian: bool) -> Layout | None:
    """The layout that tags tell; None where it is of a kind that is not read here."""
    bits, formats = set(tags.get(_BITS, (1,))), set(tags.get(_FORMAT, (1,)))
    photometric, compression = tags.get(_PHOTOMETRIC, 0), tags.get(_COMPRESSION, _RAW)
    predictor = tags.get(_PREDICTOR, 1)
    read = compression in _LOSSLESS and photometric in _COLOURS and predictor in (1, 2)
    if not read or formats != {1} or bits not in ({8}, {16}):
        return None
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    samples = int(tags.get(_SAMPLES, 1))
    extra = samples - _COLOURS[photometric]
    size = width * height * samples * (max(bits) // 8)
    if extra < 0 or min(width, height) < 1 or size > _MAX_BYTES:
        return None
    tiled = _TILES in tags
    rows = min(int(tags.get(_ROWS, height)), height)
    block = (int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT])) if tiled else (width, rows)
    places = tags[_TILES if tiled else _STRIPS]
    sizes = tags.get(_TILE_SIZES if tiled else _STRIP_SIZES, (size,) * len(places))
    kinds = tuple(tags.get(_EXTRA, (_UNASSOCIATED,)))[:extra]  # untold, it is transparency
    return Layout(
        size=(width, height),
        bits=max(bits),
        samples=samples,
        photometric=photometric,
        extra=kinds + (_UNSPECIFIED,) * (extra - len(kinds)),
        compression=compression,
        planar=tags.get(_PLANAR, 1) == 2 and samples > 1,
        predicted=predictor == 2 and compression != _RAW,
        block=block,
        tiled=tiled,
        blocks=tuple(zip(places, sizes, strict=True)),
        big_endian=big_endian,
        fill_order=tags.get(_FILL_ORDER, 1),
    )


def _is_ours(layout: Layout) -> bool:
    """Whether the file is one of those that Pillow gets wrong, or does not know."""
    if layout.planar or not layout.extra:
        return layout.planar or (layout.bits == 16 and layout.photometric == _WHITE_IS_ZERO)
    known = layout.bits == 8 and (layout.photometric, layout.extra) in _WELL_READ
    return not known


def _alpha_index(layout: Layout) -> int | None:
    """Which sample is the transparency: the first that says so, else the first that is extra."""
    said = [i for i, kind in enumerate(layout.extra) if kind != _UNSPECIFIED]
    return layout.colours + (said[0] if said else 0) if layout.extra else None


def _bytes(samples: Samples) -> Samples:
    return as_bytes(samples) if samples.dtype == np.uint16 else samples


def _unassociated(colours: Samples, alpha: Samples) -> Samples:
    """Colours that were multiplied by their alpha, as they were before."""
    most = np.iinfo(colours.dtype).max
    whole = colours.astype(np.float32) * most / np.maximum(alpha, 1)[..., None]
    return np.minimum(np.rint(whole), most).astype(colours.dtype)


def _samples(file: BinaryIO, layout: Layout) -> Samples:
    """All samples (H, W, samples) as 8 or 16 bits."""
    if not layout.planar:
        return _plane(file, layout, layout.blocks, layout.samples)
    count = len(layout.blocks) // layout.samples
    own = [layout.blocks[i * count : (i + 1) * count] for i in range(layout.samples)]
    return np.concatenate([_plane(file, layout, blocks, 1) for blocks in own], axis=-1)


def _plane(
    file: BinaryIO, layout: Layout, blocks: Sequence[tuple[int, int]], samples: int
) -> Samples:
    """One plane (H, W, samples) of its strips or tiles."""
    width, height = layout.size
    pixel = samples * layout.bits // 8
    bands = [
        _decoded(file, layout, own, rows, pixel) for own, rows in _bands(layout, blocks, pixel)
    ]
    stored = np.concatenate(bands)[:height]
    kind = np.dtype(np.uint8 if layout.bits == 8 else (">u2" if layout.big_endian else "<u2"))
    values = stored.view(kind).reshape(height, width, samples)
    values = values.astype(values.dtype.newbyteorder("="))
    if layout.predicted:
        for left in range(0, width, layout.block[0]):
            part = values[:, left : left + layout.block[0]]
            np.cumsum(part, axis=1, dtype=part.dtype, out=part)
    return values


def _bands(
    layout: Layout, blocks: Sequence[tuple[int, int]], pixel: int
) -> Iterator[tuple[Sequence[tuple[int, int]], int]]:
    """Rows of blocks that are decoded together, with their height in pixels."""
    width, height = layout.size
    across = -(-width // layout.block[0])
    down = -(-height // layout.block[1])
    if across * down > len(blocks):
        raise EOFError("strips are missing")
    each = max(1, _BAND // (layout.block[0] * across * pixel * layout.block[1]))
    for first in range(0, down, each):
        rows = min((down - first), each) * layout.block[1]
        yield (
            blocks[first * across : (first + each) * across],
            min(rows, height - first * layout.block[1]),
        )


def _decoded(
    file: BinaryIO, layout: Layout, blocks: Sequence[tuple[int, int]], rows: int, pixel: int
) -> Samples:
    """A band's bytes (rows, W · pixel)."""
    width = layout.size[0] * pixel
    data = [_read(file, *block) for block in blocks]
    if layout.compression == _RAW and not layout.tiled:
        joined = np.frombuffer(b"".join(data), dtype=np.uint8, count=rows * width)
        return joined.reshape(rows, width)
    with (
        silent_decoders(),
        Image.open(io.BytesIO(_grey_tiff(layout, data, width, rows, pixel))) as picture,
    ):
        return np.array(picture)


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(min(length, _MAX_BYTES))


def _grey_tiff(layout: Layout, data: Sequence[bytes], width: int, rows: int, pixel: int) -> bytes:
    """A TIFF of 8 bits grey, whose strips or tiles are `data`."""
    lengths = [len(one) for one in data]
    tags: dict[int, Sequence[int]] = {
        _WIDTH: [width],
        _HEIGHT: [rows],
        _BITS: [8],
        _COMPRESSION: [layout.compression],
        _PHOTOMETRIC: [_BLACK_IS_ZERO],
        _FILL_ORDER: [layout.fill_order],
    }
    if layout.tiled:
        block = {_TILE_WIDTH: [layout.block[0] * pixel], _TILE_HEIGHT: [layout.block[1]]}
        tags |= block | {_TILES: lengths, _TILE_SIZES: lengths}
    else:
        tags |= {_STRIPS: lengths, _ROWS: [layout.block[1]], _STRIP_SIZES: lengths}
    head = 8 + 2 + 12 * len(tags) + 4
    beyond = [v for values in tags.values() if len(values) > 1 for v in values]
    starts = itertools.accumulate(lengths[:-1], initial=head + 4 * len(beyond))
    tags[_TILES if layout.tiled else _STRIPS] = list(starts)
    return _packed(tags, head) + b"".join(data)


def _packed(tags: dict[int, Sequence[int]], head: int) -> bytes:
    """A TIFF's header and tags, all of them LONG; longer values follow at byte `head`."""
    entries, arrays = b"", b""
    for tag, values in sorted(tags.items()):
        array = struct.pack(f"<{len(values)}I", *values)
        place = array if len(values) == 1 else struct.pack("<I", head + len(arrays))
        entries += struct.pack("<HHI", tag, 4, len(values)) + place
        arrays += array if len(values) > 1 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + arrays
