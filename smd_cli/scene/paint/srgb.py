"""Colours as sRGB, the space that models paint in, by the colour profile of their file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from smd_cli.scene.paint.errors import Note
from smd_cli.scene.paint.pixels import Pixels, eight_bit, plain

if TYPE_CHECKING:
    from PIL import ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
_ROUNDING = 2  # levels of 255: a profile that changes no more is sRGB itself
_UNREADABLE = "has a colour profile that cannot be applied: its colours are taken as sRGB"
_HINT = "convert it to sRGB in the program that made it"


def to_srgb(pixels: Pixels) -> tuple[Image.Image, Note | None]:
    """The colours in mode L or RGB, and what is to be told where their profile could not serve."""
    colours = eight_bit(pixels.colours)
    if colours.mode not in _SPACES:
        colours = plain(colours)
    if not pixels.profile and colours.mode != "LAB":
        return plain(colours), None
    from PIL import ImageCms, features  # most pictures have no profile

    if not features.check("littlecms2"):
        reason = "has a colour profile, which this build of Pillow cannot apply"
        return plain(colours), Note(reason, _HINT)
    try:
        return _converted(colours, pixels.profile), None
    except (ImageCms.PyCMSError, OSError, ValueError):
        if colours.mode == "LAB":
            colours = _converted(colours, b"")
        return plain(colours), Note(_UNREADABLE, _HINT)


def serves(profile: bytes) -> bool:
    """Whether a profile is one for RGB that can be applied, there and back."""
    from PIL import ImageCms, features

    if not features.check("littlecms2"):
        return False
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        ImageCms.buildTransform(given, srgb, "RGB", "RGB")
        ImageCms.buildTransform(srgb, given, "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return given.profile.xcolor_space.strip() == "RGB"


def is_srgb(profile: bytes) -> bool:
    """Whether a profile that `serves` leaves colours as they are."""
    from PIL import ImageCms

    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    return _changes_nothing(ImageCms.buildTransform(given, srgb, "RGB", "RGB"), "RGB")


def from_srgb(colours: Image.Image, profile: bytes) -> Image.Image:
    """Colours (RGB) of sRGB as those of a profile that `serves`; without one as they are."""
    if not profile or is_srgb(profile):
        return colours
    from PIL import ImageCms

    wanted = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    changed = ImageCms.applyTransform(colours, ImageCms.buildTransform(srgb, wanted, "RGB", "RGB"))
    assert changed is not None
    return changed


def _converted(colours: Image.Image, profile: bytes) -> Image.Image:
    """Colours through their profile; raises ValueError where it is one for other colours."""
    from PIL import ImageCms

    given = ImageCms.ImageCmsProfile(
        io.BytesIO(profile) if profile else ImageCms.createProfile("LAB")
    )
    space = given.profile.xcolor_space.strip()
    if colours.mode == "L" and space == "RGB":
        colours = colours.convert("RGB")
    if space != _SPACES[colours.mode]:
        raise ValueError(f"a profile of {space} for {colours.mode}")
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(given, srgb, colours.mode, "RGB")
    if colours.mode in ("L", "RGB") and _changes_nothing(transform, colours.mode):
        return colours
    changed = ImageCms.applyTransform(colours, transform)
    if changed is None:
        raise ValueError("the transform gave nothing")
    return changed


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether colours from all over the space keep their values but for rounding."""
    from PIL import ImageCms

    steps = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(cube if mode == "RGB" else np.ascontiguousarray(cube[..., 0]))
    seen = np.asarray(ImageCms.applyTransform(probe, transform), dtype=np.int16)
    return bool(np.abs(seen - np.asarray(probe.convert("RGB"), dtype=np.int16)).max() <= _ROUNDING)
