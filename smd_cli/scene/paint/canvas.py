"""How large the canvas is: what the scene says, else its pictures, else the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smd_cli.errors import KeyPath, Place, Problem, SceneError
from smd_cli.models.facts import read_defaults
from smd_cli.scene.paint.files import PaintSource
from smd_cli.scene.paint.pictures import PictureError, Size, dimensions, quote
from smd_cli.scene.types import Brush, ImageMask, MaskPart, SceneFile
from smd_cli.units import MAX_SIDE_PX, MIN_SIDE_PX

_SET = "set the canvas in the scene, as in size: 512x512"


@dataclass(frozen=True)
class Canvas:
    """The canvas' (width, height), whether a mask decided it, and what is to be told of that."""

    size: Size
    of_mask: bool = False
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A mask file that may decide: its size, its path as written, and its place in the scene."""

    size: Size
    written: str
    place: Place


def parts_of(brush: Brush) -> Iterator[tuple[KeyPath, MaskPart]]:
    """Every part of a brush's mask, with the path of the key that it stands at."""
    for number, part in enumerate(brush.mask):
        yield ("brushes", brush.number - 1, "mask", number), part


def find_canvas(scene_file: SceneFile, source: PaintSource) -> Canvas:
    """The canvas of a scene.

    The scene's own size, else the background image's, else a mask file's (a muted brush counts too:
    muting must not change the canvas), else the model's native size. Raises SceneError.
    """
    scene = scene_file.scene
    if scene.size is not None:
        return Canvas(scene.size)
    below = scene.background
    if below.image is not None:
        place = scene_file.place("background", "image")
        try:
            size = source.size(below.image, below.image_written)
        except PictureError as broken:
            raise SceneError([Problem(place, broken.message, broken.hint)]) from broken
        return Canvas(_legal(_Candidate(size, below.image_written, place), _SET))
    candidates = _candidates(scene_file, source)
    if not candidates:
        return Canvas(read_defaults(scene.model).native_size)
    return _of_masks(candidates)


def _candidates(scene_file: SceneFile, source: PaintSource) -> list[_Candidate]:
    """The masks that decide, in the order of the file; a muted brush's broken file is passed over.

    Masks that are fitted decide only among themselves, and one that is placed never. Where the
    first cannot be read, a SceneError tells of every one that cannot.
    """
    problems: list[Problem] = []
    free: list[_Candidate] = []
    fitted: list[_Candidate] = []
    sizes: dict[object, Size] = {}
    for brush in scene_file.scene.brushes:
        for at, part in parts_of(brush):
            if not isinstance(part, ImageMask) or part.at is not None:
                continue
            place = scene_file.place(*at)
            try:
                size = sizes.get(part.path) or source.size(part.path, part.written)
            except PictureError as broken:
                if brush.enabled and (problems or not (free or fitted)):
                    problems.append(Problem(place, broken.message, broken.hint))
                continue
            sizes[part.path] = size
            (fitted if part.fit else free).append(_Candidate(size, part.written, place))
    if problems:
        raise SceneError(problems)
    return free or fitted[:1]


def _of_masks(candidates: list[_Candidate]) -> Canvas:
    """The first mask's size, or that of a larger one of another shape: the first is cropped then.

    Masks of several sizes are told, as only one can be the canvas.
    """
    first = candidates[0]
    largest = max(candidates, key=lambda c: c.size[0] * c.size[1])
    chosen = first if _same_shape(first.size, largest.size) else largest
    other = next((c for c in candidates if c.size != chosen.size), None)
    size = _legal(chosen, f"{_SET}; at: [x, y] places the mask unscaled and leaves its size out")
    if other is None:
        return Canvas(size, of_mask=True)
    message = f"the canvas takes the size of {quote(chosen.written)}, {dimensions(size)}, but "
    message += f"{quote(other.written)} measures {dimensions(other.size)}"
    hint = f"size: {dimensions(size)} in the scene settles it"
    return Canvas(size, True, (Problem(other.place, message, hint, severity="warning"),))


def _same_shape(size: Size, other: Size) -> bool:
    """Whether both have the same aspect ratio, to the pixel."""
    return abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)


def _legal(candidate: _Candidate, hint: str) -> Size:
    """The size of a picture where it can be the canvas'; the hint says what else there is to do."""
    size = candidate.size
    if all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in size):
        return size
    message = f"the canvas takes the size of {quote(candidate.written)}, {dimensions(size)}, but "
    message += f"its sides must be {MIN_SIDE_PX}..{MAX_SIDE_PX} px"
    raise SceneError([Problem(candidate.place, message, hint)])
