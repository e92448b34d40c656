"""Which part of a large picture is generated, and how large the model paints it; without torch.

A model paints well at its native size. Of a picture that is much larger it gets the box around all
paint with some of what surrounds it, scaled to what it is at home with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.engine.masks import blur_radius
from smd_cli.engine.windows import STRETCH
from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.boxes import Paint, Window, laid
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler, Scene

_SCALED_FROM = 1.25  # times the native side: scaling by less than this costs more than it gives
_SURROUNDINGS = 1.5  # of the sides of the paint's box: enough for the network to see where it is
_OBLONG = 2  # the most that a box's longer side is of its shorter one, where the canvas has room


@dataclass(frozen=True)
class Crop:
    """The part of a canvas that is generated: `left`, `top` and (width, height) `extent` in pixels,
    painted as a canvas of `size`, at most that large.
    """

    left: int
    top: int
    extent: Size
    size: Size

    @classmethod
    def whole(cls, size: Size) -> Crop:
        """All of a canvas, as it is."""
        return cls(0, 0, size, size)

    @property
    def window(self) -> Window:
        """Its rows and columns on the canvas."""
        width, height = self.extent
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def scale(self) -> float:
        """Pixels of the model's canvas for one of the picture, 1 at most."""
        return math.sqrt(math.prod(self.size) / math.prod(self.extent))


def may_crop(size: Size, native_px: int) -> bool:
    """Whether a picture of (width, height) is so large that a part of it may be generated."""
    return max(size) > STRETCH * native_px


def scene_crop(scene: Scene, painted: Sequence[Painted], size: Size, native_px: int) -> Crop:
    """The crop of a scene's canvas; all of one that wraps, whose ends have to meet."""
    if any(scene.wraps):
        return Crop.whole(size)
    return crop_of(painted, size, native_px, scene.sampler)


def crop_of(painted: Sequence[Painted], size: Size, native_px: int, sampler: Sampler) -> Crop:
    """The crop of a canvas of (width, height) for a model that is at home with `native_px` a side.

    The whole canvas where the model can do with it. The box is not scaled where the sampler's
    windows say how large the parts are in which it is painted.
    """
    if not may_crop(size, native_px):
        return Crop.whole(size)
    low, high = _reach(painted, size)
    paint = (high[0] - low[0], high[1] - low[1])
    extent = _extent(paint, size, native_px)
    left, top = (
        min(max((a + b - side) // 2, 0), canvas - side)
        for a, b, side, canvas in zip(low, high, extent, size, strict=True)
    )
    side = math.sqrt(math.prod(extent))
    scaled = side > _SCALED_FROM * native_px and (sampler.sees_all or sampler.windows == "auto")
    scale = native_px / side if scaled else 1.0
    width, height = (max(1, round(one * scale)) for one in extent)
    return Crop(left, top, extent, (width, height))


def _reach(painted: Sequence[Painted], size: Size) -> tuple[Size, Size]:
    """The corners (x, y) of the box that all paint and its blur lie in; the middle without any."""
    found = [
        (side.start - reach, side.stop + reach, axis)
        for one in painted
        if one.paint.tiles
        for reach in [blur_radius(one.brush.blur_px)]
        for axis, side in zip((1, 0), one.paint.window, strict=True)
    ]
    if not found:
        return (size[0] // 2, size[1] // 2), (size[0] // 2, size[1] // 2)
    low = [max(0, min(a for a, _, axis in found if axis == own)) for own in (0, 1)]
    high = [min(size[own], max(b for _, b, axis in found if axis == own)) for own in (0, 1)]
    return (low[0], low[1]), (high[0], high[1])


def _extent(paint: Size, canvas: Size, native_px: int) -> Size:
    """Width and height of the box around paint of a size: of a native canvas' area at the least."""
    width, height = (max(1.0, side * _SURROUNDINGS) for side in paint)
    width, height = max(width, height / _OBLONG), max(height, width / _OBLONG)
    grown = max(1.0, native_px / math.sqrt(width * height))
    width, height = min(width * grown, canvas[0]), min(height * grown, canvas[1])
    area = native_px**2
    width, height = max(width, area / height), max(height, area / width)
    return min(math.ceil(width), canvas[0]), min(math.ceil(height), canvas[1])


def cropped_brushes(
    painted: Sequence[Painted], crop: Crop, kept: Kept[Paint]
) -> tuple[Painted, ...]:
    """The brushes as they lie on a crop's canvas, their blur scaled with them; paint is `kept`."""
    if all(crop == Crop.whole(one.paint.size) for one in painted):
        return tuple(painted)

    def cut(paint: Paint) -> Paint:
        return kept.of((paint, crop), lambda: _cut(paint, crop))

    moving = any(one.travel_px is not None for one in painted)

    return tuple(
        replace(
            one,
            brush=replace(one.brush, blur_px=one.brush.blur_px * crop.scale),
            paint=cut(one.paint),
            travel_px=_seen_from(crop, one.travel_px or (0.0, 0.0)) if moving else None,
        )
        for one in painted
    )


def _seen_from(crop: Crop, travel_px: tuple[float, float]) -> tuple[float, float]:
    """How far something has travelled as a crop sees it, which may lie elsewhere in every frame."""
    right, down = travel_px[0] - crop.left, travel_px[1] - crop.top
    return right * crop.size[0] / crop.extent[0], down * crop.size[1] / crop.extent[1]


def _cut(paint: Paint, crop: Crop) -> Paint:
    levels = Image.fromarray(np.ascontiguousarray(paint.read(crop.window)))
    resized = levels.resize(crop.size, Image.Resampling.BOX)
    return laid(np.asarray(resized), (0, 0), crop.size)


def cropped_picture(picture: npt.NDArray[np.uint8], crop: Crop) -> npt.NDArray[np.uint8]:
    """What of a picture (H, W, 3) lies on a crop's canvas."""
    part = Image.fromarray(np.ascontiguousarray(picture[crop.window]))
    return np.asarray(part.resize(crop.size, Image.Resampling.LANCZOS))
