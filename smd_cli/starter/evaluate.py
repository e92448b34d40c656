"""Measures a model on random scenes: `python -m smd_cli.starter.evaluate --judge FILE --json`.

Every scene is a scene file: a material as the background and one to three objects, all drawn
uniformly, in random masks of 6 to 30 % of the canvas that are laid out to overlap little. It goes
through the same loading, painting, planning and sampling as in `smd render`. The judge, which has
seen the painter's pictures alone, then says what stands in each brush's box, and what the patches
outside of all masks show. No scene and no picture is left out.
"""

import argparse
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from smd_cli.backbone.contract import Backbone
from smd_cli.backbone.load import load_backbone
from smd_cli.engine.plan import Planner
from smd_cli.engine.stream import picture, single
from smd_cli.models import STARTER
from smd_cli.scene.model import Sampler
from smd_cli.scene.paint import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.starter.classifier import (
    CLASSES,
    NOTHING,
    PATCHES_PX,
    Box,
    Judge,
    crop,
    judge_input,
    load_judge,
    with_margin,
)
from smd_cli.starter.materials import Rng
from smd_cli.starter.vocabulary import MATERIALS, OBJECTS, caption

SIDE_PX = 256
AREA = (0.06, 0.30)
LAYOUT_TRIES = 24
Paint = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wish:
    """What a random scene asks for: its file's text and the words that its pictures must show."""

    text: str
    objects: tuple[str, ...]
    material: str


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


def random_shape(rng: Rng) -> Shape:
    """A rectangle, an ellipse or a blob of 6 to 30 % of the canvas, its sides not too unequal."""
    kind = ("rect", "ellipse", "polygon")[rng.integers(3)]
    points = blob(rng) if kind == "polygon" else np.empty((0, 2))
    extent = SIDE_PX * np.sqrt(rng.uniform(*AREA) / _filled(kind, points))
    stretch = np.sqrt(rng.uniform(0.75, 4 / 3))
    height, width = (min(float(extent * s), SIDE_PX) for s in (stretch, 1 / stretch))
    return Shape(kind, height, width, tuple((float(x), float(y)) for x, y in points))


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


def random_wish(number: int, changes: Mapping[str, Any]) -> Wish:
    """The random scene of a number, with changes to what its file says at the top level."""
    rng = np.random.default_rng([2403, 9055, number])
    words = list(OBJECTS)
    objects = [words[n] for n in rng.choice(len(words), int(rng.integers(1, 4)), replace=False)]
    material = MATERIALS[rng.integers(len(MATERIALS))]
    shapes = [random_shape(rng) for _ in objects]
    boxes = random_layout(rng, shapes)
    brushes = [
        {"prompt": caption(word), "mask": shape.mask(box)}
        for word, shape, box in zip(objects, shapes, boxes, strict=True)
    ]
    scene = {
        "size": [SIDE_PX, SIDE_PX],
        "seed": number,
        "background": {"prompt": caption(material)},
        "brushes": brushes,
    }
    return Wish(json.dumps(scene | dict(changes)), tuple(objects), material)


@dataclass(frozen=True, eq=False)
class Verdict:
    """A rendered scene, and what the judge took each thing for."""

    wish: Wish
    pixels: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]
    seen_objects: tuple[str, ...]
    shaped: tuple[bool, ...]
    seen_material: str
    seconds: float

    @property
    def right(self) -> int:
        """How many objects were found to be what was asked for."""
        return sum(a == b for a, b in zip(self.wish.objects, self.seen_objects, strict=True))

    @property
    def strictly_right(self) -> int:
        """How many of these the judge did not rather take for an object's colours without shape."""
        found = zip(self.wish.objects, self.seen_objects, self.shaped, strict=True)
        return sum(a == b and shaped for a, b, shaped in found)


class Evaluator:
    """A model and its judge."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.backbone: Backbone | None = None
        self.sampler: Sampler | None = None

    def verdict(self, wish: Wish) -> Verdict:
        """Render one scene and judge it."""
        file = load_scene("-", stdin=io.BytesIO(wish.text.encode()))
        self.backbone = self.backbone or load_backbone(file.scene.model)
        self.sampler = file.scene.sampler
        begun = time.perf_counter()
        painted = paint_scene(file)
        plan = Planner(self.backbone).plan(
            file.scene, painted.brushes, painted.size, painted.picture
        )
        pixels = picture(next(single(lambda: plan, self.backbone, 1)), self.backbone)
        seconds = time.perf_counter() - begun
        paint = [p.paint >= 0.5 for p in painted.brushes]
        boxes = tuple(with_margin(bounding_box(p)) for p in paint)
        seen, shaped = self._seen(pixels, boxes)
        around = self._surrounding(pixels, np.logical_or.reduce(paint))
        return Verdict(wish, pixels, boxes, seen, shaped, around, seconds)

    @torch.inference_mode()
    def _seen(
        self, pixels: npt.NDArray[np.uint8], boxes: Sequence[Box]
    ) -> tuple[tuple[str, ...], tuple[bool, ...]]:
        logits = self.judge(judge_input([crop(pixels / np.float32(255), b) for b in boxes]))
        best = logits[:, :NOTHING].max(1)
        shaped = (best.values > logits[:, NOTHING]).tolist()
        return tuple(CLASSES[n] for n in best.indices.tolist()), tuple(shaped)

    @torch.inference_mode()
    def _surrounding(self, pixels: npt.NDArray[np.uint8], taken: Paint) -> str:
        crops = [crop(pixels / np.float32(255), b) for b in free_patches(taken)]
        chances = self.judge(judge_input(crops))[:, :NOTHING].softmax(1).mean(0)
        return CLASSES[int(chances.argmax())]


def bounding_box(paint: Paint) -> Box:
    """The box around what is painted."""
    rows, columns = np.flatnonzero(paint.any(1)), np.flatnonzero(paint.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def free_patches(taken: Paint) -> list[Box]:
    """Square patches outside all masks: of the largest size that there are any of, at most 12.

    Where there is not even a small one, the small one that overlaps the masks least.
    """
    for side in (80, 64, 48, PATCHES_PX[0]):
        steps = range(0, SIDE_PX - side + 1, 16)
        boxes = [(y, x, y + side, x + side) for y in steps for x in steps]
        covered = [taken[b[0] : b[2], b[1] : b[3]].mean() for b in boxes]
        free = [box for box, share in zip(boxes, covered, strict=True) if share == 0]
        if free:
            return free[:: max(1, len(free) // 12)][:12]
    return [boxes[int(np.argmin(covered))]]


def contact_sheet(verdicts: Sequence[Verdict], columns: int = 8) -> Image.Image:
    """The pictures with what was asked for; in red what the judge took for something else."""
    rows = -(-len(verdicts) // columns)
    cell = (SIDE_PX + 8, SIDE_PX + 40)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for n, verdict in enumerate(verdicts):
        x, y = n % columns * cell[0], n // columns * cell[1]
        sheet.paste(Image.fromarray(verdict.pixels), (x, y))
        _label(draw, (x, y + SIDE_PX + 2), verdict.wish.material, verdict.seen_material)
        pairs = zip(verdict.wish.objects, verdict.seen_objects, verdict.boxes, strict=True)
        for line, (word, seen, box) in enumerate(pairs):
            _label(draw, (x + 88 * line, y + SIDE_PX + 14), word, seen)
            colour = "green" if word == seen else "red"
            draw.rectangle((x + box[1], y + box[0], x + box[3], y + box[2]), outline=colour)
    return sheet


def _label(draw: ImageDraw.ImageDraw, at: tuple[int, int], word: str, seen: str) -> None:
    draw.text(at, word, fill="black")
    if seen != word:
        draw.text((at[0], at[1] + 11), seen, fill="red")


def summary(verdicts: Sequence[Verdict], sampler: Sampler) -> dict[str, Any]:
    """The figures of an evaluation."""
    objects = sum(len(v.wish.objects) for v in verdicts)
    alone = [v for v in verdicts if len(v.wish.objects) == 1]
    percent = {
        "objects_right": 100 * sum(v.right for v in verdicts) / objects,
        "objects_strictly_right": 100 * sum(v.strictly_right for v in verdicts) / objects,
        "objects_right_alone": 100 * sum(v.right for v in alone) / max(len(alone), 1),
        "backgrounds_right": 100
        * sum(v.seen_material == v.wish.material for v in verdicts)
        / len(verdicts),
    }
    return {
        "scenes": len(verdicts),
        "objects": objects,
        **{name: round(value, 1) for name, value in percent.items()},
        "by_object": _shares([(w, w == s) for v in verdicts for w, s in _pairs(v)]),
        "by_material": _shares(
            [(v.wish.material, v.wish.material == v.seen_material) for v in verdicts]
        ),
        "seconds_per_scene": round(float(np.mean([v.seconds for v in verdicts])), 3),
        "sampler": asdict(sampler),
    }


def _pairs(verdict: Verdict) -> list[tuple[str, str]]:
    return list(zip(verdict.wish.objects, verdict.seen_objects, strict=True))


def _shares(outcomes: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """How often each word was right: {"fox": "3/4"}."""
    words = sorted({word for word, _ in outcomes})
    hits = {word: [right for w, right in outcomes if w == word] for word in words}
    return {word: f"{sum(right)}/{len(right)}" for word, right in hits.items()}


def main(arguments: list[str] | None = None) -> None:
    """Evaluate, print the figures, write the contact sheet."""
    parser = argparse.ArgumentParser(prog="smd_cli.starter.evaluate", description=__doc__)
    parser.add_argument("--judge", type=Path, required=True, help="see smd_cli.starter.classifier")
    parser.add_argument("--model", type=Path, default=STARTER, help="a model folder")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--sampler", type=json.loads, help="a sampler: section, as JSON")
    parser.add_argument("--blur", type=float, help="every brush's blur, px")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the first 64 here")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    changes: dict[str, Any] = {"model": str(options.model.resolve())}
    if options.sampler is not None:
        changes["sampler"] = options.sampler
    if options.blur is not None:
        changes["defaults"] = {"blur": options.blur}
    evaluator = Evaluator(load_judge(options.judge))
    verdicts = [evaluator.verdict(random_wish(n, changes)) for n in range(options.scenes)]
    assert evaluator.sampler is not None
    figures = summary(verdicts, evaluator.sampler)
    if options.sheet:
        contact_sheet(verdicts[:64]).save(options.sheet)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(
            f"objects right {figures['objects_right']} % "
            f"(strictly {figures['objects_strictly_right']} %), "
            f"backgrounds right {figures['backgrounds_right']} %"
        )


if __name__ == "__main__":
    main()
