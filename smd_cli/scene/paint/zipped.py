"""Documents that are zips of XML and layers: OpenRaster's and Krita's."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import BinaryIO
from xml.etree import ElementTree

from PIL import Image, UnidentifiedImageError

from smd_cli.scene.paint.errors import PictureError, Size, quote, refuse_huge
from smd_cli.scene.paint.layers import Document
from smd_cli.scene.paint.pixels import Pixels

Decoder = Callable[[bytes], Pixels]
"""What a PNG's bytes mean."""

_MAX_XML = 16 << 20  # bytes
_MAX_MEMBER = 1 << 30
_MERGED = "mergedimage.png"
_KINDS = (b"application/x-krita", b"image/openraster")  # a file of these says so at its beginning
_HEAD = 128


class Archive:
    """The members of a zip, which are read with care: a size that is told may be wrong."""

    def __init__(self, file: BinaryIO, written: str, decode: Decoder) -> None:
        self.written = written
        self._decode = decode
        self._zip = zipfile.ZipFile(file)
        self.names = frozenset(self._zip.namelist())

    def data(self, name: str, most: int = _MAX_MEMBER) -> bytes:
        """The bytes of a member. Raises PictureError where it is missing or too large."""
        if name not in self.names:
            message = f"{quote(self.written)} is damaged: it lacks its {quote(name)}"
            raise PictureError(message, "save the file again")
        with self._zip.open(name) as member:
            found = member.read(most + 1)
        if len(found) > most:
            message = f"{quote(self.written)} holds more than {most >> 20} MiB in {quote(name)}"
            raise PictureError(message, "export it as PNG")
        return found

    def tree(self, name: str) -> ElementTree.Element:
        """The root of an XML member; one that declares entities is refused."""
        text = self.data(name, _MAX_XML)
        if b"<!ENTITY" in text.replace(b"\0", b""):
            raise PictureError(f"{quote(self.written)} declares XML entities: it is not read")
        return ElementTree.fromstring(text)

    def png(self, name: str) -> Image.Image:
        """A PNG member as RGBA."""
        pixels = self.pixels(name)
        picture = pixels.colours.convert("RGB")
        picture.putalpha(pixels.alpha or 255)
        return picture

    def pixels(self, name: str) -> Pixels:
        """A PNG member as it is stored."""
        return self._decode(self.data(name))

    def merged(self) -> Pixels:
        """The picture that all layers make."""
        if _MERGED not in self.names:
            message = f"{quote(self.written)} holds layers only, without the picture they make"
            raise PictureError(message, "take one of them by layer: NAME, or export it as PNG")
        return self.pixels(_MERGED)


def open_zipped(file: BinaryIO, written: str, decode: Decoder) -> Document:
    """The document in a zip. Raises UnidentifiedImageError where it holds something else."""
    file.seek(0)
    head = file.read(_HEAD)
    try:
        archive = Archive(file, written, decode)
    except zipfile.BadZipFile as broken:
        if any(kind in head for kind in _KINDS):
            raise
        raise UnidentifiedImageError("no picture is known by this zip") from broken
    if "stack.xml" in archive.names:
        from smd_cli.scene.paint.openraster import read_openraster

        return read_openraster(archive)
    if "maindoc.xml" in archive.names:
        from smd_cli.scene.paint.krita import read_krita

        return read_krita(archive)
    raise UnidentifiedImageError("no picture is known by this zip")


def number(element: ElementTree.Element, key: str, default: float) -> float:
    """A number that an element says; `default` where it says none."""
    try:
        return float(element.get(key, default))
    except ValueError:
        return default


def size_of(element: ElementTree.Element, width: str, height: str, written: str) -> Size:
    """The size that an element says under two keys. Raises PictureError for none at all."""
    found = int(number(element, width, 0)), int(number(element, height, 0))
    if min(found) <= 0:
        raise PictureError(f"{quote(written)} is damaged: it tells no size", "save the file again")
    refuse_huge(found[0] * found[1], written)
    return found
