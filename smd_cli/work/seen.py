"""What the engine sees of a scene's masks, without torch: weights and windows of every slot.

They are those of a plan, by the very functions that the planner calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from smd_cli.engine.crop import Crop
from smd_cli.engine.layers import SoftMasks, rules_of
from smd_cli.engine.repaint import first_slots, phased_weights
from smd_cli.engine.rows import frame_rows
from smd_cli.engine.schedule import StepTable, planned_table
from smd_cli.engine.softening import Rules
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Window
from smd_cli.models.facts import read_defaults
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Scene
from smd_cli.work.advice.effort import legal_of, multiple_of
from smd_cli.work.check import as_generated


@dataclass(frozen=True, eq=False)
class Seen:
    """A scene's masks as the engine has them on the part of the canvas that is generated.

    `painted`: the brushes on that `part`; `weights` and `windows` [slot][row] have the background
    first where that is generated; from slot `apart` on brushes share rows, which have no windows of
    their own here.
    """

    scene: Scene
    part: Crop
    painted: PaintedScene
    table: StepTable
    rules: Rules
    weights: Weights
    windows: tuple[tuple[tuple[Window, ...], ...], ...]
    apart: int


def see(scene: Scene, painted: PaintedScene, kept: SoftMasks | None = None) -> Seen:
    """Follow a painted scene to the weights of all slots; `kept` spares what was worked out.

    What a model whose files are not here is like, is what SD 1.5 is like.
    """
    kept = SoftMasks() if kept is None else kept
    defaults = read_defaults(scene.model)
    table = planned_table(scene.sampler, defaults, painted.size)
    part, seen = as_generated(painted, scene, defaults, kept)
    sampler, multiple = scene.sampler, multiple_of(defaults)
    rules = rules_of(seen.brushes, seen.size, sampler, defaults.factor, multiple, scene.wraps)
    firsts = first_slots(scene, seen.brushes, table)
    weights = phased_weights(seen.brushes, firsts, rules, table, sampler.mask_type, kept)
    legal = legal_of(sampler, defaults)
    rows = frame_rows(scene, weights, firsts, table, legal, kept.windows, blends=True)
    return Seen(scene, part, seen, table, rules, weights, rows.windows, rows.apart)
