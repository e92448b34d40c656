"""Repainting: which slots are left to what lies under a brush before it starts.

Without torch, like the masks: `smd check` tells the same. A brush with repaint r is image-to-image
within its mask (SDEdit, arXiv 2108.01073): it has no weight until the first slot whose noise is no
more than r, and so finds in that slot what lies under it, noised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from smd_cli.engine.layers import Pile, SoftMasks, layer_weights
from smd_cli.engine.schedule import StepTable
from smd_cli.engine.softening import Rules
from smd_cli.engine.weights import Boxed, Weights
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Background, Scene

REFINED = 0.6  # the noise that a draft gets: more repeats things, less leaves it as blurred


def first_slot(repaint: float, table: StepTable) -> int:
    """The first slot in which a brush acts: that with σ ≤ `repaint` (0..1), T where none is.

    Repaint 1 is all new, from the first slot on.
    """
    levels = enumerate(table.sigmas)
    return next((i for i, sigma in levels if sigma <= repaint or repaint >= 1), table.slots)


def refined_slot(table: StepTable) -> int:
    """The first slot in which a scaled-up draft is painted at full size, T where there is none."""
    return first_slot(REFINED, table)


def half_of(size: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) of a canvas' draft."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def ground_slot(background: Background, table: StepTable) -> int:
    """The first slot in which a background with a prompt acts: of a picture it repaints that."""
    return first_slot(background.repaint, table) if background.image else 0


def first_slots(scene: Scene, painted: Sequence[Painted], table: StepTable) -> list[int]:
    """The first slot of every brush that is generated, the background's first where it is one."""
    below = [ground_slot(scene.background, table)] if scene.background.generated else []
    return below + [first_slot(one.brush.repaint, table) for one in painted]


def phases(firsts: Sequence[int], slots: int) -> Iterator[range]:
    """The stretches of T = `slots` slots in which the same brushes act.

    In one of them do those whose first slot is not after its start. Where one acts in no slot, an
    empty stretch ends them, from T to T.
    """
    starts = sorted({0, *firsts})
    return (range(start, end) for start, end in pairwise([*starts, slots]))


def phased_weights(
    painted: Sequence[Painted],
    firsts: Sequence[int],
    rules: Rules,
    table: StepTable,
    mask_type: str,
    kept: SoftMasks,
) -> Weights:
    """The weights of brushes that start in the slots `firsts`, one a brush.

    Where `firsts` has one more than there are brushes, the background comes first. Until a brush
    starts, what lies under it shows as if it was not there.
    """
    below = len(firsts) - len(painted)
    found: dict[int, Boxed] = {}
    with kept.laid.round(), kept.boxed.round():
        for slots in filter(None, phases(firsts[below:], table.slots)):
            acting = [n for n, first in enumerate(firsts[below:]) if first <= slots.start]
            pile, laid = Pile(rules.size), [painted[n] for n in acting]
            own = layer_weights(laid, pile, rules, table, mask_type, kept)
            if below:
                own = own.below(pile.bare(rules) if rules.published else None)
            numbers = [*range(below), *(below + n for n in acting)]
            for p, one in zip(numbers, own.brushes, strict=True):
                found[p] = _joined(found.get(p), one, slots)
    nothing = Boxed(np.zeros((table.slots, 0, 0), dtype=np.float32), (slice(0, 0), slice(0, 0)))
    brushes = tuple(found.get(p, nothing) for p in range(len(firsts)))
    if below:
        brushes[0].values[: firsts[0]] = 0
    return Weights(rules.grid, table.slots, brushes)


def _joined(before: Boxed | None, own: Boxed, slots: range) -> Boxed:
    """A brush's weights `before`, none by default, with its own ones in some slots."""
    if len(slots) == len(own.values):
        return own
    joined = before or Boxed(np.zeros_like(own.values), own.box)
    joined.values[slots.start : slots.stop] = own.values[slots.start : slots.stop]
    return joined
