"""What a mask is made of, as frozen objects: images and shapes, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smd_cli.scene.track import Track

Channel = Literal["alpha", "luma", "red", "green", "blue"]
Fit = Literal["stretch", "contain", "cover"]
Repeat = Literal["loop", "hold"]


@dataclass(frozen=True)
class Length:
    """A distance on the canvas: pixels, or a share of the canvas side (``"25%"`` is 0.25)."""

    value: float
    unit: Literal["px", "share"] = "px"

    def pixels(self, side_px: int) -> float:
        """The distance in pixels on a canvas whose side measures `side_px`."""
        return self.value * side_px if self.unit == "share" else self.value


Point = tuple[Length, Length]


@dataclass(frozen=True)
class ImageMask:
    """Paint from an image file; `path` is absolute or relative to the current folder.

    `written` is the path as the scene has it. `layer` means one layer of it, by its name, with
    those of its groups or without. `channel` None takes the stated rule (alpha where it varies,
    else luma), of a layer alpha. `color`: paint is where the image has it, no channel farther away
    than by `tolerance` levels of 255. `fit` None accepts only the canvas' aspect ratio. `at` places
    the image unscaled, its top left corner there. `move`: how far right and down from there, or
    from where it lies otherwise, after it was scaled by `scale` and turned clockwise by `turn`
    degrees about the middle of what it paints; `tracks` as of a brush. All of these for shapes too.
    `repeat`: how a film, an animation or a sequence of files goes on that is too short.
    """

    path: Path
    written: str
    channel: Channel | None = None
    invert: bool = False
    fit: Fit | None = None
    at: Point | None = None
    layer: str | None = None
    color: tuple[int, int, int] | None = None
    tolerance: int = 8
    move: Point | None = None
    scale: float = 1.0
    turn: float = 0.0
    tracks: tuple[Track, ...] = ()
    repeat: Repeat | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture whose channel is paint; layers and colours leave no doubt."""
        return self.layer is None and self.color is None


@dataclass(frozen=True)
class RectMask:
    """A filled rectangle: left, top, width, height."""

    x: Length
    y: Length
    width: Length
    height: Length
    invert: bool = False
    move: Point | None = None
    scale: float = 1.0
    turn: float = 0.0
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class EllipseMask:
    """A filled ellipse inscribed in left, top, width, height."""

    x: Length
    y: Length
    width: Length
    height: Length
    invert: bool = False
    move: Point | None = None
    scale: float = 1.0
    turn: float = 0.0
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class PolygonMask:
    """A filled polygon of at least three points (x, y)."""

    points: tuple[Point, ...]
    invert: bool = False
    move: Point | None = None
    scale: float = 1.0
    turn: float = 0.0
    tracks: tuple[Track, ...] = ()


MaskPart = ImageMask | RectMask | EllipseMask | PolygonMask
