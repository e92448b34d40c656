"""Opening pictures: refused early, each format by the reader that reads it right.

What is wrong with a file is raised as a PictureError, which knows no place in the scene.
"""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from PIL import Image, UnidentifiedImageError

from smd_cli.errors import SmdError
from smd_cli.scene.paint import png
from smd_cli.scene.paint.errors import MAX_PIXELS, PictureError, quote, refuse_huge, unread
from smd_cli.scene.paint.foreign import foreign_error
from smd_cli.scene.paint.pixels import Pixels, Source
from smd_cli.scene.paint.raster import PillowSource
from smd_cli.units import closest_name

if TYPE_CHECKING:
    from smd_cli.scene.paint.layers import Document

# How files begin whose readers are our own: imported for those alone.
_PSD, _ZIP, _TIFF = b"8BPS", b"PK\3\4", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Named, so that no decoder starts a program (EPS would). The last two are missing in some builds.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "TGA", "JPEG2000", "AVIF")
_SCENES = (".yaml", ".yml", ".json")  # what a scene paints without -o has its own name
_SCENE_TEXT, _TEXT_BYTES = b"smd:scene", 1 << 16  # a result's text stands before its pixels

logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def opened(
    path: Path,
    written: str,
    content: bytes | None = None,
    *,
    pixels: bool = True,
    layer: str | None = None,
) -> Iterator[Source]:
    """The picture behind a path; whatever its decoder says becomes one sentence.

    Without `pixels` its header alone can be asked for. `content`, where it has been read already,
    is what counts of the file; `layer` means one layer of it, which then is a `LayerSource`.
    """
    with _read(path, written, content) as file, _source(file, written, pixels, layer) as source:
        refuse_huge(source.size[0] * source.size[1], written)
        yield source


@contextmanager
def opened_document(path: Path, written: str) -> Iterator[Document | None]:
    """The document of layers behind a path; None for a picture that has none."""
    with _read(path, written, None) as file:
        yield _document(file, written, file.read(8))


@contextmanager
def _read(path: Path, written: str, content: bytes | None) -> Iterator[BinaryIO]:
    """The file behind a path; whatever reading it raises becomes one sentence."""
    if not content:
        refuse_file(path, written)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _file(path, content) as file:
                yield file
    except SmdError:
        raise
    except Image.DecompressionBombError as bomb:
        refuse_huge(int("".join(re.findall(r"\d+", str(bomb))[:1]) or MAX_PIXELS + 1), written)
    except (UnidentifiedImageError, KeyError) as other:
        raise foreign_error(path, written) from other
    except PermissionError as denied:
        raise PictureError(f"{quote(written)} cannot be opened: permission denied") from denied
    except MemoryError as full:
        raise PictureError(f"{quote(written)} does not fit into memory") from full
    except Exception as broken:  # decoders raise anything on damaged data
        message = f"{quote(written)} is damaged: it cannot be read to its end"
        raise PictureError(message, "save or copy the file again") from broken


@contextmanager
def _file(path: Path, content: bytes | None) -> Iterator[BinaryIO]:
    if content is not None:
        yield io.BytesIO(content)
        return
    with path.open("rb", buffering=0) as raw, _Bounded(raw) as file:
        yield file


class _Bounded(io.BufferedReader):
    """A file that allocates no more than it holds, whatever length a damaged header claims."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._length = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._length - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


@contextmanager
def _source(
    file: BinaryIO, written: str, pixels: bool, layer: str | None = None
) -> Iterator[Source]:
    """The file's reader.

    Pillow gets the open file, not the path: a path it may map into memory, where a turned TIFF
    comes out scrambled and a file that is being written again ends the process.
    """
    head = file.read(8)
    own: Source | None = None
    known = False
    if head.startswith(_ZIP) or layer is not None:
        own = _layered(file, written, head, layer)
    elif head.startswith(_PSD):
        from smd_cli.scene.paint.psd import open_psd

        own = open_psd(file, written)
    elif head.startswith(_TIFF):
        from smd_cli.scene.paint.tiff import open_tiff

        with suppress(Exception):  # Pillow forgives more, and has the last word
            own, known = open_tiff(file, written), True
    if own is not None:
        yield own
        return
    plain = png.plain_png(file, pixels=pixels) if head == png.MAGIC else png.PlainPng(file)
    plain.file.seek(0)
    try:
        picture = Image.open(plain.file, formats=_FORMATS)
    except UnidentifiedImageError as other:
        raise (unread(written, "is a TIFF of a kind") if known else other) from other
    with picture:
        picture.info.update(plain.info)
        yield PillowSource(picture, written, plain.several)


def _layered(file: BinaryIO, written: str, head: bytes, layer: str | None) -> Source:
    """A document's picture, or that of its layer. Raises PictureError where it has no layers."""
    from smd_cli.scene.paint.layers import layer_source

    document = _document(file, written, head)
    if document is None:
        raise no_layers(written)
    return layer_source(document, layer)


def no_layers(written: str) -> PictureError:
    """The error of a layer that is asked of a file of another kind."""
    hint = "layer: is for files of OpenRaster, Krita and Photoshop"
    return PictureError(f"{quote(written)} has no layers", hint, "layer")


def _document(file: BinaryIO, written: str, head: bytes) -> Document | None:
    """The document of layers in a file that begins with `head`; None where it is no such."""
    if head.startswith(_ZIP):
        from smd_cli.scene.paint.zipped import open_zipped

        return open_zipped(file, written, _member(written))
    if head.startswith(_PSD):
        from smd_cli.scene.paint.psd_layers import read_psd

        return read_psd(file, written)
    return None


def _member(written: str) -> Callable[[bytes], Pixels]:
    """Decodes a picture that lies within a file."""

    def decoded(data: bytes) -> Pixels:
        with _source(io.BytesIO(data), written, True) as source:
            refuse_huge(source.size[0] * source.size[1], written)
            return source.load(source.size)

    return decoded


def refuse_file(path: Path, written: str) -> None:
    """Raise for a path behind which there is no file with something in it."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        _missing(path, written)
    except (OSError, ValueError) as odd:
        reason = getattr(odd, "strerror", None) or str(odd)
        raise PictureError(f"{quote(written)} cannot be opened: {reason.lower()}") from odd
    if stat.S_ISDIR(found.st_mode):
        raise PictureError(f"{quote(written)} is a folder, not an image")
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(f"{quote(written)} is not a regular file")
    if not found.st_size:
        raise PictureError(f"{quote(written)} is empty")


def _missing(path: Path, written: str) -> NoReturn:
    """Raise for a file that is not there, with the closest name that is."""
    message = f"there is no file {quote(written)}"
    if "\\" in written and os.name != "nt":
        raise PictureError(message, f"paths are written with /: {written.replace(chr(92), '/')}")
    if not path.parent.is_dir():
        raise PictureError(message, f"there is no folder {quote(str(Path(written).parent))} either")
    close = _closest(path)
    if close:
        raise PictureError(message, f"did you mean {quote(str(Path(written).with_name(close)))}?")
    folder = str(path.parent)
    where = "the current folder" if folder == "." else f"the folder {quote(folder)}"
    raise PictureError(message, f"it was looked for in {where}")


def _closest(path: Path) -> str:
    """The name in a file's folder that is most like its own, of none that smd painted; or none."""
    try:
        files = [p for p in sorted(path.parent.iterdir()) if p.is_file()]
        scenes = {p.stem for p in files if p.suffix.lower() in _SCENES}
        names = {p.name for p in files if p.stem not in scenes}
        while (close := closest_name(path.name, names)) and _is_result(path.with_name(close)):
            names.remove(close)
    except OSError:
        return ""
    return close


def _is_result(picture: Path) -> bool:
    """Whether a picture carries a scene, as those do that smd painted."""
    with picture.open("rb") as file:
        return _SCENE_TEXT in file.read(_TEXT_BYTES)
