"""A picture as its file stores it: colours, transparency and colour profile, each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.errors import Size


@dataclass(frozen=True, eq=False)
class Pixels:
    """A decoded picture, not yet turned upright.

    `colours` are in any mode without transparency: 8 bits a channel, or F (grey, 0..1) where there
    are more. `alpha` is in mode L (255 is opaque). `declared`: whether the file says that this is
    its transparency, or only has a channel more than its colours need. `profile` is ICC data.
    """

    colours: Image.Image
    alpha: Image.Image | None = None
    declared: bool = True
    profile: bytes = b""


class Source(Protocol):
    """A picture file whose header has been read.

    `size` is (width, height) as stored, `turn` how EXIF turns that (1..8), `several` what the file
    holds more than one of ("frames", "pages"; empty for a single picture).
    """

    @property
    def size(self) -> Size: ...

    @property
    def turn(self) -> int: ...

    @property
    def several(self) -> str: ...

    def load(self, wanted: Size, /) -> Pixels:
        """Decode it; a decoder that can scale may give any size that is not below `wanted`."""
        ...


def eight_bit(picture: Image.Image) -> Image.Image:
    """Mode F (0..1) as mode L (0..255); any other picture as it is."""
    return Image.fromarray(levels_of(picture)) if picture.mode == "F" else picture


def levels_of(layer: Image.Image) -> npt.NDArray[np.uint8]:
    """One channel, in mode L or F (0..1), as levels (H, W) of 0..255."""
    values = np.asarray(layer)
    if layer.mode != "F":
        return values
    levels = np.empty(values.shape, dtype=np.uint8)
    for row, line in zip(levels, values, strict=True):  # no second picture of four bytes a pixel
        row[:] = np.rint(np.clip(line, 0, 1) * 255)
    return levels


def plain(colours: Image.Image) -> Image.Image:
    """Colours in mode L, RGB or F; a profile counts for nothing here."""
    if colours.mode in ("L", "RGB", "F"):
        return colours
    return colours.convert("L" if colours.mode == "1" else "RGB")
