"""Random scenes that an evaluation asks a model for: each a scene file, fixed by its number.

A material as the background and one to four objects, all drawn uniformly from the vocabulary, some
with a colour word; masks are rectangles, ellipses and blobs of 6 to 30 % of the canvas each, 60 %
together at most, laid out to overlap little.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smd_cli.starter.classifier import Box
from smd_cli.starter.examples import draw_material, draw_object
from smd_cli.starter.noise import Rng
from smd_cli.starter.vocabulary import Thing, caption

SIDE_PX = 256
AREA = (0.06, 0.30)
TOGETHER = 0.6
LAYOUT_TRIES = 24


@dataclass(frozen=True)
class EvaluationScene:
    """What a random scene asks for: the words that its picture must show, and its file."""

    objects: tuple[Thing, ...]
    material: Thing
    scene: Mapping[str, Any]

    def text(self, changes: Mapping[str, Any]) -> str:
        """The scene file's text, with changes at its top level."""
        return json.dumps({**self.scene, **changes})

    def without_regions(self) -> dict[str, Any]:
        """The change that says everything in one prompt."""
        everything = caption(self.objects, self.material)
        return {"brushes": [], "background": {"prompt": everything}}


@dataclass(frozen=True)
class Shape:
    """A mask's kind in the scene format, its sides in pixels, a blob's points in 0..1."""

    kind: str
    height: float
    width: float
    points: tuple[tuple[float, float], ...] = ()

    def box(self, top: float, left: float) -> Box:
        """The bounding box at a place."""
        return round(top), round(left), round(top + self.height), round(left + self.width)

    def mask(self, box: Box) -> dict[str, Any]:
        """The mask at a bounding box, as a scene file has it."""
        top, left, bottom, right = box
        if self.kind != "polygon":
            return {self.kind: [left, top, right - left, bottom - top]}
        spread = [
            [round(left + x * (right - left), 1), round(top + y * (bottom - top), 1)]
            for x, y in self.points
        ]
        return {self.kind: spread}


def random_shape(rng: Rng, area: float) -> Shape:
    """A rectangle, an ellipse or a blob of a share of the canvas, its sides not too unequal."""
    kind = ("rect", "ellipse", "polygon")[rng.integers(3)]
    points = blob(rng) if kind == "polygon" else np.empty((0, 2))
    extent = SIDE_PX * np.sqrt(area / _filled(kind, points))
    stretch = np.sqrt(rng.uniform(0.75, 4 / 3))
    height, width = (min(float(extent * s), SIDE_PX) for s in (stretch, 1 / stretch))
    return Shape(kind, height, width, tuple((float(x), float(y)) for x, y in points))


def random_areas(rng: Rng, count: int) -> npt.NDArray[np.float64]:
    """So many shares of the canvas, drawn again until they fit on it together."""
    while True:
        areas = rng.uniform(*AREA, count)
        if areas.sum() <= TOGETHER:
            return areas


def blob(rng: Rng) -> npt.NDArray[np.float64]:
    """The points (x, y) of a wobbly ellipse that spans 0..1 in both directions."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    waves = [rng.uniform(0, 0.1) * np.cos(k * angle + rng.uniform(0, 7)) for k in (2, 3, 4)]
    points = (np.stack([np.cos(angle), np.sin(angle)]) * (1 + np.sum(waves, axis=0))).T
    return np.asarray((points - points.min(0)) / np.ptp(points, axis=0))


def _filled(kind: str, points: npt.NDArray[np.float64]) -> float:
    """The share of its bounding box that a shape fills."""
    if kind != "polygon":
        return 1.0 if kind == "rect" else np.pi / 4
    x, y = points.T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def overlap(box: Box, other: Box) -> float:
    """What two boxes have in common, as a share of the smaller one."""
    down = min(box[2], other[2]) - max(box[0], other[0])
    across = min(box[3], other[3]) - max(box[1], other[1])
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return max(down, 0) * max(across, 0) / min(areas)


def random_layout(rng: Rng, shapes: Sequence[Shape]) -> list[Box]:
    """Where the shapes lie: of two dozen random layouts the one in which they overlap least."""

    def draw() -> list[Box]:
        return [
            s.box(rng.uniform(0, SIDE_PX - s.height), rng.uniform(0, SIDE_PX - s.width))
            for s in shapes
        ]

    def crowding(boxes: list[Box]) -> float:
        pairs = [overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        return sum(pairs)

    return min((draw() for _ in range(LAYOUT_TRIES)), key=crowding)


def random_scene(number: int) -> EvaluationScene:
    """The random scene of a number."""
    rng = np.random.default_rng([2403, 9055, number])
    objects: dict[str, Thing] = {}
    count = int(rng.integers(1, 5))
    while len(objects) < count:
        thing = draw_object(rng)
        objects.setdefault(thing.word, thing)
    material = draw_material(rng)
    shapes = [random_shape(rng, float(area)) for area in random_areas(rng, count)]
    boxes = random_layout(rng, shapes)
    places = zip(shapes, boxes, strict=True)
    return _made(tuple(objects.values()), material, number, [s.mask(b) for s, b in places])


def lone_scene(number: int, seed: int) -> EvaluationScene:
    """One object in the middle of the canvas, the same for a number, of any seed of the picture."""
    rng = np.random.default_rng([2403, 9055, 7, number])
    thing, material = draw_object(rng), draw_material(rng)
    side = float(rng.uniform(100, 136))
    corner = (SIDE_PX - side) / 2
    return _made((thing,), material, seed, [{"ellipse": [corner, corner, side, side]}])


def _made(
    objects: tuple[Thing, ...], material: Thing, seed: int, masks: Sequence[Mapping[str, Any]]
) -> EvaluationScene:
    """The scene for objects in their masks on a material."""
    brushes = [
        {"prompt": caption([thing]), "mask": mask}
        for thing, mask in zip(objects, masks, strict=True)
    ]
    scene = {
        "size": [SIDE_PX, SIDE_PX],
        "seed": seed,
        "background": {"prompt": caption([material])},
        "brushes": brushes,
    }
    return EvaluationScene(objects, material, scene)
