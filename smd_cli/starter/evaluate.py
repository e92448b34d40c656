"""Measures a model on random scenes: `python -m smd_cli.starter.evaluate --json`.

Every scene (see `evaluation_scenes`) goes through the same loading, painting, planning and sampling
as in `smd render`. The judge, which has seen the painter's pictures alone, then says what stands in
each brush's box and in what colour, what the patches outside of all masks show, and whether a
brush's thing is found where its mask is not. No scene and no picture is left out. The same scenes
with the same seeds are rendered in one prompt without regions, and averaged without stabilisers;
--study adds the choices of the `sampler:` section, --against a teacher's 25 steps, which the
contact sheet then shows beside the few, to their left.
"""

import argparse
import io
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import picture, single
from smd_cli.models.facts import STARTER, read_defaults, resolve_model
from smd_cli.scene.paint.boxes import HALF, full_window
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Sampler
from smd_cli.starter.classifier import (
    CLASSES,
    COLOUR_WORDS,
    JUDGE,
    NOTHING,
    PATCHES_PX,
    Box,
    Judge,
    crop,
    judge_input,
    load_judge,
    with_margin,
)
from smd_cli.starter.evaluation_scenes import SIDE_PX, EvaluationScene, lone_scene, random_scene
from smd_cli.starter.figures import Pixels, Sight, Verdict, by_word, contact_sheet, figures
from smd_cli.starter.painter import CELL_PX, Painter, draw_look, find_font, load_glyphs

Paint = npt.NDArray[np.bool_]

LONE_PROMPTS, LONE_SEEDS = 16, 8
"""Variety is measured on so many prompts, each with so many seeds."""


class Evaluator:
    """A model and its judge."""

    def __init__(self, judge: Judge, changes: Mapping[str, Any], dtype: str = "auto") -> None:
        """`changes` are made to every scene, at its top level; `dtype`: the model's precision."""
        self.judge, self.changes, self.dtype = judge, changes, dtype
        self.backbone: Backbone | None = None

    def render(self, wanted: EvaluationScene, changes: Mapping[str, Any]) -> Pixels:
        """The picture of a scene, its frame 0."""
        text = wanted.text({**self.changes, **changes})
        file = load_scene("-", stdin=io.BytesIO(text.encode()))
        self.backbone = self.backbone or load_backbone(file.scene.model, dtype=self.dtype)
        painted = paint_scene(file)
        plan = Planner(self.backbone).plan(
            file.scene, painted.brushes, painted.size, painted.picture
        )
        return picture(next(single(lambda _: plan, self.backbone, 1)), self.backbone)

    def verdict(self, wanted: EvaluationScene, changes: Mapping[str, Any] | None = None) -> Verdict:
        """Render one scene, with changes, and judge it."""
        begun = time.perf_counter()
        pixels = self.render(wanted, changes or {})
        seconds = time.perf_counter() - begun
        own = paint_scene(load_scene("-", stdin=io.BytesIO(wanted.text({}).encode())))
        paint = [p.paint.read(full_window(own.size)) >= HALF for p in own.brushes]
        boxes = tuple(with_margin(bounding_box(p)) for p in paint)
        taken = np.logical_or.reduce(paint)
        elsewhere = tuple(
            any(s.word == thing.word and s.shaped for s in self._sights(pixels, off_boxes(p)))
            for thing, p in zip(wanted.objects, paint, strict=True)
        )
        return Verdict(
            wanted,
            pixels,
            boxes,
            tuple(self._sights(pixels, boxes)),
            self._surrounding(pixels, taken),
            elsewhere,
            seconds,
        )

    @torch.inference_mode()
    def _sights(self, pixels: Pixels, boxes: Sequence[Box]) -> list[Sight]:
        if not boxes:
            return []
        words, colours = self.judge(judge_input([crop(pixels / np.float32(255), b) for b in boxes]))
        best = words[:, :NOTHING].max(1)
        shaped = (best.values > words[:, NOTHING]).tolist()
        pairs = zip(best.indices.tolist(), colours.argmax(1).tolist(), shaped, strict=True)
        return [Sight(CLASSES[w], COLOUR_WORDS[c], s) for w, c, s in pairs]

    @torch.inference_mode()
    def _surrounding(self, pixels: Pixels, taken: Paint) -> Sight:
        crops = [crop(pixels / np.float32(255), b) for b in free_patches(taken)]
        words, colours = self.judge(judge_input(crops))
        word = words[:, :NOTHING].softmax(1).mean(0).argmax()
        colour = colours.softmax(1).mean(0).argmax()
        return Sight(CLASSES[int(word)], COLOUR_WORDS[int(colour)], shaped=True)

    @torch.inference_mode()
    def spread(self, pictures: Iterable[Pixels], box: Box) -> float:
        """The mean distance of the judge's features between pictures, in a box."""
        crops = [crop(pixels / np.float32(255), box) for pixels in pictures]
        features = self.judge.features(judge_input(crops))
        pairs = combinations(features, 2)
        return float(torch.stack([torch.dist(a, b) for a, b in pairs]).mean())

    def variety(self, painter: Painter) -> float:
        """How much seeds of one prompt differ, as a share of how much the painter's pictures do."""
        own, painted = [], []
        for number in range(LONE_PROMPTS):
            wanted_scenes = [lone_scene(number, seed) for seed in range(LONE_SEEDS)]
            mask = wanted_scenes[0].scene["brushes"][0]["mask"]["ellipse"]
            box = (int(mask[1]), int(mask[0]), int(mask[1] + mask[3]), int(mask[0] + mask[2]))
            own.append(self.spread((self.render(wanted, {}) for wanted in wanted_scenes), box))
            shown = (
                paint_wanted(painter, wanted, box, seed)
                for seed, wanted in enumerate(wanted_scenes)
            )
            painted.append(self.spread(shown, box))
        return float(np.mean(own) / np.mean(painted))


def paint_wanted(painter: Painter, wanted: EvaluationScene, box: Box, seed: int) -> Pixels:
    """What the painter makes of a lone scene: its object, as large as the box allows."""
    rng = np.random.default_rng([seed, 6])
    canvas = painter.material(wanted.material, rng, SIDE_PX).copy()
    look = draw_look(rng, int(0.92 * (box[2] - box[0]) / CELL_PX))
    corner = tuple((SIDE_PX // CELL_PX - look.size_cells) // 2 for _ in range(2))
    painter.put(canvas, wanted.objects[0], look, (corner[0], corner[1]))
    return np.asarray((canvas * 255).round(), dtype=np.uint8)


def bounding_box(paint: Paint) -> Box:
    """The box around what is painted."""
    rows, columns = np.flatnonzero(paint.any(1)), np.flatnonzero(paint.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def squares(side: int, step: int) -> list[Box]:
    """All squares of a side on the canvas, so many pixels apart."""
    starts = range(0, SIDE_PX - side + 1, step)
    return [(y, x, y + side, x + side) for y in starts for x in starts]


def covered(paint: Paint, boxes: Sequence[Box]) -> list[float]:
    """The painted share of each box."""
    return [float(paint[top:bottom, left:right].mean()) for top, left, bottom, right in boxes]


def free_patches(taken: Paint) -> list[Box]:
    """Square patches outside all masks: of the largest size that there are any of, at most 12.

    Where there is not even a small one, the small one that overlaps the masks least.
    """
    for side in (80, 64, 48, PATCHES_PX[0]):
        boxes = squares(side, 16)
        shares = covered(taken, boxes)
        free = [box for box, share in zip(boxes, shares, strict=True) if share == 0]
        if free:
            return free[:: max(1, len(free) // 12)][:12]
    return [boxes[int(np.argmin(shares))]]


def off_boxes(paint: Paint) -> list[Box]:
    """Boxes in which a brush's thing should not be seen: clear of its mask, at most 8 of a size."""
    found = []
    for side in (64, 96, 128):
        boxes = squares(side, 32)
        free = [box for box, share in zip(boxes, covered(paint, boxes), strict=True) if share == 0]
        found += free[:: max(1, len(free) // 8)][:8]
    return found


STUDY: dict[str, dict[str, Any]] = {
    "bootstrap 0": {"bootstrap": {"steps": 0}},
    "bootstrap 1": {"bootstrap": {"steps": 1}},
    "bootstrap 2": {"bootstrap": {"steps": 2}},
    "leak 0": {"bootstrap": {"leak": 0}},
    "leak 0.1": {"bootstrap": {"leak": 0.1}},
    "leak 0.2": {"bootstrap": {"leak": 0.2}},
    "masks discrete": {"mask_type": "discrete"},
    "masks continuous": {"mask_type": "continuous"},
    "masks semi-continuous": {"mask_type": "semi-continuous"},
    "background weight as published": {"preset": "paper"},
}
"""Changes to the model's own `sampler:`, one at a time."""

TEACHER = {
    "method": "multidiffusion",
    "steps": 25,
    "guidance": {"type": "full", "scale": 3.0},
    "bootstrap": {"steps": 10},
}
"""How --against is sampled: 25 DDIM steps with guidance (a `sampler:` of its own)."""

BASELINE = {"bootstrap": {"steps": 0}, "preaverage": False}
"""Averaging without stabilisers."""


def changed(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A `sampler:` section: the model's own with changes, which reach into its bootstrap."""
    bootstrap = {**own.get("bootstrap", {}), **changes.get("bootstrap", {})}
    return {**own, **changes, "bootstrap": bootstrap}


def study(
    evaluator: Evaluator, own: Mapping[str, Any], verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """The figures of every choice in `STUDY` on the scenes of `verdicts`, which are the model's own
    choice; what is no other choice than that is not rendered again."""
    result, usual = {"own": figures(verdicts)}, sampler_of(own)
    for name, way in STUDY.items():
        sampler = changed(own, way)
        same = sampler_of(sampler) == usual
        result[name] = figures(
            [v if same else evaluator.verdict(v.wanted, {"sampler": sampler}) for v in verdicts]
        )
    return result


def sampler_of(section: Mapping[str, Any]) -> Sampler:
    """What a scene's `sampler:` comes to."""
    text = random_scene(0).text({"sampler": section})
    return load_scene("-", stdin=io.BytesIO(text.encode())).scene.sampler


def main(arguments: list[str] | None = None) -> None:
    """Evaluate, print the figures, write the contact sheet."""
    parser = argparse.ArgumentParser(prog="smd_cli.starter.evaluate", description=__doc__)
    parser.add_argument("--judge", type=Path, default=JUDGE, help="see smd_cli.starter.classifier")
    parser.add_argument("--model", type=Path, default=STARTER, help="a model folder")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--sampler", type=json.loads, default={}, help="changes to sampler:, JSON")
    parser.add_argument("--blur", type=float, help="every brush's blur, px")
    parser.add_argument("--dtype", default="auto", help="precision: auto, fp32, fp16, bf16")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf, if in no usual place")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the first 64 here")
    parser.add_argument("--study", type=int, default=0, help="choices of sampler:, on so many")
    parser.add_argument("--against", type=Path, help="a teacher's folder: its 25 steps as well")
    parser.add_argument("--against-scenes", type=int, default=200, help="on so many")
    parser.add_argument("--alone", action="store_true", help="no baselines and no variety")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    model = str(options.model.resolve())
    own = changed(read_defaults(resolve_model(model, Path())).sampler, options.sampler)
    changes: dict[str, Any] = {"model": model, "sampler": own}
    if options.blur is not None:
        changes["defaults"] = {"blur": options.blur}
    evaluator = Evaluator(load_judge(options.judge), changes, options.dtype)
    wanted_scenes = [random_scene(n) for n in range(options.scenes)]
    verdicts = [evaluator.verdict(wanted) for wanted in wanted_scenes]
    result: dict[str, Any] = {
        "scenes": len(wanted_scenes),
        "sampler": own,
        "own": figures(verdicts),
    }
    if not options.alone:
        painter = Painter(load_glyphs(find_font(options.font)), seed=1000)
        result["variety"] = round(evaluator.variety(painter), 2)
        result["one prompt without regions"] = figures(
            [evaluator.verdict(wanted, wanted.without_regions()) for wanted in wanted_scenes]
        )
        plain = {"sampler": changed(own, BASELINE)}
        result["average without stabilisers"] = figures(
            [evaluator.verdict(wanted, plain) for wanted in wanted_scenes]
        )
    if options.study:
        few = min(options.study, len(wanted_scenes))
        result["study"] = {"scenes": few, **study(evaluator, own, verdicts[:few])}
    shown = verdicts[:64]
    if options.against:
        changes = {"model": str(options.against.resolve()), "sampler": TEACHER}
        teacher = Evaluator(evaluator.judge, changes, options.dtype)
        others = [teacher.verdict(wanted) for wanted in wanted_scenes[: options.against_scenes]]
        result["teacher, 25 steps"] = figures(others)
        result["own, on the teacher's scenes"] = figures(verdicts[: len(others)])
        pairs = zip(others, verdicts, strict=False)
        shown = [verdict for pair in pairs for verdict in pair][:64]
    result["by_word"] = by_word(verdicts)
    if options.sheet:
        contact_sheet(shown).save(options.sheet)
    print(json.dumps(result, indent=2) if options.json else summary(result))


def summary(result: Mapping[str, Any]) -> str:
    """The figures in lines of text."""
    ways = {
        name: way
        for name, way in (result | result.get("study", {})).items()
        if isinstance(way, dict) and "objects_right" in way
    }
    lines = [
        f"{name}: objects {way['objects_right']} %, backgrounds {way['backgrounds_right']} %, "
        f"colours {way['colours_right']} %, leak {way['leak']} %"
        for name, way in ways.items()
    ]
    variety = [f"variety {result['variety']} of the painter's"] if "variety" in result else []
    return "\n".join(lines + variety)


if __name__ == "__main__":
    main()
