"""Reading a brush's mask: an image, a shape, or a list of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from smd_cli.scene.keys.fields import (
    color,
    file_path,
    flag,
    integer,
    length,
    listed,
    number,
    one_of,
    phrase,
    point,
)
from smd_cli.scene.keys.keyframes import TrackReader
from smd_cli.scene.keys.schema import short_form
from smd_cli.scene.keys.sections import Notes, Section, reject, wrong
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.types import (
    Channel,
    EllipseMask,
    Fit,
    ImageMask,
    Length,
    MaskPart,
    Point,
    PolygonMask,
    RectMask,
    Repeat,
)

_CHANNELS: tuple[Channel, ...] = get_args(Channel)
FITS: tuple[Fit, ...] = get_args(Fit)
REPEATS: tuple[Repeat, ...] = get_args(Repeat)
MAX_PARTS = 1000
MAX_POINTS = 30_000
SCALES = (0.01, 100)
MAX_TURN = 36_000
_SCALE, _TURN = number(*SCALES), number(-MAX_TURN, MAX_TURN)
_Placed = tuple[Point | None, float, float]
_AT_REST: _Placed = (None, 1.0, 0.0)
_IMAGE_ONLY = ("at", "channel", "repeat", "layer", "color", "tolerance")
_KINDS = ("image", "rect", "ellipse", "polygon")


@dataclass(frozen=True)
class MaskReader:
    """Reads masks: paths start from `folder`; shapes must touch the canvas if its size is known.

    One that moves, in a scene of `frames` frames, may come in from outside.
    """

    folder: Path
    canvas: tuple[int, int] | None
    frames: int = 1

    def __call__(self, node: Node) -> tuple[MaskPart, ...]:
        """The union that a `mask:` means."""
        if not isinstance(node.value, tuple):
            return (self._part(node),)
        if not node.value:
            raise wrong(node, "mask must not be an empty list")
        if len(node.value) > MAX_PARTS:
            reject(node, f"a list of at most {MAX_PARTS} images and shapes")
        with Notes() as notes:
            return notes.each(node.value, self._part)

    def _part(self, node: Node) -> MaskPart:
        if short_form(node, "mask") is not None:
            return ImageMask(*file_path(node, self.folder))
        if not isinstance(node.value, Mapping):
            reject(node, f"an image's path or one of {', '.join(_KINDS)}")
        with Section(node, "a mask") as keys:
            kind = keys.need_one_of(_KINDS)
            tracks = TrackReader(self.frames)
            placed = self._placed(keys, tracks)
            if kind is None or kind == "image":
                return _with(self._image(keys), placed, tracks)
            free = replace(self, canvas=None)
            shape = (self if placed == _AT_REST else free)._shape(keys, kind, tracks, free)
            return _with(shape, placed, tracks)

    def _placed(self, keys: Section, tracks: TrackReader) -> _Placed:
        """How a part is moved, scaled and turned; first of all what stands for their tracks."""
        return (
            keys.get("move", tracks.keyed("move", point), None),
            keys.get("scale", tracks.keyed("scale", _SCALE), 1.0),
            keys.get("turn", tracks.keyed("turn", _TURN), 0.0),
        )

    def _shape(self, keys: Section, kind: str, tracks: TrackReader, free: MaskReader) -> MaskPart:
        """A shape of a kind; its keyframes are read by `free`."""
        invert = keys.get("invert", flag, False)
        who = f"a mask of {'an' if kind == 'ellipse' else 'a'} {kind}"
        keys.refuse("fit", f"{who} takes no fit", "it is drawn at its place")
        for key in _IMAGE_ONLY:
            keys.refuse(key, f"{who} takes no {key}", "it is for a mask of an image")
        if kind == "polygon":
            polygon = tracks.keyed(kind, self._polygon, free._polygon)
            return PolygonMask(keys.get(kind, polygon, ()), invert)
        shape = RectMask if kind == "rect" else EllipseMask
        box = tracks.keyed(kind, self._box, free._box)
        return shape(*keys.get(kind, box, (Length(0),) * 4), invert)

    def _image(self, keys: Section) -> ImageMask:
        path, written = keys.get("image", lambda node: file_path(node, self.folder), (Path(), ""))
        at = keys.get("at", point, None)
        keys.exclusive("fit", "at")
        if "color" not in keys.exclusive("color", "channel"):
            keys.refuse("tolerance", "tolerance needs a color", "it says how near a pixel must be")
        return ImageMask(
            path,
            written,
            channel=keys.get("channel", one_of(*_CHANNELS), None),
            invert=keys.get("invert", flag, False),
            fit=keys.get("fit", one_of(*FITS), None),
            at=at,
            repeat=keys.get("repeat", one_of(*REPEATS), None),
            layer=keys.get("layer", phrase, None),
            color=keys.get("color", color, None),
            tolerance=keys.get("tolerance", integer(0, 255), ImageMask.tolerance),
        )

    def _box(self, node: Node) -> tuple[Length, Length, Length, Length]:
        x, y, width, height = listed(node, length, "[x, y, width, height]", range(4, 5))
        if width.value <= 0 or height.value <= 0:
            raise wrong(node, f"{node.label} has no area: width and height must be more than 0")
        if self.canvas:
            (left, top), (wide, high) = (_on(self.canvas, p) for p in ((x, y), (width, height)))
            self._must_touch(node, [(left, top), (left + wide, top + high)])
        return x, y, width, height

    def _polygon(self, node: Node) -> tuple[Point, ...]:
        what = "a list of at least 3 points [x, y]"
        if len(node.items) > MAX_POINTS:
            what = f"a list of 3 to {MAX_POINTS} points [x, y]"
        points = listed(node, point, what, range(3, MAX_POINTS + 1))
        if self.canvas:
            corners = [_on(self.canvas, p) for p in points]
            if _in_line(corners):
                raise wrong(node, "polygon has no area: its points lie in one line")
            self._must_touch(node, corners)
        return points

    def _must_touch(self, node: Node, corners: Sequence[tuple[float, float]]) -> None:
        """Refuse a shape whose bounding box lies wholly outside the canvas."""
        for side, values in zip(self.canvas or (), zip(*corners, strict=True), strict=True):
            if max(values) <= 0 or min(values) >= side:
                width, height = self.canvas or (0, 0)
                raise wrong(node, f"{node.label} lies outside the canvas of {width}x{height} px")


def _with(part: MaskPart, placed: _Placed, tracks: TrackReader) -> MaskPart:
    """A part that is moved, scaled and turned, and all of its tracks."""
    move, scale, turn = placed
    return replace(part, move=move, scale=scale, turn=turn, tracks=tracks.found)


def _on(canvas: tuple[int, int], point: Point) -> tuple[float, float]:
    return point[0].pixels(canvas[0]), point[1].pixels(canvas[1])


def _in_line(points: Sequence[tuple[float, float]]) -> bool:
    """Whether all points lie in one straight line (or are one point)."""
    x0, y0 = points[0]
    far_x, far_y = max(((x - x0, y - y0) for x, y in points), key=lambda d: d[0] ** 2 + d[1] ** 2)
    return all(abs((x - x0) * far_y - (y - y0) * far_x) < 1e-6 for x, y in points)
