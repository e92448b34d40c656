"""Photoshop's files: the merged picture of a PSD or PSB with its transparency.

Read here, as Pillow knows neither the transparency of grey, CMYK and many-channelled files nor 16
bits. Layout: Adobe's "Photoshop File Formats Specification".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from smd_cli.scene.paint.errors import PictureError, Size, quote, refuse_huge, unread
from smd_cli.scene.paint.pixels import Pixels

_BITMAP, _INDEXED, _CMYK = 0, 2, 4
# Photoshop's mode: Pillow's mode, and how many channels it takes
MODES = {
    _BITMAP: ("1", 1),
    1: ("L", 1),
    _INDEXED: ("P", 1),
    3: ("RGB", 3),
    _CMYK: ("CMYK", 4),
    7: ("L", 1),  # multichannel: its first
    8: ("L", 1),  # duotone: its grey
    9: ("LAB", 3),
}
_RAW, _PACKBITS = 0, 1
_PROFILE, _CLEAR_INDEX, _VERSION = 1039, 1047, 1057
_CHANNEL_NAMES = (1006, 1045)  # of saved selections: without them an extra channel is transparency
_MERGED = (b"Mtrn", b"Mt16", b"Mt32")  # these say that the merged picture is transparent
LAYERS = (b"Layr", b"Lr16", b"Lr32")
LONG = (*_MERGED, *LAYERS, b"LMsk", b"Alph", b"FMsk", b"lnk2", b"FEid", b"FXid", b"PxSD")
_MAX_BLOCKS = 1000


@dataclass(frozen=True, eq=False)
class PsdSource:
    """A PSD or PSB whose header has been read.

    The section of layers begins at byte `layers_at`, the merged picture at `data_at`.
    """

    file: BinaryIO
    written: str
    size: Size
    mode: int
    depth: int
    channels: int
    wide: bool
    palette: bytes
    resources: dict[int, bytes]
    declared: bool
    layers_at: int
    data_at: int
    turn: int = 1
    several: str = ""

    def load(self, _: Size, /) -> Pixels:
        """The merged picture at its full size."""
        if self.resources.get(_VERSION, b"")[4:5] == b"\0":
            message = f"{quote(self.written)} holds layers only, without the picture they make"
            hint = "save it with 'Maximize Compatibility', or export it as PNG"
            raise PictureError(message, hint)
        mode, count = MODES[self.mode]
        planes = [self._plane(data) for data in self._planes(min(self.channels, count + 1))]
        alpha = planes[count].convert("L") if len(planes) > count else None
        clear = self.resources.get(_CLEAR_INDEX)
        if self.mode == _INDEXED and clear:
            alpha = planes[0].point(
                [0 if v == int.from_bytes(clear, "big") else 255 for v in range(256)]
            )
        return Pixels(
            self.coloured(planes[:count], mode),
            alpha,
            self.declared or bool(clear),
            self.resources.get(_PROFILE, b""),
        )

    def coloured(self, planes: list[Image.Image], mode: str) -> Image.Image:
        """The channels, each in mode L (or 1), as a picture in one of Pillow's modes."""
        if self.mode == _CMYK:  # 255 is no ink
            planes = [ImageChops.invert(plane) for plane in planes]
        if self.mode != _INDEXED:
            return planes[0] if len(planes) == 1 else Image.merge(mode, planes)
        indices = Image.frombytes("P", self.size, planes[0].tobytes())
        stored = np.frombuffer(self.palette.ljust(768, b"\0")[:768], dtype=np.uint8)
        indices.putpalette(stored.reshape(3, 256).T.tobytes())
        return indices

    def _row_bytes(self) -> int:
        return (self.size[0] * self.depth + 7) // 8

    def _planes(self, count: int) -> Iterator[bytes]:
        """The bytes of the first `count` channels, each (H, W) in rows."""
        self.file.seek(self.data_at)
        [packing] = struct.unpack(">H", self.file.read(2))
        height, row = self.size[1], self._row_bytes()
        if packing == _RAW:
            for _ in range(count):
                yield exactly(self.file, height * row)
        elif packing == _PACKBITS:
            kind = ">u4" if self.wide else ">u2"
            table = exactly(self.file, self.channels * height * int(kind[-1]))
            lengths = np.frombuffer(table, dtype=kind).reshape(self.channels, height)
            for own in lengths[:count].astype(np.int64):
                packed = exactly(self.file, int(own.sum()))
                plane = Image.frombytes("L", (row, height), packed, "packbits", "L")
                yield plane.tobytes()
        else:
            raise unread(self.written, f"is packed in a way (number {packing})")

    def _plane(self, data: bytes) -> Image.Image:
        """One channel as a picture: mode 1 for a bitmap, else L."""
        if self.depth == 1:
            return Image.frombytes("1", self.size, data, "raw", "1;I")  # a set bit is black
        if self.depth == 8:
            return Image.frombytes("L", self.size, data)
        deep = np.frombuffer(data, dtype=">u2").reshape(self.size[1], self.size[0])
        return Image.fromarray(as_bytes(deep))


def as_bytes(deep: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """16 bits as 8, rounded."""
    return ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)


def open_psd(file: BinaryIO, written: str) -> PsdSource:
    """Read a PSD's or PSB's header. Raises PictureError; EOFError where the file ends early."""
    file.seek(4)
    header = struct.unpack(">H6xHIIHH", exactly(file, 22))
    version, channels, height, width, depth, mode = header
    refuse_huge(width * height, written)
    if version not in (1, 2) or mode not in MODES or (depth == 1) != (mode == _BITMAP):
        raise unread(written, "is a Photoshop file of a kind")
    if depth not in (1, 8, 16) or channels < MODES[mode][1] or not width * height:
        raise unread(written, f"is a Photoshop file of {depth} bits and {channels} channels")
    wide = version == 2
    palette, resources = _section(file), dict(_resources(_section(file)))
    selections = any(number in resources for number in _CHANNEL_NAMES)
    layers_at = file.tell()
    declared = _declares_transparency(file, wide) or not selections
    return PsdSource(
        file,
        written,
        (width, height),
        mode,
        depth,
        channels,
        wide,
        palette,
        resources,
        declared,
        layers_at,
        file.tell(),
    )


def exactly(file: BinaryIO, count: int) -> bytes:
    """So many bytes. Raises EOFError where there are fewer."""
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the file ends early")
    return data


def number(file: BinaryIO, count: int) -> int:
    """An unsigned number of so many bytes."""
    return int.from_bytes(file.read(count), "big")


def _section(file: BinaryIO) -> bytes:
    """A section, which begins with its length."""
    return exactly(file, number(file, 4))


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Photoshop's image resources by number."""
    file = io.BytesIO(data)
    while len(head := file.read(7)) == 7:
        name = head[6]
        file.seek(name + (name + 1) % 2, io.SEEK_CUR)  # with its length, padded to be even
        length = number(file, 4)
        yield int.from_bytes(head[4:6], "big"), file.read(length)
        file.seek(length % 2, io.SEEK_CUR)


def _declares_transparency(file: BinaryIO, wide: bool) -> bool:
    """Whether the section of layers says that the first extra channel is transparency.

    It does by a negative count of layers, or by a block of its own where layers are deeper than 8
    bits. The file stands behind the section afterwards.
    """
    width = 8 if wide else 4
    length = number(file, width)
    end = file.tell() + length
    declared = length > 0 and _declared_within(file, width, end)
    file.seek(end)
    return declared


def _declared_within(file: BinaryIO, width: int, end: int) -> bool:
    length = number(file, width)
    behind = file.tell() + length
    if length and _negative(file):
        return True
    for key, at, _ in global_blocks(file, behind, end, width == 8):
        file.seek(at)
        if key in _MERGED or (key in LAYERS and _negative(file)):
            return True
    return False


def global_blocks(
    file: BinaryIO, behind: int, end: int, wide: bool
) -> Iterator[tuple[bytes, int, int]]:
    """The blocks behind the layers, which end at byte `behind`: key, place and length of each."""
    file.seek(behind)
    following = behind + 4 + number(file, 4)  # the global layer mask
    for _ in range(_MAX_BLOCKS):
        file.seek(following)
        head = file.read(8)
        if following >= end or not head.startswith(b"8B"):
            return
        length = number(file, 8 if wide and head[4:] in LONG else 4)
        at = file.tell()
        following = at + (length + 3) // 4 * 4
        yield head[4:], at, length


def _negative(file: BinaryIO) -> bool:
    return int.from_bytes(file.read(2), "big", signed=True) < 0
