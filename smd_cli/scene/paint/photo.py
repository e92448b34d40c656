"""A picture that is painted into: its pixels as its file stores them, so that what no brush touches
can be written as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.errors import Note, Size
from smd_cli.scene.paint.opening import opened
from smd_cli.scene.paint.pictures import several
from smd_cli.scene.paint.pixels import Pixels, Source, eight_bit, plain
from smd_cli.scene.paint.placing import middle, refuse_other_shape, scaled, upright
from smd_cli.scene.paint.raster import PillowSource
from smd_cli.scene.paint.srgb import from_srgb, is_srgb, serves, to_srgb
from smd_cli.scene.types import Fit, Profile

Rgb = tuple[int, int, int]
Levels = npt.NDArray[Any]
"""Pixels (H, W, 3 or 4), uint8 or uint16."""

_WHITE = (255, 255, 255)
_OTHER_COLOURS = {"CMYK": "CMYK", "LAB": "Lab"}


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is written.

    `levels` (H, W, 3), or (H, W, 4) with its transparency, uint8 or uint16, are colours of the ICC
    `profile`, of sRGB where there is none. `under`: the sRGB colour that shows where it is
    transparent, in files that hold no transparency.
    """

    levels: Levels
    profile: bytes = b""
    under: Rgb = _WHITE

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.levels.shape[1], self.levels.shape[0]

    @property
    def has_alpha(self) -> bool:
        """Whether it holds transparency."""
        return bool(self.levels.shape[2] == 4)

    @property
    def is_plain(self) -> bool:
        """Whether 8 bits of opaque sRGB hold all of it."""
        return not (self.profile or self.has_alpha) and self.levels.dtype == np.uint8

    @property
    def in_8_bits(self) -> npt.NDArray[np.uint8]:
        """Its levels in 8 bits."""
        if self.levels.dtype == np.uint8:
            return self.levels
        rounded = np.empty(self.levels.shape, dtype=np.uint8)
        for row, line in zip(rounded, self.levels, strict=True):  # no second picture of 4 bytes
            row[:] = (line.astype(np.uint32) + 128) // 257
        return rounded

    @cached_property
    def seen(self) -> npt.NDArray[np.uint8]:
        """What it looks like: (H, W, 3) of 0..255 in sRGB, over the colour under it."""
        levels = self.in_8_bits
        if not (self.profile or self.has_alpha):
            return levels
        colours = Image.fromarray(np.ascontiguousarray(levels[..., :3]))
        colours = to_srgb(Pixels(colours, profile=self.profile))[0]
        if self.has_alpha:
            colours = over(colours, Image.fromarray(levels[..., 3]), self.under)
        return np.asarray(colours, dtype=np.uint8)


def over(colours: Image.Image, alpha: Image.Image, under: Rgb) -> Image.Image:
    """Colours with their transparency over a plain colour, in mode RGB."""
    if alpha.getextrema() == (255, 255):
        return colours
    whole = colours.copy()
    whole.putalpha(alpha)
    below = Image.new("RGBA", whole.size, (*under, 255))
    return Image.alpha_composite(below, whole).convert("RGB")


def read_photo(
    path: Path,
    written: str,
    canvas: Size,
    *,
    under: Rgb = _WHITE,
    fit: Fit | None = None,
    profile: Profile = "own",
    slack_px: int = 8,
    tell: Callable[[Note], object] = lambda _: None,
    content: bytes | None = None,
) -> Photo:
    """Read an image, turned upright, as a picture that fills the canvas.

    Of the canvas' size its pixels are the file's own. `fit` None stretches, but only by up to
    `slack_px` on the canvas; what `contain` leaves free shows the colour `under`. `profile` srgb
    converts what has another one, but for 16 bits, which that would lose. `tell` gets what is
    hardly meant; `content` is as for `read_mask`. Raises PictureError.
    """
    with opened(path, written, content) as source:
        photo, notes = photo_of(
            source, written, canvas, under=under, fit=fit, profile=profile, slack_px=slack_px
        )
    for note in notes:
        tell(note)
    return photo


def photo_of(
    source: Source,
    written: str,
    canvas: Size,
    *,
    under: Rgb = _WHITE,
    fit: Fit | None = None,
    profile: Profile = "own",
    slack_px: int = 8,
) -> tuple[Photo, tuple[Note, ...]]:
    """The same of a picture that is open, with what is hardly meant."""
    size, turn = upright(source.size, source.turn), source.turn
    if fit is None:
        refuse_other_shape(size, canvas, slack_px, written)
    deep = source.deep() if isinstance(source, PillowSource) else None
    notes = several(source)
    pixels = source.load(upright(scaled(size, canvas, fit), turn))
    stored, own, told = _stored(pixels, deep, profile)
    levels = _on_canvas(_upright(stored, turn), canvas, fit, under, own)
    return Photo(levels, own, under), (*notes, *told)


def _stored(
    pixels: Pixels, deep: Levels | None, wanted: Profile
) -> tuple[Levels, bytes, tuple[Note, ...]]:
    """The levels (H, W, 3 or 4) as stored, their profile, and what is to be told of them."""
    own = pixels.profile if wanted == "srgb" else b""
    other = bool(own) and serves(own) and not is_srgb(own)
    colours, profile, notes = _coloured(pixels, as_srgb=other and deep is None)
    if other and deep is not None:
        notes = (Note("has 16 bits: it is written by its own colour profile, not in sRGB"),)
    kept = colours is None
    levels = np.asarray(plain(eight_bit(pixels.colours)).convert("RGB") if kept else colours)
    if deep is not None and kept:
        levels = np.broadcast_to(deep[..., : 3 if deep.shape[2] > 2 else 1], levels.shape)
    if pixels.alpha is None or not pixels.declared:
        return levels, profile, notes
    alpha = np.asarray(pixels.alpha)[..., None]
    if levels.dtype == np.uint16:
        known = deep is not None and deep.shape[2] in (2, 4)
        alpha = deep[..., -1:] if known and deep is not None else alpha.astype(np.uint16) * 257
    return np.concatenate([levels, alpha], axis=2), profile, notes


def _coloured(
    pixels: Pixels, *, as_srgb: bool
) -> tuple[Image.Image | None, bytes, tuple[Note, ...]]:
    """The colours where they have to be converted to sRGB, the profile of those that are kept."""
    mode = pixels.colours.mode
    other = _OTHER_COLOURS.get(mode, "")
    if not (pixels.profile or other):
        return None, b"", ()
    if not (other or as_srgb) and serves(pixels.profile):
        return None, pixels.profile, ()
    colours, note = to_srgb(pixels)
    notes = (note,) if note else ()
    if not note and (other or mode in ("L", "F")):
        what = f"is {other}" if other else "is grey with a colour profile"
        notes = (Note(f"{what}: it is converted to sRGB, in which all of it is written"),)
    return colours.convert("RGB"), b"", notes


def _upright(levels: Levels, turn: int) -> Levels:
    """Levels as EXIF's turn (1..8) has them."""
    mirrored = {2: (1,), 3: (0, 1), 4: (0,), 6: (0,), 7: (0, 1), 8: (1,)}.get(turn, ())
    levels = np.flip(levels, mirrored) if mirrored else levels
    return levels.swapaxes(0, 1) if turn in (5, 6, 7, 8) else levels


def _on_canvas(levels: Levels, canvas: Size, fit: Fit | None, under: Rgb, profile: bytes) -> Levels:
    """Levels scaled to the canvas, the rest of it in the colour under them."""
    size = levels.shape[1], levels.shape[0]
    box = middle(size, canvas) if fit == "cover" else (0.0, 0.0, *size)
    wanted = scaled(size, canvas, fit) if fit == "contain" else canvas
    inner = _resized(levels, wanted, box)
    if wanted == canvas:
        return inner
    most = int(np.iinfo(levels.dtype).max)
    plate = np.asarray(from_srgb(Image.new("RGB", (1, 1), under), profile))[0, 0]
    colour = np.append(plate, 255)[: levels.shape[2]].astype(levels.dtype) * (most // 255)
    whole = np.empty((canvas[1], canvas[0], levels.shape[2]), dtype=levels.dtype)
    whole[:] = colour
    left, top = ((c - w) // 2 for c, w in zip(canvas, wanted, strict=True))
    whole[top : top + wanted[1], left : left + wanted[0]] = inner
    return whole


def _resized(levels: Levels, size: Size, box: tuple[float, float, float, float]) -> Levels:
    """A box of levels at another (width, height); as they are where nothing changes."""
    height, width, channels = levels.shape
    if (width, height) == size and box == (0, 0, width, height):
        return np.ascontiguousarray(levels)
    if levels.dtype == np.uint8:
        picture = Image.fromarray(np.ascontiguousarray(levels))
        return np.asarray(picture.resize(size, Image.Resampling.LANCZOS, box=box))
    most = np.float32(np.iinfo(levels.dtype).max)
    values = levels.astype(np.float32)
    if channels == 4:  # what is transparent must not bleed into its neighbours
        values[..., :3] *= values[..., 3:] / most
    scaled_planes = [
        np.asarray(Image.fromarray(values[..., c]).resize(size, Image.Resampling.LANCZOS, box=box))
        for c in range(channels)
    ]
    made = np.stack(scaled_planes, axis=2)
    if channels == 4:
        made[..., :3] *= most / np.maximum(made[..., 3:], 1)
    rounded: Levels = np.clip(np.rint(made), 0, most).astype(levels.dtype)
    return rounded
