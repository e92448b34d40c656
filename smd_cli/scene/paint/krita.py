"""Krita's files: a zip of `maindoc.xml` and of layers in packed tiles of 64 pixels a side.

Layout: "KRA: The Krita File Format" in Krita's documentation; tiles of their version 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from smd_cli.scene.paint.errors import PictureError, Size, quote
from smd_cli.scene.paint.layers import MAX_DEPTH, Document, Layer, Levels, stacked
from smd_cli.scene.paint.lzf import unpacked
from smd_cli.scene.paint.psd import as_bytes
from smd_cli.scene.paint.zipped import Archive, number, size_of

# A layer's colour space: how many channels a pixel has, alpha the last, and of how many bytes each.
_SPACES = {"RGBA": (4, 1), "RGBA16": (4, 2), "GRAYA": (2, 1), "GRAYA16": (2, 2), "GRAYAU16": (2, 2)}
_COLOURED = 4  # channels: blue, green, red and alpha in this order
_MASK_BYTES = 1
_CONVERT = "in Krita: Image > Convert Image Color Space, to RGB of 8 or 16 bits, integer"
_RASTER = "in Krita: right click on it > Convert > to Paint Layer"
_TILE_WORDS = 4  # x, y, LZF and a length
_MAX_LINE, _MAX_TILE_PX = 100, 4096
# Masks that change what a layer shows, by the sentence that names them.
_IGNORED = {
    "filtermask": "a filter mask",
    "transformmask": "a transform mask",
    "colorizemask": "a colorize mask",
}
# Layers that hold no pixels.
_OTHERS = {
    "shapelayer": "vector",
    "adjustmentlayer": "filter",
    "generatorlayer": "fill",
    "clonelayer": "clone",
    "filelayer": "file",
}
_Offset = tuple[int, int]


def read_krita(archive: Archive) -> Document:
    """The document of a Krita file; its layers are decoded when they are asked for."""
    image = next((e for e in archive.tree("maindoc.xml").iter() if _tag(e) == "IMAGE"), None)
    if image is None:
        raise PictureError(f"{quote(archive.written)} is damaged: it tells no picture")
    size = size_of(image, "width", "height", archive.written)
    reader = _Reader(archive, size, image.get("colorspacename", ""))
    return Document(archive.written, size, reader.layers(image, 0), archive.merged)


def _tag(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _within(element: ElementTree.Element, holder: str) -> Iterator[ElementTree.Element]:
    """What is in the children of an element that are called `holder`."""
    for child in element:
        if _tag(child) == holder:
            yield from child


class _Reader:
    """Makes layers of what `maindoc.xml` says of them."""

    def __init__(self, archive: Archive, size: Size, space: str) -> None:
        self._archive, self._size, self._space = archive, size, space
        self._files = {name.rpartition("/layers/")[2]: name for name in archive.names}

    def layers(self, parent: ElementTree.Element, depth: int) -> tuple[Layer, ...]:
        """The layers in an element, from the top down."""
        if depth > MAX_DEPTH:
            raise PictureError(
                f"{quote(self._archive.written)} has groups more than {MAX_DEPTH} deep"
            )
        return tuple(self._layer(e, depth) for e in _within(parent, "layers") if _tag(e) == "layer")

    def _layer(self, element: ElementTree.Element, depth: int) -> Layer:
        kind = element.get("nodetype", element.get("layertype", "paintlayer"))
        children = self.layers(element, depth + 1) if kind == "grouplayer" else None
        masks = [*_within(element, "masks")]
        seen = [mask for mask in masks if mask.get("visible", "1") != "0"]
        kinds = [mask.get("nodetype", "") for mask in seen]
        ignored = [_IGNORED[kind] for kind in kinds if kind in _IGNORED]
        paints = kind in ("paintlayer", "grouplayer")
        return Layer(
            element.get("name", ""),
            element.get("visible", "1") != "0",
            min(max(number(element, "opacity", 255) / 255, 0.0), 1.0),
            self._drawing(element, kind, children),
            [
                partial(self._mask, mask)
                for mask, kind in zip(seen, kinds, strict=True)
                if kind == "transparencymask"
            ],
            children,
            tuple(ignored if paints else [*ignored, f"a {_called(kind)} layer"]),
            paints,
        )

    def _drawing(
        self, element: ElementTree.Element, kind: str, children: Sequence[Layer] | None
    ) -> Callable[[], Image.Image]:
        if children is not None:
            return partial(stacked, children)
        return partial(self._painted, element) if kind == "paintlayer" else partial(_no_paint, kind)

    def _painted(self, element: ElementTree.Element) -> Image.Image:
        """A paint layer's pixels, RGBA."""
        space = element.get("colorspacename") or self._space
        if space not in _SPACES:
            raise PictureError(
                f"it is of the kind {quote(space)}, which smd does not read", _CONVERT
            )
        channels, width = _SPACES[space]
        stored = self._tiles(element.get("filename", ""), channels * width, element)
        levels = stored if width == 1 else as_bytes(np.ascontiguousarray(stored).view("<u2"))
        order = [2, 1, 0, 3] if channels == _COLOURED else [0, 0, 0, 1]
        return Image.fromarray(np.ascontiguousarray(levels[..., order]))

    def _mask(self, element: ElementTree.Element) -> Levels:
        """What a transparency mask leaves (H, W)."""
        name = element.get("filename", "")
        stored = f"{name}.pixelselection"
        name = stored if stored in self._files else name
        return self._tiles(name, _MASK_BYTES, element)[..., 0]

    def _tiles(self, name: str, pixel: int, element: ElementTree.Element) -> Levels:
        """The stored bytes (H, W, pixel) of a layer's or a mask's file on the document."""
        data = self._archive.data(self._files.get(name, name))
        plain = self._files.get(f"{name}.defaultpixel")
        default = np.frombuffer(self._archive.data(plain) if plain else bytes(pixel), np.uint8)
        whole = np.empty((self._size[1], self._size[0], pixel), dtype=np.uint8)
        whole[:] = default[:pixel] if len(default) >= pixel else 0
        corner = int(number(element, "x", 0)), int(number(element, "y", 0))
        for (x, y), tile in read_tiles(data, pixel):
            _lay(whole, tile, (x + corner[0], y + corner[1]))
        return whole


def _no_paint(kind: str) -> Image.Image:
    raise PictureError(f"it is a {_called(kind)} layer, which holds no painted pixels", _RASTER)


def _called(kind: str) -> str:
    """What Krita's user knows a kind of layers as."""
    return _OTHERS.get(kind, kind.removesuffix("layer") or "nameless")


def read_tiles(data: bytes, pixel: int) -> Iterator[tuple[_Offset, Levels]]:
    """The tiles (h, w, pixel) of a layer's file, each with its (x, y).

    Raises ValueError where they are not what their header says.
    """
    head, at = _header(data)
    if head.get("VERSION") != 2 or head.get("PIXELSIZE") != pixel:
        raise ValueError("tiles of another kind")
    width, height = head.get("TILEWIDTH", 0), head.get("TILEHEIGHT", 0)
    if not (0 < width <= _MAX_TILE_PX and 0 < height <= _MAX_TILE_PX):
        raise ValueError("tiles of an odd size")
    for _ in range(head["DATA"]):
        line, at = _line(data, at)
        words = line.split(",")
        if len(words) != _TILE_WORDS or words[2] != "LZF":
            raise ValueError("a tile that is packed otherwise")
        length = int(words[3])
        yield (int(words[0]), int(words[1])), _tile(data[at : at + length], (height, width, pixel))
        at += length


def _header(data: bytes) -> tuple[dict[str, int], int]:
    """The numbers at the head of a layer's file, up to that of its tiles, and where those begin."""
    found: dict[str, int] = {}
    at = 0
    while "DATA" not in found:
        line, at = _line(data, at)
        key, _, value = line.partition(" ")
        found[key] = int(value)
    return found, at


def _line(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\n", at, at + _MAX_LINE)
    return data[at:end].decode("ascii"), end + 1


def _tile(packed: bytes, shape: tuple[int, int, int]) -> Levels:
    """A tile's bytes: raw ones lie by pixels, packed ones by channels."""
    height, width, pixel = shape
    count = height * width * pixel
    if packed[:1] == b"\1":
        planes = np.frombuffer(unpacked(packed[1:], count), dtype=np.uint8)
        by_pixels: Levels = planes.reshape(pixel, height, width).transpose(1, 2, 0)
        return by_pixels
    return np.frombuffer(packed[1:], dtype=np.uint8, count=count).reshape(shape)


def _lay(whole: Levels, tile: Levels, corner: _Offset) -> None:
    """Put a tile at (x, y), cut at the edges."""
    left, top = corner
    right, bottom = min(left + tile.shape[1], whole.shape[1]), min(top + tile.shape[0], len(whole))
    x, y = max(left, 0), max(top, 0)
    if x < right and y < bottom:
        whole[y:bottom, x:right] = tile[y - top : bottom - top, x - left : right - left]
