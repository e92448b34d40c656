"""How much of the network a frame needs: its rows, what they see, and the work in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from smd_cli.engine.layers import SoftMasks
from smd_cli.engine.repaint import first_slots, phased_weights
from smd_cli.engine.rows import Seen, frame_rows, row_cells
from smd_cli.engine.schedule import StepTable, bootstrap_slots
from smd_cli.engine.softening import Rules
from smd_cli.engine.windows import Legal, Window, legal_windows
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.kept import Kept
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Guidance, Sampler, Scene
from smd_cli.units import counted
from smd_cli.work.advice.parts import parts_of

_DEEPEST_CELLS = 8  # what the deepest layer of SD 1.5's network sees as one, along a side


@dataclass(frozen=True)
class Effort:
    """A frame's `rows` and all their latent `cells`; `cells_off`: those with windows off, on the
    same canvas.

    `sides_px`: the lengths of what rows see, in canvas pixels, each once; `least_px`: the least
    side that ``windows: auto`` stands for here, None where it is not asked for. `tiled`: the
    numbers of the brushes that begin in parts, as several windows see the same of them;
    `tiled_at_half`: of those that would on a canvas of half the size, too.
    """

    rows: int
    cells: int
    cells_off: int
    sides_px: tuple[int, ...]
    least_px: int | None
    tiled: frozenset[int] = frozenset()
    tiled_at_half: frozenset[int] = frozenset()

    @property
    def share(self) -> float:
        """The work against the same scene with windows off: 1 where there is none."""
        return self.cells / self.cells_off if self.cells_off else 1.0

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"rows": self.rows, "windows_px": list(self.sides_px), "share": self.share}

    def __str__(self) -> str:
        rows = f"work: {counted(self.rows, 'row')} a frame"
        if self.cells == self.cells_off:
            return f"{rows}, each of the whole canvas" if self.rows else rows
        *others, last = map(str, self.sides_px)
        sides = f"{', '.join(others)} and {last}" if others else last
        return f"{rows} in windows of {sides} px, {self.share:.2f} of windows: off"


def multiple_of(defaults: ModelDefaults) -> int:
    """What the sides of a canvas are filled up to a multiple of, in pixels."""
    return defaults.multiple or _DEEPEST_CELLS * defaults.factor


def legal_of(sampler: Sampler, defaults: ModelDefaults) -> Legal | None:
    """Which windows a scene's rows may have of a model; None for the whole canvas."""
    native_px = max(defaults.native_size)
    asked = replace(sampler, guidance=_guidance_of(sampler, defaults))
    least_px = defaults.window_px or native_px
    return legal_windows(asked, least_px, native_px, defaults.factor, multiple_of(defaults))


def _guidance_of(sampler: Sampler, defaults: ModelDefaults) -> Guidance:
    """The guidance between rows: none where the network takes the scale itself."""
    return Guidance() if defaults.embeds_guidance else sampler.guidance


def effort_of(
    scene: Scene,
    painted: Sequence[Painted],
    rules: Rules,
    table: StepTable,
    defaults: ModelDefaults,
    kept: SoftMasks,
) -> Effort:
    """What the plan of a scene will ask of the network, worked out as the plan does.

    `painted` and `rules` are as they are generated.
    """
    sampler, factor = scene.sampler, defaults.factor
    guidance = _guidance_of(sampler, defaults)
    legal = legal_of(sampler, defaults)
    firsts = first_slots(scene, painted, table)
    weights = phased_weights(painted, firsts, rules, table, sampler.mask_type, kept)

    def rows(legal: Legal | None, known: Kept[tuple[Window, ...]]) -> list[list[Seen]]:
        return frame_rows(scene, weights, firsts, table, legal, known, blends=True).slots

    seen = rows(legal, kept.windows)
    off = seen if legal is None else rows(None, kept.whole)
    cells = row_cells(seen, guidance.type)
    sides = {side for slot in seen for _, window in slot for side in window.shape}
    centred = bootstrap_slots(sampler.bootstrap.steps, table) if sampler.method == "stream" else 0
    parted = [
        (one.brush.number, *parts_of(p, weights, seen, legal, centred))
        for p, one in enumerate(painted, scene.background.generated)
    ]
    return Effort(
        rows=len(cells),
        cells=sum(cells),
        cells_off=sum(row_cells(off, guidance.type)),
        sides_px=tuple(side * factor for side in sorted(sides)),
        least_px=legal.least * factor if legal and sampler.windows == "auto" else None,
        tiled=frozenset(number for number, parts, _ in parted if parts),
        tiled_at_half=frozenset(number for number, _, halves in parted if halves),
    )
