"""An image's paint scaled and turned about the middle of it, and moved."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from smd_cli.scene.paint.boxes import Paint, bare, laid
from smd_cli.scene.paint.shapes import turning

_EDGE = 2  # bare pixels around the paint, into which its edge fades


def transformed(paint: Paint, scale: float, degrees: float, move: tuple[float, float]) -> Paint:
    """The paint scaled, turned clockwise by `degrees` and moved right and down, cut at the canvas.

    Between its pixels it is interpolated; made smaller it is first reduced by means.
    """
    rows, columns = paint.window
    levels = paint.read(paint.window)
    height, width = levels.shape
    if not levels.size:
        return paint
    middle = ((columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2)
    to = (middle[0] + move[0], middle[1] + move[1])
    cosine, sine = turning(scale, degrees)
    reach_x = (abs(cosine) * width + abs(sine) * height) / 2 + _EDGE
    reach_y = (abs(sine) * width + abs(cosine) * height) / 2 + _EDGE
    left, right = _within(to[0] - reach_x, to[0] + reach_x, paint.size[0])
    top, bottom = _within(to[1] - reach_y, to[1] + reach_y, paint.size[1])
    if left >= right or top >= bottom:
        return bare(paint.size)
    image = Image.fromarray(np.pad(levels, _EDGE))
    full = image.size
    if scale < 1:
        small = (math.ceil(full[0] * scale), math.ceil(full[1] * scale))
        image = image.resize(small, Image.Resampling.BILINEAR)
    # From a place on the canvas to that in the image: turned and scaled back, about its middle.
    back, across = cosine / scale**2, sine / scale**2
    x, y = left - to[0], top - to[1]
    wide, high = image.size[0] / full[0], image.size[1] / full[1]
    a, b, c = wide * back, wide * across, wide * (back * x + across * y + full[0] / 2)
    d, e, f = -high * across, high * back, high * (back * y - across * x + full[1] / 2)
    box = (right - left, bottom - top)
    turned = image.transform(
        box, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )
    return laid(np.asarray(turned), (left, top), paint.size)


def _within(low: float, high: float, side: int) -> tuple[int, int]:
    """The whole pixels from `low` to `high` on a canvas' side."""
    return max(0, math.floor(low)), min(side, math.ceil(high))
