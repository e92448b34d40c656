"""Paint: what every brush's mask covers on the canvas, and how large the canvas is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from smd_cli.errors import KeyPath, Problem, SceneError
from smd_cli.models.facts import read_defaults
from smd_cli.scene.paint.boxes import Paint, bare
from smd_cli.scene.paint.canvas import Canvas, find_canvas, parts_of
from smd_cli.scene.paint.colours import code
from smd_cli.scene.paint.files import PaintSource
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.pictures import (
    MaskImage,
    Note,
    PictureError,
    Size,
    dimensions,
    quote,
)
from smd_cli.scene.paint.reel import Shown
from smd_cli.scene.paint.shapes import (
    describe_shape,
    draw_shape,
    offset_px,
    shape_box,
    touches,
)
from smd_cli.scene.paint.showing import film_beneath, moving_mask, reel_notes
from smd_cli.scene.paint.turning import transformed
from smd_cli.scene.types import Brush, Channel, ImageMask, MaskPart, SceneFile

__all__ = [
    "Painted",
    "PaintedScene",
    "Size",
    "background_picture",
    "canvas_size",
    "paint_brushes",
    "paint_scene",
]

_MEANS = {"alpha": ("opaque", "transparent"), "luma": ("white", "black")}


@dataclass(frozen=True, eq=False)
class Painted:
    """A brush with its paint on the canvas: the union of the mask's parts.

    `sources` describes every part: ``masks/fox.png (alpha: opaque = painted)``; `channels` tells by
    which channel of its image it was read, None for a shape, a layer or a colour; `warnings` are
    about its images; `parts`: the paint of every part where it is not moved; `shown`: of each part
    that is a film or a sequence what it paints at other frames, None of all others.
    `travel_px`: how far right and down the mask is from where it began, None where it stays.
    """

    brush: Brush
    paint: Paint
    sources: tuple[str, ...]
    channels: tuple[Channel | None, ...] = ()
    warnings: tuple[Problem, ...] = ()
    parts: tuple[Paint, ...] = ()
    shown: tuple[Shown[Paint] | None, ...] = ()
    travel_px: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class PaintedScene:
    """Everything a scene brings along as pixels: the canvas' (width, height), the brushes' paint,
    and the background picture on the canvas, if there is one.

    `warnings`: what its files hold that is legal but hardly meant. `film`: what lies beneath at
    other frames, None where that is one picture.
    """

    size: Size
    brushes: tuple[Painted, ...]
    picture: Photo | None
    warnings: tuple[Problem, ...] = ()
    film: Shown[Photo] | None = None

    @property
    def reels(self) -> tuple[Shown[Any], ...]:
        """All films and sequences that it shows, the background's first."""
        found = (self.film, *(one for brush in self.brushes for one in brush.shown))
        return tuple(one for one in found if one is not None)


def paint_scene(scene_file: SceneFile, source: PaintSource | None = None) -> PaintedScene:
    """Read all masks and the background picture. Raises one SceneError with all problems.

    A `source` that has painted an earlier state of the scene paints what changed.
    """
    source = source or PaintSource()
    canvas = find_canvas(scene_file, source)
    problems: list[Problem] = []
    warnings: list[Problem] = [*canvas.warnings]
    brushes: tuple[Painted, ...] = ()
    picture = film = None
    try:
        picture = _background(scene_file, canvas.size, source, warnings)
        film = film_beneath(scene_file, picture, source)
    except SceneError as wrong:
        problems += wrong.problems
    try:
        brushes = _brushes(scene_file, canvas, source)
    except SceneError as wrong:
        problems += wrong.problems
    if problems:
        raise SceneError(problems)
    warnings += [warning for brush in brushes for warning in brush.warnings]
    return PaintedScene(canvas.size, brushes, picture, tuple(warnings), film)


def canvas_size(scene_file: SceneFile) -> Size:
    """The canvas as (width, height) in pixels."""
    return find_canvas(scene_file, PaintSource()).size


def paint_brushes(scene_file: SceneFile, size: Size) -> tuple[Painted, ...]:
    """Paint every brush that is not muted, in painter's order, on a canvas of (width, height).

    Raises one SceneError with the problems of all masks.
    """
    return _brushes(scene_file, Canvas(size), PaintSource())


def _brushes(scene_file: SceneFile, canvas: Canvas, source: PaintSource) -> tuple[Painted, ...]:
    factor = read_defaults(scene_file.scene.model).factor
    problems: list[Problem] = []
    painted = []
    for brush in scene_file.scene.active:
        layer = _Layer(scene_file, canvas, source, factor)
        for at, part in parts_of(brush):
            try:
                layer.add(part, at)
            except PictureError as wrong:
                place = scene_file.place(*_key_of(scene_file, at, wrong.key))
                problems.append(Problem(place, wrong.message, wrong.hint))
        painted.append(layer.painted(brush))
    if problems:
        raise SceneError(problems)
    return tuple(painted)


def _key_of(scene_file: SceneFile, at: KeyPath, key: str) -> KeyPath:
    """The path of a key of a mask's part, where that is written; else of the part."""
    paths = ((*path, key) for path in (at, at[:-1]))  # a mask that is no list has no number
    return next((path for path in paths if path in scene_file.places), at)


class _Layer:
    """The union of a mask's parts while they are painted one onto the other.

    `slack_px`: how far an image's aspect ratio may differ on the canvas.
    """

    def __init__(
        self, scene_file: SceneFile, canvas: Canvas, source: PaintSource, slack_px: int
    ) -> None:
        self._scene_file, self._canvas, self._slack_px = scene_file, canvas, slack_px
        self._source = source
        self._paint: Paint | None = None
        self._sources: list[str] = []
        self._channels: list[Channel | None] = []
        self._warnings: list[Problem] = []
        self._parts: list[Paint] = []
        self._shown: list[Shown[Paint] | None] = []

    def add(self, part: MaskPart, at: KeyPath) -> None:
        """Paint one part, whose key is `at`. Raises PictureError."""
        if isinstance(part, ImageMask):
            self._add_image(part, at)
            return
        described, size = describe_shape(part), self._canvas.size
        still = part.move is None and part.scale == 1 and not (part.turn or part.tracks)
        if still and not touches(shape_box(part, size), size):
            raise PictureError(f"the {described} lies wholly outside the {dimensions(size)} canvas")
        self._join(part, self._source.shape(part, size))
        self._sources.append(described + (", inverted" if part.invert else ""))
        self._channels.append(None)
        self._shown.append(None)

    def painted(self, brush: Brush) -> Painted:
        """What has been painted."""
        paint = bare(self._canvas.size) if self._paint is None else self._paint
        told = (tuple(self._sources), tuple(self._channels), tuple(self._warnings))
        return Painted(brush, paint, *told, tuple(self._parts), tuple(self._shown))

    def _join(self, part: MaskPart, rest: Paint) -> None:
        self._parts.append(rest)
        paint = paint_of(part, rest) if isinstance(part, ImageMask) else rest
        old = self._paint
        self._paint = paint if old is None else self._source.joined(old, paint)

    def _add_image(self, part: ImageMask, at: KeyPath) -> None:
        scene, moving = self._scene_file.scene, self._scene_file.scene.frames > 1
        mask = self._source.mask(part, self._canvas.size, self._slack_px, moving=moving)
        self._join(part, mask.paint)
        self._sources.append(_described(part, mask, self._canvas.size))
        self._channels.append(mask.channel if part.is_picture else None)
        self._shown.append(moving_mask(self._scene_file, part, mask, at, self._source))
        reel = self._source.reel(part.path, part.written)
        of_reel = reel_notes(reel, scene.frames, part.path, repeats=part.repeat is not None)
        notes = (*mask.notes, *of_reel, *_trimmed(part, mask, self._canvas))
        self._warnings += _undecided(self._scene_file, at, part.written, notes)


def paint_of(part: MaskPart, rest: Paint) -> Paint:
    """What a part of a mask paints where it is moved to; `rest` is what an image paints unmoved.

    An image that is neither scaled nor turned moves by whole pixels.
    """
    if not isinstance(part, ImageMask):
        return draw_shape(part, rest.size)
    if part.move is None and part.scale == 1 and not part.turn:
        return rest
    if part.invert:
        return paint_of(replace(part, invert=False), rest.inverted).inverted
    move = offset_px(part, rest.size)
    if part.scale != 1 or part.turn:
        return transformed(rest, part.scale, part.turn, move)
    right, down = map(round, move)
    return rest.moved(right, down) if right or down else rest


def _described(part: ImageMask, mask: MaskImage, size: Size) -> str:
    """A mask's file with the rule by which it is read."""
    means = _MEANS.get(mask.channel, ("bright", "dark"))[part.invert]
    notes = [f"layer {quote(part.layer)}"] if part.layer is not None else []
    if part.color is None:
        notes.append(f"{mask.channel}: {means} = painted")
    else:
        within = f" within {part.tolerance}" if part.tolerance else ""
        notes.append(f"{code(part.color)}{within} = painted")
    notes += ["inverted"] if part.invert else []
    if part.at is not None:
        x, y = (round(v.pixels(side)) for v, side in zip(part.at, size, strict=True))
        notes.append(f"{dimensions(mask.size)} at {x},{y}")
    elif mask.size != size:
        notes.append(f"scaled from {dimensions(mask.size)}")
        notes += [f"fit {part.fit}"] if part.fit else []
    return f"{part.written} ({', '.join(notes)})"


def _trimmed(part: ImageMask, mask: MaskImage, canvas: Canvas) -> Iterator[Note]:
    """That a mask looks like a layer cropped to what is on it, and is not placed as one."""
    if not mask.trimmed or part.at is not None or part.fit is not None:
        return
    measures = f"measures {dimensions(mask.size)} and is painted up to all four edges, as a layer "
    hint = "export it at the canvas' size, or place it with at: [x, y]; "
    if mask.size[0] < canvas.size[0] and mask.size[1] < canvas.size[1]:
        message = f"{measures}cropped on export is: it is scaled to {dimensions(canvas.size)}"
        yield Note(message, hint + "fit: stretch settles it")
    elif canvas.of_mask and mask.size == canvas.size and any(side % 8 for side in mask.size):
        message = f"{measures}cropped on export is: the canvas takes its size"
        yield Note(message, hint + f"size: {dimensions(canvas.size)} settles it")


def _undecided(
    scene_file: SceneFile, at: KeyPath, written: str, notes: Iterable[Note]
) -> Iterator[Problem]:
    """Notes on a mask as warnings, but for those on which the scene has decided."""
    for note in notes:
        decided = [(*path, note.settled_by) in scene_file.places for path in (at, at[:-1])]
        if not any(decided):
            message = f"{quote(written)} {note.message}"
            yield Problem(scene_file.place(*at), message, note.hint, severity="warning")


def background_picture(scene_file: SceneFile, size: Size) -> Photo | None:
    """The background image on a canvas of (width, height), if there is one. Raises SceneError."""
    return _background(scene_file, size, PaintSource(), [])


def _background(
    scene_file: SceneFile, size: Size, source: PaintSource, warnings: list[Problem]
) -> Photo | None:
    """The same; what is hardly meant joins the warnings."""
    background = scene_file.scene.background
    if background.image is None:
        return None
    place, written = scene_file.place("background", "image"), background.image_written
    slack_px = read_defaults(scene_file.scene.model).factor
    try:
        frames, repeats = scene_file.scene.frames, background.repeat is not None
        photo, notes = source.photo(background, background.image, size, slack_px, moving=frames > 1)
        reel = source.reel(background.image, written)
        notes += reel_notes(reel, frames, background.image, repeats=repeats)
    except PictureError as wrong:
        raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong
    for note in notes:
        warnings.append(Problem(place, f"{quote(written)} {note.message}", note.hint, "warning"))
    return photo
