"""The masks as one coloured picture to lay over the painting, and the legend that explains it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.boxes import FULL, Paint, full_window
from smd_cli.scene.paint.painted import Painted, PaintedScene, Size

Array = npt.NDArray[np.float32]
Rgb = tuple[int, int, int]

PALETTE: tuple[Rgb, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
"""Colours that people with any colour vision tell apart (Okabe & Ito 2008), without the black."""

SIDE_PX = 1024
"""The longer side of an overlay, whatever the canvas': lines look alike, and cost alike."""

FILL = 0.3
CASING = 0.6

_LEGEND_SIDE = 64  # cells in which a place for a brush's name is looked for


@dataclass(frozen=True)
class Entry:
    """A line of the legend. `colour` is ``#rrggbb``; `at`: where on the canvas its name may stand,
    as shares (x, y) of the sides, None where nothing of the brush is to be seen.
    """

    name: str
    prompt: str
    colour: str
    at: tuple[float, float] | None


def colour_of(index: int) -> Rgb:
    """The colour of brush `index`, from 0; those of every second round are paler."""
    rounds, place = divmod(index, len(PALETTE))
    red, green, blue = PALETTE[place]
    if rounds % 2 == 0:
        return red, green, blue
    return (red + 255) // 2, (green + 255) // 2, (blue + 255) // 2


def legend(painted: PaintedScene) -> tuple[Entry, ...]:
    """What the overlay's colours mean, in painter's order."""
    places = _places(painted.brushes, fitted(painted.size, _LEGEND_SIDE))
    return tuple(
        Entry(p.brush.label, p.brush.prompt, "#{:02x}{:02x}{:02x}".format(*colour_of(index)), at)
        for index, (p, at) in enumerate(zip(painted.brushes, places, strict=True))
    )


def draw_overlay(painted: PaintedScene, *, tint: bool = True) -> npt.NDArray[np.uint8]:
    """The masks as (H, W, 4): pale where a brush paints, a strong line around it, later brushes on
    top, transparent elsewhere; without `tint` the lines alone. The longer side is SIDE_PX.
    """
    width, height = size = fitted(painted.size, SIDE_PX)
    light = np.zeros((height, width, 3), np.float32)  # 0..255, times the opacity
    opacity = np.zeros((height, width, 1), np.float32)
    for index, brush in enumerate(painted.brushes):
        share, cover = _layer(_scaled(brush.paint, size), FILL if tint else 0.0)
        light = light * (1 - cover) + np.array(colour_of(index), np.float32) * share
        opacity = opacity * (1 - cover) + cover
    colour = light / np.maximum(opacity, 1 / 255)
    rgba: Array = np.concatenate([colour, opacity * 255], axis=2)
    return np.rint(rgba).clip(0, 255).astype(np.uint8)


def fitted(size: Size, side_px: int) -> Size:
    """(width, height) in the proportions of `size`, the longer one being `side_px`."""
    scale = side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _layer(paint: Array, fill: float) -> tuple[Array, Array]:
    """One brush's paint (H, W) as (H, W, 1) each: the share of its colour, and its opacity, which
    is `fill` where it paints in full.

    They differ where the dark casing is, which sets the line off from a picture of its colour.
    """
    line = _grown(_edge(paint))
    casing = CASING * _grown(_grown(line))
    share = fill * paint * (1 - casing) * (1 - line) + line
    cover = 1 - (1 - fill * paint) * (1 - casing) * (1 - line)
    return share[..., None], cover[..., None]


def _edge(paint: Array) -> Array:
    """A line about a pixel wide, 0..1, where the paint is half of its most."""
    down, right = np.gradient(paint)
    slope = np.maximum(np.hypot(down, right), np.float32(1e-3))
    apart_px = np.abs(paint - max(paint.max() / 2, 0.01)) / slope
    edge: Array = np.clip(1.5 - apart_px, 0, 1)
    return edge


def _grown(line: Array) -> Array:
    """The line, a pixel wider on each side."""
    wide = np.pad(line, 1)
    across = np.maximum(wide[1:-1, :-2], wide[1:-1, 2:])
    along = np.maximum(wide[:-2, 1:-1], wide[2:, 1:-1])
    grown: Array = np.maximum(line, np.maximum(across, along))
    return grown


def _scaled(paint: Paint, size: Size) -> Array:
    """Paint at another (width, height), in 0..1."""
    canvas = Image.fromarray(paint.read(full_window(paint.size)))
    resized = canvas.resize(size, Image.Resampling.BICUBIC)
    shares: Array = np.asarray(resized) / np.float32(FULL)
    return shares


def _places(brushes: tuple[Painted, ...], size: Size) -> list[tuple[float, float] | None]:
    """For each brush, a place (x, y) well inside of what later brushes leave of it."""
    places = []
    bare = np.ones((size[1], size[0]), np.float32)
    for brush in reversed(brushes):
        paint = _scaled(brush.paint, size)
        places.append(_middle(paint * bare))
        bare = bare * (1 - paint)
    return places[::-1]


def _middle(seen: Array) -> tuple[float, float] | None:
    """The place (x, y), in shares of the sides, around which most is to be seen: (h, w) in 0..1."""
    height, width = seen.shape
    score = _nearness(height) @ seen @ _nearness(width) * seen
    y, x = np.unravel_index(int(score.argmax()), score.shape)
    if seen[y, x] < 0.05:
        return None
    return round((float(x) + 0.5) / width, 4), round((float(y) + 0.5) / height, 4)


def _nearness(count: int) -> Array:
    """How much cells in a row count for each other: (count, count) in 0..1."""
    place = np.arange(count, dtype=np.float32)
    near: Array = np.exp(-0.5 * ((place[:, None] - place) / (_LEGEND_SIDE / 8)) ** 2)
    return near
