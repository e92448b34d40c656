"""Pictures from files: refused early, turned upright, and one channel of them as paint.

Every function here depends on its arguments alone, so that a file can be read again whenever it
changes. What is wrong with a file is raised as a PictureError, which knows no place in the scene.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from smd_cli.errors import UsageError
from smd_cli.scene.model import Channel, Fit

Array = npt.NDArray[np.float32]
Size = tuple[int, int]

MAX_PIXELS = 2 * 8192 * 8192  # twice the largest canvas; Pillow's own refusal lies a little above
_ORIENTATION = 274  # the EXIF tag
_READ = "smd reads PNG, JPEG, WebP, TIFF, GIF, BMP, PNM, TGA, PSD, JPEG 2000 and AVIF"
# Named, so that no decoder starts a program (EPS would). The last two are missing in some builds.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "PSD", "TGA", "JPEG2000", "AVIF")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

logging.getLogger("PIL").addHandler(logging.NullHandler())


class PictureError(UsageError):
    """A picture cannot serve: a sentence without an address."""


@dataclass(frozen=True, eq=False)
class MaskImage:
    """What a mask file paints: (H, W) in 0..1, from which channel, and the file's own size."""

    paint: Array
    channel: Channel
    size: Size


def quote(text: str) -> str:
    """The text in quotes on one line; characters that do not print show as ``?``."""
    return "'" + "".join(c if c.isprintable() else "?" for c in text) + "'"


def dimensions(size: Size) -> str:
    """``512x384``: width and height in pixels."""
    return f"{size[0]}x{size[1]}"


def picture_size(path: Path, written: str) -> Size:
    """Width and height of an image file as seen upright, from its header alone."""
    with _opened(path, written) as picture:
        return _upright(picture.size, _orientation(picture))


def read_mask(
    path: Path,
    written: str,
    canvas: Size,
    *,
    channel: Channel | None = None,
    invert: bool = False,
    fit: Fit | None = None,
    slack_px: int = 8,
) -> MaskImage:
    """Read one channel of an image as paint for a canvas of (width, height).

    `channel` None takes alpha where it varies (opaque = painted), else luma (white = painted).
    `fit` None stretches, but only by up to `slack_px` on the canvas. What `contain` leaves free at
    the sides stays unpainted. Raises PictureError.
    """
    with _opened(path, written) as picture:
        turn = _orientation(picture)
        size = _upright(picture.size, turn)
        if fit is None:
            refuse_other_shape(size, canvas, slack_px, written)
        picture.draft(None, _upright(_scaled(size, canvas, fit), turn))
        layer, used = _layer(picture, channel, written)
    paint = _fitted(_turned(layer, turn), canvas, fit, invert)
    return MaskImage(paint, used, size)


def read_colours(
    path: Path,
    written: str,
    canvas: Size,
    *,
    under: tuple[int, int, int] = (255, 255, 255),
    slack_px: int = 8,
) -> npt.NDArray[np.uint8]:
    """Read an image as colours (H, W, 3) of 0..255 that fill the canvas.

    What is transparent shows the colour `under` it. Its aspect ratio may differ from the canvas'
    by up to `slack_px` there. Raises PictureError.
    """
    with _opened(path, written) as picture:
        turn = _orientation(picture)
        refuse_other_shape(_upright(picture.size, turn), canvas, slack_px, written, fits=False)
        picture.draft(None, _upright(canvas, turn))
        plain = _eight_bit(_plain(picture)).convert("RGBA")
    turned = _turned(plain, turn)
    if "A" in turned.getbands() and turned.getextrema()[-1] != (255, 255):
        turned = Image.alpha_composite(Image.new("RGBA", turned.size, (*under, 255)), turned)
    scaled = turned.convert("RGB").resize(canvas, Image.Resampling.LANCZOS)
    return np.array(scaled, dtype=np.uint8)


def refuse_other_shape(
    size: Size, canvas: Size, slack_px: int, written: str, *, fits: bool = True
) -> None:
    """Raise where a picture, scaled to lie within the canvas, leaves more than `slack_px` bare."""
    width, height = (side * _contain(size, canvas) for side in size)
    if max(canvas[0] - width, canvas[1] - height) <= slack_px:
        return
    raise PictureError(
        f"{quote(written)} measures {dimensions(size)}, another aspect ratio than the canvas' "
        f"{dimensions(canvas)}",
        "say how with fit: stretch, contain or cover" if fits else "crop it, or set size: to match",
    )


def _contain(size: Size, canvas: Size) -> float:
    return min(canvas[0] / size[0], canvas[1] / size[1])


@contextmanager
def _opened(path: Path, written: str) -> Iterator[Image.Image]:
    """The image behind a path, its first frame; whatever its decoder says becomes one sentence.

    Pillow gets the open file, not the path: a path it may map into memory, where a turned TIFF
    comes out scrambled and a file that is being written again ends the process.
    """
    _refuse_file(path, written)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
                _refuse_huge(picture.width * picture.height, written)
                yield picture
    except PictureError:
        raise
    except Image.DecompressionBombError as bomb:
        _refuse_huge(int("".join(re.findall(r"\d+", str(bomb))[:1]) or MAX_PIXELS + 1), written)
    except (UnidentifiedImageError, KeyError) as other:
        hint = "export the drawing as PNG" if path.suffix.lower() == ".svg" else _READ
        raise PictureError(f"{quote(written)} is not an image that can be read", hint) from other
    except PermissionError as denied:
        raise PictureError(f"{quote(written)} cannot be opened: permission denied") from denied
    except MemoryError as full:
        raise PictureError(f"{quote(written)} does not fit into memory") from full
    except Exception as broken:  # decoders raise anything on damaged data
        message = f"{quote(written)} is damaged: it cannot be read to its end"
        raise PictureError(message, "save or copy the file again") from broken


def _refuse_huge(pixels: int, written: str) -> None:
    if pixels > MAX_PIXELS:
        raise PictureError(
            f"{quote(written)} holds {pixels / 1e6:.0f} million pixels; "
            f"at most {MAX_PIXELS // 10**6} million are read",
            "scale it down: a picture needs no more pixels than the canvas",
        )


def _refuse_file(path: Path, written: str) -> None:
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
    raise PictureError(message, "paths count from the scene file's folder")


def _closest(path: Path) -> str:
    """The name in a file's folder that is most like its own, or an empty string."""
    try:
        names = {p.name.lower(): p.name for p in sorted(path.parent.iterdir()) if p.is_file()}
    except OSError:
        return ""
    return "".join(names[n] for n in difflib.get_close_matches(path.name.lower(), names, n=1))


def _orientation(picture: Image.Image) -> int:
    """How EXIF says the picture is turned, 1..8; 1 for a TIFF, which Pillow turns itself."""
    with suppress(Exception):  # damaged EXIF data spoils no picture
        if picture.format != "TIFF":
            return int(picture.getexif().get(_ORIENTATION, 1))
    return 1


def _upright(size: Size, turn: int) -> Size:
    """The size after (or before) the turn."""
    return (size[1], size[0]) if turn in (5, 6, 7, 8) else size


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def _layer(
    picture: Image.Image, channel: Channel | None, written: str
) -> tuple[Image.Image, Channel]:
    """One channel as a picture in mode L (0..255) or F (0..1), and which one it is."""
    plain = _plain(picture, written)
    alpha = plain.getchannel("A") if "A" in plain.getbands() else None
    if channel is None:
        low, high = alpha.getextrema() if alpha else (0, 0)
        channel = "alpha" if low != high else "luma"
    if channel == "alpha":
        if alpha is None:
            hint = "leave channel: out to take white = painted"
            raise PictureError(f"{quote(written)} has no alpha channel", hint)
        return alpha, channel
    if plain.mode == "F":
        return plain, channel
    if channel == "luma":
        return plain.convert("L"), channel
    return plain.convert("RGB").getchannel(channel[0].upper()), channel


def _plain(picture: Image.Image, written: str = "") -> Image.Image:
    """The decoded picture in mode L, LA, RGB, RGBA, or F (0..1) where it is deeper than 8 bits."""
    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":
        return _deep(picture, written)
    if "transparency" in picture.info or picture.mode in ("PA", "La", "RGBa"):
        return picture.convert("RGBA")
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _deep(picture: Image.Image, written: str) -> Image.Image:
    """A grey picture of 16 or 32 bits a pixel in mode F, its full range being 0..1."""
    stored = np.asarray(picture)
    values = stored.astype(np.float32) / np.float32(_full_range(picture))
    if not (np.isfinite(values).all() and values.min() > -0.5 and values.max() < 1.5):
        raise PictureError(
            f"{quote(written)} holds floating-point values outside 0..1",
            "0 is unpainted and 1 is painted",
        )
    deep = Image.fromarray(np.clip(values, 0, 1))
    if "transparency" not in picture.info:
        return deep
    clear = Image.fromarray((stored != picture.info["transparency"]).astype(np.uint8) * 255)
    return Image.merge("LA", (_eight_bit(deep), clear))


def _full_range(picture: Image.Image) -> float:
    """The value that means white in a picture of mode I;16, I or F."""
    if picture.mode == "F":
        return 1.0
    tags = getattr(picture, "tag_v2", {})
    bits = int(tags.get(258, (16,))[0])
    signed = tags.get(339, (1,))[0] == 2 or bits == 32  # Pillow reads 32 bits as signed
    return float(2 ** (bits - 1) - 1 if signed else 2**bits - 1)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Mode F (0..1) as mode L (0..255); any other picture as it is."""
    if picture.mode != "F":
        return picture
    return Image.fromarray(np.rint(np.asarray(picture) * 255).astype(np.uint8))


def _scaled(size: Size, canvas: Size, fit: Fit | None) -> Size:
    """How large the whole picture comes out on the canvas, in whole pixels."""
    if fit is None or fit == "stretch":
        return canvas
    ratios = (canvas[0] / size[0], canvas[1] / size[1])
    ratio = min(ratios) if fit == "contain" else max(ratios)
    return (max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio)))


def _fitted(layer: Image.Image, canvas: Size, fit: Fit | None, invert: bool) -> Array:
    """Scale one channel to the canvas: (H, W) in 0..1."""
    size = _scaled(layer.size, canvas, fit) if fit == "contain" else canvas
    box = _middle(layer.size, canvas) if fit == "cover" else (0.0, 0.0, *layer.size)
    if box != (0, 0, *size):
        layer = layer.resize(size, _filter((box[2] - box[0], box[3] - box[1]), size), box=box)
    paint = np.asarray(layer, dtype=np.float32) / np.float32(1 if layer.mode == "F" else 255)
    paint = np.clip(1 - paint if invert else paint, 0, 1)
    left, top = (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    right, bottom = canvas[0] - size[0] - left, canvas[1] - size[1] - top
    return np.pad(paint, ((top, bottom), (left, right)))


def _middle(size: Size, canvas: Size) -> tuple[float, float, float, float]:
    """The largest box of the canvas' aspect ratio in the middle of a picture."""
    ratio = max(canvas[0] / size[0], canvas[1] / size[1])
    width, height = min(canvas[0] / ratio, size[0]), min(canvas[1] / ratio, size[1])
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return (left, top, left + width, top + height)


def _filter(old: tuple[float, float], new: Size) -> Image.Resampling:
    """A filter that never leaves 0..1: exact means where sides divide, else a smooth one."""
    if new[0] > old[0] or new[1] > old[1]:
        return Image.Resampling.BILINEAR
    if old[0] % new[0] == 0 and old[1] % new[1] == 0:
        return Image.Resampling.BOX
    return Image.Resampling.HAMMING
