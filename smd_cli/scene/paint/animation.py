"""Animated GIF, APNG and WebP as reels."""

from __future__ import annotations

import io
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from PIL import Image

from smd_cli.scene.paint.errors import PictureError, quote, refuse_huge
from smd_cli.scene.paint.pixels import Source
from smd_cli.scene.paint.placing import upright
from smd_cli.scene.paint.raster import PillowSource
from smd_cli.scene.paint.reel import Reel
from smd_cli.units import counted

_FORMATS = ("GIF", "PNG", "WEBP")
_MAGICS = (b"GIF8", b"\x89PNG", b"RIFF")


def animation(path: Path, written: str, content: bytes | None = None) -> Animation | None:
    """The animation in a file; None where it holds one picture, or is of no such kind.

    `content`, where the file has been read already, is what counts of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exception):  # what is wrong with a picture its reader tells
            if _head(path, content).startswith(_MAGICS):
                found = Animation(path, written, content)
                return found if found.count > 1 else None
    return None


def _head(path: Path, content: bytes | None) -> bytes:
    if content is not None:
        return content[:8]
    if not path.is_file():  # a pipe would be waited for
        return b""
    with path.open("rb") as file:
        return file.read(8)


class Animation(Reel):
    """The pictures of an animated file, as they look when they are shown one after the other."""

    def __init__(self, path: Path, written: str, content: bytes | None = None) -> None:
        self._path, self._content, self.written = path, content, written
        self._picture = self._open()
        picture = self._picture
        refuse_huge(picture.width * picture.height, written)
        # An APNG may begin with a picture for those who cannot show the others.
        self._first = int(bool(picture.info.get("default_image")))
        self.count = int(getattr(picture, "n_frames", 1)) - self._first
        self.size = upright(picture.size, PillowSource(picture, written).turn)

    @cached_property
    def rate(self) -> Fraction | None:
        """Pictures a second, on average."""
        ms = 0.0
        with self._open() as picture, suppress(EOFError, OSError, SyntaxError, ValueError):
            for number in range(self.count):
                picture.seek(self._first + number)
                picture.load()  # a WebP tells how long a picture stands no sooner
                ms += picture.info.get("duration", 0)
        return Fraction(self.count * 1000) / Fraction(str(ms)) if ms else None

    @contextmanager
    def opened(self, number: int) -> Iterator[Source]:
        """One of its pictures. Going back reads it from its start again."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                whole = self._sought(number).copy()
        except Exception as broken:  # decoders raise anything on damaged data
            which = f"its frame {number} of {counted(self.count, 'frame')} cannot be read"
            message = f"{quote(self.written)} is damaged: {which}"
            raise PictureError(message, "save or copy the file again") from broken
        yield PillowSource(whole, self.written)

    def _sought(self, number: int) -> Image.Image:
        if self._first + number < self._picture.tell():
            self._picture = self._open()
        self._picture.seek(self._first + number)
        return self._picture

    def _open(self) -> Image.Image:
        file = self._path.open("rb") if self._content is None else io.BytesIO(self._content)
        picture = Image.open(file, formats=_FORMATS)
        weakref.finalize(picture, file.close)
        return picture
