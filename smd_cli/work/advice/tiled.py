"""Things larger than what a model sees at once: every window paints them anew."""

from __future__ import annotations

from collections.abc import Iterator

from smd_cli.engine.repaint import first_slot, refined_slot
from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.paint.pictures import dimensions, quote
from smd_cli.scene.types import Scene, SceneFile
from smd_cli.work.advice.effort import Effort, legal_of
from smd_cli.work.advice.layers import Box, box_of
from smd_cli.work.advice.words import names_any


def tiled_warnings(
    scene_file: SceneFile,
    seen: PaintedScene,
    table: StepTable,
    defaults: ModelDefaults,
    effort: Effort,
) -> Iterator[Problem]:
    """Things that begin in parts, on the canvas of the draft where there is one.

    `seen` is as it is generated, `effort` that of one pass over it.
    """
    scene, legal = scene_file.scene, legal_of(scene_file.scene.sampler, defaults)
    things = [
        (one, box)
        for one in seen.brushes
        if one.brush.number in effort.tiled and first_slot(one.brush.repaint, table) == 0
        for box in [box_of(one.paint)]
        if box is not None and _is_thing(one, box, seen.size, defaults)
    ]
    if legal is None or not things:
        return
    refines, most_px = scene.sampler.refine > 1, legal.most * defaults.factor
    larger = effort.tiled_at_half
    for one, box in things:
        number = one.brush.number
        if refines and number not in larger:
            continue
        message = f"{quote(one.brush.label)} spans {dimensions(box[2:])} px: the model "
        message += f"{scene.model.name} sees {most_px} px at most at once, so its thing may come "
        message += "several times" + (" even at half the size" if refines else "")
        hint = "a smaller mask is seen as a whole"
        if number not in larger and _may_refine(scene, table):
            hint = "sampler: {refine: 2} paints it at half the size first, where it is seen whole"
        yield Problem(scene_file.place("brushes", number - 1, "mask"), message, hint)


def _is_thing(one: Painted, box: Box, size: Size, defaults: ModelDefaults) -> bool:
    """Whether a brush asks for a thing, which can be counted.

    Where nobody knows the model's words, what reaches an edge of the canvas is ground or sky.
    """
    if defaults.objects:
        return names_any(one.brush.prompt, defaults.objects)
    left, top, width, height = box
    return left > 0 and top > 0 and left + width < size[0] and top + height < size[1]


def _may_refine(scene: Scene, table: StepTable) -> bool:
    """Whether a scene can be painted at half size first, which `check` refuses otherwise."""
    stream = scene.sampler.method == "stream"
    plain = scene.background.image is None and not any(scene.wraps)
    return stream and plain and refined_slot(table) < table.slots
