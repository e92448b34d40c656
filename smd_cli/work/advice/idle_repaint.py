"""Values of `repaint:` that repaint nothing, or everything, or no picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smd_cli.engine.repaint import first_slot, ground_slot
from smd_cli.engine.schedule import StepTable
from smd_cli.errors import KeyPath, Problem
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import SceneFile
from smd_cli.work.advice.layers import Box, Layer

_MUTE = "a repaint above the noise of the last slot acts in it; enabled: false mutes the brush"
_KEEP = "a repaint above the noise of the last slot acts in it; 0 keeps the picture"


def idle_repaint(
    scene_file: SceneFile, table: StepTable, layers: Sequence[Layer]
) -> Iterator[Problem]:
    """Brushes and a background that start too late, or from the first slot after all.

    And brushes that start from a plain colour.
    """
    yield from _idle_ground(scene_file, table)
    below = scene_file.scene.background
    boxes: list[Box] = []
    for layer in layers:
        brush, first = layer.brush, first_slot(layer.brush.repaint, table)
        own: KeyPath = ("brushes", brush.number - 1, "repaint")
        place = scene_file.place(*(own if own in scene_file.places else ("defaults", "repaint")))
        plain = below.prompt is None and below.image is None
        if first == table.slots:
            message = f"{quote(brush.label)} paints nothing: {_too_late(brush.repaint, table)}"
            yield Problem(place, message, _MUTE)
        elif brush.repaint < 1 and not first:
            message = f"repaint has no effect: {_from_noise(brush.repaint, table)}"
            yield Problem(place, message, "a smaller repaint starts from what lies under the brush")
        elif first and plain and not any(_meet(layer.box, box) for box in boxes):
            message = f"{quote(brush.label)} repaints a plain colour: nothing else lies under it"
            yield Problem(place, message, "repaint: 1 paints it anew")
        if layer.box and layer.slots:
            boxes.append(layer.box)


def _idle_ground(scene_file: SceneFile, table: StepTable) -> Iterator[Problem]:
    below = scene_file.scene.background
    first, place = ground_slot(below, table), scene_file.place("background", "repaint")
    if below.repainted and first == table.slots:
        message = f"the background's prompt paints nothing: {_too_late(below.repaint, table)}"
        yield Problem(place, message, _KEEP)
    elif below.repainted and below.repaint < 1 and not first:
        message = f"the picture leaves no trace: {_from_noise(below.repaint, table)}"
        yield Problem(place, message, "a smaller repaint starts from the picture")


def _too_late(repaint: float, table: StepTable) -> str:
    if not repaint:
        return "repaint 0 keeps what lies under it"
    return f"repaint {repaint:g} is below the noise of every slot, {table.sigmas[-1]:.3f} at least"


def _from_noise(repaint: float, table: StepTable) -> str:
    return f"the first slot, at noise {table.sigmas[0]:.3f}, is within {repaint:g} already"


def _meet(one: Box | None, other: Box) -> bool:
    """Whether two boxes have a pixel in common."""
    if one is None:
        return False
    sides = zip(one[:2], one[2:], other[:2], other[2:], strict=True)
    return all(a < b + length and b < a + size for a, size, b, length in sides)
