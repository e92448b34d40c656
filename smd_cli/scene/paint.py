"""Paint: what every brush's mask covers on the canvas, and how large the canvas is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smd_cli.errors import Place, Problem, SceneError
from smd_cli.models import read_defaults
from smd_cli.scene.fields import MAX_SIDE_PX, MIN_SIDE_PX
from smd_cli.scene.model import Brush, Channel, ImageMask, MaskPart, SceneFile
from smd_cli.scene.pictures import (
    PictureError,
    dimensions,
    picture_size,
    quote,
    read_colours,
    read_mask,
)
from smd_cli.scene.shapes import describe_shape, draw_shape, shape_box, touches

Array = npt.NDArray[np.float32]
Size = tuple[int, int]

_MEANS = {"alpha": ("opaque", "transparent"), "luma": ("white", "black")}


@dataclass(frozen=True, eq=False)
class Painted:
    """A brush with its paint, (H, W) in 0..1 at canvas size: the union of the mask's parts.

    `sources` describes every part: ``masks/fox.png (alpha: opaque = painted)``; `channels` tells by
    which channel of its image it was read, None for a shape.
    """

    brush: Brush
    paint: Array
    sources: tuple[str, ...]
    channels: tuple[Channel | None, ...] = ()


@dataclass(frozen=True, eq=False)
class PaintedPart:
    """One part of a mask: its paint (H, W) in 0..1, and where it comes from as `Painted` has it."""

    paint: Array
    source: str
    channel: Channel | None = None


@dataclass(frozen=True, eq=False)
class PaintedScene:
    """Everything a scene brings along as pixels: the canvas' (width, height), the brushes' paint,
    and the background picture (H, W, 3) of 0..255, if there is one.

    `warnings`: what its files hold that is legal but hardly meant.
    """

    size: Size
    brushes: tuple[Painted, ...]
    picture: npt.NDArray[np.uint8] | None
    warnings: tuple[Problem, ...] = ()


def paint_scene(scene_file: SceneFile) -> PaintedScene:
    """Read all masks and the background picture. Raises one SceneError with all problems."""
    size = canvas_size(scene_file)
    problems: list[Problem] = []
    brushes: tuple[Painted, ...] = ()
    picture = None
    try:
        picture = background_picture(scene_file, size)
    except SceneError as wrong:
        problems += wrong.problems
    try:
        brushes = paint_brushes(scene_file, size)
    except SceneError as wrong:
        problems += wrong.problems
    if problems:
        raise SceneError(problems)
    return PaintedScene(size, brushes, picture)


def canvas_size(scene_file: SceneFile) -> Size:
    """The canvas as (width, height) in pixels.

    The scene's own size, else the background image's, else the first mask file's (a muted brush
    counts too: muting must not change the canvas), else the model's native size.
    """
    scene = scene_file.scene
    if scene.size is not None:
        return scene.size
    below = scene.background
    if below.image is not None:
        place = scene_file.place("background", "image")
        try:
            size = picture_size(below.image, below.image_written)
        except PictureError as broken:
            raise SceneError([Problem(place, broken.message, broken.hint)]) from broken
        return _legal(size, below.image_written, place)
    return _first_mask_size(scene_file) or read_defaults(scene.model).native_size


def _first_mask_size(scene_file: SceneFile) -> Size | None:
    """The size of the first mask that is an image; where it cannot be read, every one that cannot.

    A muted brush's broken file is passed over.
    """
    problems: list[Problem] = []
    for brush, at, part in _parts(scene_file.scene.brushes):
        if not isinstance(part, ImageMask):
            continue
        try:
            size = picture_size(part.path, part.written)
        except PictureError as broken:
            found = Problem(scene_file.place(*at), broken.message, broken.hint)
            problems += [found] if brush.enabled else []
            continue
        if not problems:
            return _legal(size, part.written, scene_file.place(*at))
    if problems:
        raise SceneError(problems)
    return None


def _legal(size: Size, written: str, place: Place) -> Size:
    """The size of a picture where it can be the canvas'."""
    if all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in size):
        return size
    message = f"the canvas takes the size of {quote(written)}, {dimensions(size)}, but its sides "
    message += f"must be {MIN_SIDE_PX}..{MAX_SIDE_PX} px"
    raise SceneError([Problem(place, message, "set the canvas in the scene, as in size: 512x512")])


def _parts(
    brushes: tuple[Brush, ...],
) -> Iterator[tuple[Brush, tuple[str | int, ...], MaskPart]]:
    """Every part of every mask, with the path of the key that it stands at."""
    for brush in brushes:
        for number, part in enumerate(brush.mask):
            yield brush, ("brushes", brush.number - 1, "mask", number), part


def paint_brushes(scene_file: SceneFile, size: Size) -> tuple[Painted, ...]:
    """Paint every brush that is not muted, in painter's order, on a canvas of (width, height).

    Raises one SceneError with the problems of all masks.
    """
    factor = read_defaults(scene_file.scene.model).factor
    problems: list[Problem] = []
    layers: dict[int, list[PaintedPart]] = {}
    for brush, at, part in _parts(scene_file.scene.active):
        try:
            layers.setdefault(brush.number, []).append(paint_part(part, size, slack_px=factor))
        except PictureError as wrong:
            problems.append(Problem(scene_file.place(*at), wrong.message, wrong.hint))
    if problems:
        raise SceneError(problems)
    return tuple(_union(b, layers.get(b.number, []), size) for b in scene_file.scene.active)


def _union(brush: Brush, parts: list[PaintedPart], size: Size) -> Painted:
    paint = np.zeros((size[1], size[0]), dtype=np.float32)
    for part in parts:
        paint = np.maximum(paint, part.paint)
    sources, channels = [part.source for part in parts], [part.channel for part in parts]
    return Painted(brush, paint, tuple(sources), tuple(channels))


def paint_part(part: MaskPart, size: Size, *, slack_px: int = 8) -> PaintedPart:
    """One part of a mask.

    `slack_px`: how far an image's aspect ratio may differ on the canvas. Raises PictureError.
    """
    if isinstance(part, ImageMask):
        return _paint_image(part, size, slack_px)
    described = describe_shape(part)
    if not touches(shape_box(part, size), size):
        raise PictureError(f"the {described} lies wholly outside the {dimensions(size)} canvas")
    source = described + (", inverted" if part.invert else "")
    return PaintedPart(draw_shape(part, size), source)


def _paint_image(part: ImageMask, size: Size, slack_px: int) -> PaintedPart:
    mask = read_mask(
        part.path,
        part.written,
        size,
        channel=part.channel,
        invert=part.invert,
        fit=part.fit,
        slack_px=slack_px,
    )
    means = _MEANS.get(mask.channel, ("bright", "dark"))[part.invert]
    notes = [f"{mask.channel}: {means} = painted"]
    notes += ["inverted"] if part.invert else []
    notes += [f"scaled from {dimensions(mask.size)}"] if mask.size != size else []
    notes += [f"fit {part.fit}"] if part.fit and mask.size != size else []
    return PaintedPart(mask.paint, f"{part.written} ({', '.join(notes)})", mask.channel)


def background_picture(scene_file: SceneFile, size: Size) -> npt.NDArray[np.uint8] | None:
    """The background image on a canvas of (width, height): (H, W, 3) of 0..255, if there is one.

    Transparent pixels show the background's colour. Raises SceneError.
    """
    background = scene_file.scene.background
    if background.image is None:
        return None
    slack_px = read_defaults(scene_file.scene.model).factor
    try:
        return read_colours(
            background.image,
            background.image_written,
            size,
            under=background.color,
            slack_px=slack_px,
        )
    except PictureError as wrong:
        place = scene_file.place("background", "image")
        raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong
