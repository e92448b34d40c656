"""What the engine sees of a scene's masks, without torch: weights and windows of every slot.

They are those of a plan, by the very functions that the planner calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from smd_cli.engine.crop import Crop
from smd_cli.engine.layers import SoftMasks, rules_of
from smd_cli.engine.repaint import first_slot, ground_slot, phased_weights
from smd_cli.engine.rows import frame_rows
from smd_cli.engine.schedule import StepTable, planned_table
from smd_cli.engine.softening import Rules
from smd_cli.engine.weights import Weights, first_blended
from smd_cli.engine.windows import Legal, Window
from smd_cli.models.facts import ModelDefaults, read_defaults
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Scene
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
    multiple = defaults.multiple or defaults.factor
    rules = rules_of(seen.brushes, seen.size, scene.sampler, defaults.factor, multiple, scene.wraps)
    below = [ground_slot(scene.background, table)] * scene.background.generated
    firsts = below + [first_slot(one.brush.repaint, table) for one in seen.brushes]
    weights = phased_weights(seen.brushes, firsts, rules, table, scene.sampler.mask_type, kept)
    legal, blends = _legal(scene, defaults), defaults.spacing is None
    rows = frame_rows(scene, weights, firsts, table, legal, kept.windows, blends=blends)
    apart = first_blended(scene, table.slots, blends)
    return Seen(scene, part, seen, table, rules, weights, rows.windows, apart)


def _legal(scene: Scene, defaults: ModelDefaults) -> Legal | None:
    """Which windows the model draws well in; None for the whole canvas."""
    sampler, native_px = scene.sampler, max(defaults.native_size)
    if sampler.guidance.type == "initialize" and not defaults.embeds_guidance:
        return None
    asked = "off" if sampler.preset == "paper" else sampler.windows
    multiple = defaults.multiple or defaults.factor
    least_px = defaults.window_px or native_px
    return Legal.of(asked, least_px, native_px, defaults.factor, multiple)
