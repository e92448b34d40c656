"""Colour maps: a picture in which every colour is the paint of one brush."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.boxes import FULL, HALF, Levels
from smd_cli.scene.paint.errors import PictureError, Size, quote
from smd_cli.scene.paint.opening import opened
from smd_cli.scene.paint.pixels import Pixels, Source, eight_bit, plain
from smd_cli.scene.paint.placing import turned, upright
from smd_cli.scene.paint.srgb import to_srgb

Rgb = tuple[int, int, int]

_SHOWN = 6  # colours that a hint names


@dataclass(frozen=True, eq=False)
class ColourMap:
    """A picture that was decoded once for all brushes that take a colour of it.

    `colours` (H, W, 3) are as stored, `alpha` (H, W) what is opaque of them, None for all.
    """

    written: str
    colours: npt.NDArray[np.uint8]
    alpha: Levels | None = None

    def of(self, colour: Rgb, tolerance: int) -> ColourSource:
        """Where one colour is, no channel farther from it than by `tolerance` levels of 255.

        Raises PictureError where it is nowhere.
        """
        found = self.where(colour, tolerance)
        if not found.levels.any():
            raise self._nowhere(colour)
        return found

    def where(self, colour: Rgb, tolerance: int) -> ColourSource:
        """The same of a colour that may be nowhere."""
        low, high = (
            np.clip(np.array(colour) + step, 0, FULL).astype(np.uint8)
            for step in (-tolerance, tolerance)
        )
        found = ((self.colours >= low) & (self.colours <= high)).all(axis=2)
        levels = found.astype(np.uint8) * np.uint8(FULL)
        if self.alpha is not None:
            levels = np.where(found, self.alpha, np.uint8(0))
        return ColourSource(levels)

    def _nowhere(self, colour: Rgb) -> PictureError:
        """The error of a colour that no pixel has, with those that there are."""
        message = f"{quote(self.written)} has no pixel of the colour {code(colour)}"
        packed = self.colours.astype(np.int64) @ np.array([65536, 256, 1])
        packed = packed.ravel() if self.alpha is None else packed[self.alpha >= HALF]
        if not len(packed):
            return PictureError(message, "it is transparent everywhere", "color")
        values, counts = np.unique(packed, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:_SHOWN]
        shares = [f"{_unpacked(values[n])} ({counts[n] / len(packed):.1%})" for n in order]
        more = len(values) - len(shares)
        hint = f"its colours are {', '.join(shares)}{f' and {more} more' if more > 0 else ''}"
        return PictureError(message, f"{hint}; {_nearest(values, colour)}", "color")


@dataclass(frozen=True, eq=False)
class ColourSource:
    """Where a colour is, as a picture: `levels` (H, W), white = painted."""

    levels: Levels
    turn: int = 1
    several: str = ""
    size: Size = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", (self.levels.shape[1], self.levels.shape[0]))

    def load(self, _: Size, /) -> Pixels:
        """The picture at its full size."""
        return Pixels(Image.fromarray(self.levels))


def read_map(
    path: Path, written: str, content: bytes | None = None, layer: str | None = None
) -> ColourMap:
    """Read a picture, or a layer of one, turned upright, for its colours. Raises PictureError."""
    with opened(path, written, content, layer=layer) as source:
        return map_of(source, written)


def map_of(source: Source, written: str) -> ColourMap:
    """The same of a picture that is open."""
    pixels = source.load(upright(source.size, source.turn))
    lab = pixels.colours.mode == "LAB"
    colours = to_srgb(pixels)[0] if lab else plain(eight_bit(pixels.colours))
    seen = turned(colours.convert("RGB"), source.turn)
    alpha = pixels.alpha if pixels.declared else None
    opaque = None if alpha is None else np.asarray(turned(alpha, source.turn))
    return ColourMap(written, np.asarray(seen), opaque)


def code(colour: Sequence[int]) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _unpacked(value: int) -> str:
    return f"#{value:06x}"


def _nearest(values: npt.NDArray[np.int64], colour: Rgb) -> str:
    """Which colour is nearest to another, and the tolerance that takes it."""
    channels = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
    apart = np.abs(channels - np.array(colour)).max(axis=1)
    nearest = int(np.argmin(apart))
    return f"tolerance: {apart[nearest]} takes the nearest, {_unpacked(values[nearest])}"
