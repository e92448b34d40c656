"""Things larger than what a model draws, or sees at once: they come several times."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from smd_cli.engine.repaint import first_slot, refined_slot
from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.paint.pictures import dimensions, quote
from smd_cli.scene.types import Scene, SceneFile, Wrapped
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
    """Things that are larger than a model draws them, or begin in parts where it does not say how
    large that is; on the canvas of the draft where there is one.

    `seen` is as it is generated, `effort` that of one pass over it.
    """
    scene, legal = scene_file.scene, legal_of(scene_file.scene.sampler, defaults)
    most_px = defaults.largest_px or (legal.most * defaults.factor if legal else 0)
    refines = scene.sampler.refine > 1
    for one in seen.brushes:
        box, number = box_of(one.paint), one.brush.number
        if box is None or not _is_thing(one, box, seen.size, defaults):
            continue
        whole, half = number in effort.tiled, number in effort.tiled_at_half
        size = box[2:]
        if defaults.largest_px:
            size = _largest_piece(one.paint, defaults.factor, scene.wraps)
            whole, half = max(size) > most_px, max(size) > 2 * most_px
        if not (half if refines else whole) or first_slot(one.brush.repaint, table) > 0:
            continue
        message = f"{quote(one.brush.label)} spans {dimensions(size)} px: the model "
        message += f"{scene.model.name} "
        message += "draws things of" if defaults.largest_px else "sees"
        message += f" {most_px} px at most" + ("" if defaults.largest_px else " at once")
        message += ", so its thing may come several times"
        message += " even at half the size" if refines else ""
        hint = f"of at most {most_px} px it is painted as a whole"
        if not half and _may_refine(scene, seen.size, table, defaults):
            hint = "sampler: {refine: 2} paints it at half the size first, as a whole"
        yield Problem(scene_file.place("brushes", number - 1, "mask"), message, hint)


def _largest_piece(paint: Paint, factor: int, wraps: Wrapped) -> Size:
    """Width and height of the longest piece of paint, in whole latent cells; in pixels.

    Pieces are those between which there is a gap straight down or across.
    """
    width, height = paint.size
    cells = paint.cells(factor, (-(-height // factor), -(-width // factor))) > 0
    for axis, wrap in enumerate(wraps):
        gaps = np.flatnonzero(~np.any(cells, axis=1 - axis))
        if wrap and len(gaps):  # so that nothing goes on over the end
            cells = np.roll(cells, -int(gaps[0]), axis)
    rows, columns = max((piece.shape for piece in _pieces(cells)), key=max, default=(0, 0))
    return columns * factor, rows * factor


def _pieces(cells: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
    """The parts (rows, columns) of what is true, each cut to its own box."""
    for axis in (0, 1):
        line = np.concatenate([[False], np.atleast_1d(np.any(cells, axis=1 - axis)), [False]])
        ends = np.flatnonzero(np.diff(line.astype(np.int8))).reshape(-1, 2)
        if len(ends) != 1 or ends[0, 1] - ends[0, 0] < cells.shape[axis]:
            for first, last in ends:
                yield from _pieces(cells.take(range(first, last), axis))
            return
    yield cells


def _is_thing(one: Painted, box: Box, size: Size, defaults: ModelDefaults) -> bool:
    """Whether a brush asks for a thing, which can be counted.

    Where nobody knows the model's words, what reaches an edge of the canvas is ground or sky.
    """
    if defaults.objects:
        return names_any(one.brush.prompt, defaults.objects)
    left, top, width, height = box
    return left > 0 and top > 0 and left + width < size[0] and top + height < size[1]


def _may_refine(scene: Scene, size: Size, table: StepTable, defaults: ModelDefaults) -> bool:
    """Whether a scene can be painted at half size first, and that is no warning of its own."""
    if math.prod(size) <= math.prod(defaults.native_size):
        return False
    stream = scene.sampler.method == "stream"
    plain = scene.background.image is None and not any(scene.wraps)
    return stream and plain and refined_slot(table) < table.slots
