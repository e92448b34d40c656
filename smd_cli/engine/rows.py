"""The network rows of a frame: what each sees, which brushes it serves, and how much work it is.

Without torch, like the masks: `smd check` tells the same as the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from smd_cli.engine.schedule import StepTable, bootstrap_slots
from smd_cli.engine.weights import Weights, windows_of_slots
from smd_cli.engine.windows import Legal, Support, Window, windows_of
from smd_cli.errors import UsageError
from smd_cli.scene.kept import Kept
from smd_cli.scene.types import Scene, Wrapped

Seen = tuple[tuple[int, ...], Window]
"""A row: the brushes that it serves, and what it sees."""


@dataclass(frozen=True, eq=False)
class Shared:
    """A window and the brushes that have weight in it: one row serves them all."""

    window: Window
    brushes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FrameRows:
    """The rows of a frame: `windows[i][p]` is what a brush's own rows see in a slot, `shared[i]`
    those of a slot that serve several: none before slot `apart`, and from there on no others.
    """

    windows: tuple[tuple[tuple[Window, ...], ...], ...]
    shared: tuple[tuple[Shared, ...], ...]
    apart: int

    @property
    def slots(self) -> list[list[Seen]]:
        """The rows of every slot."""
        return [[*seen(*slot)] for slot in zip(self.windows, self.shared, strict=True)]


def frame_rows(
    scene: Scene,
    weights: Weights,
    firsts: Sequence[int],
    table: StepTable,
    legal: Legal | None,
    kept: Kept[tuple[Window, ...]],
    *,
    blends: bool,
) -> FrameRows:
    """The rows of a scene whose brushes, the background first, start in the slots `firsts`.

    `blends`: the model can serve several brushes in one row. Raises UsageError where it cannot and
    has to.
    """
    sampler, generated = scene.sampler, scene.background.generated
    slots = bootstrap_slots(sampler.bootstrap.steps, table)
    gives_back = generated and sampler.bootstrap.leak > 0
    apart = _first_blended(scene, table.slots, blends)
    windows = windows_of_slots(
        weights,
        legal,
        scene.wraps,
        kept,
        centred=slots if sampler.method == "stream" else 0,
        returns=range(firsts[0], slots) if gives_back else range(0),
        apart=apart,
        repainters=frozenset(p for p, first in enumerate(firsts) if first),
    )
    return FrameRows(windows, shared_rows(weights, legal, scene.wraps, apart), apart)


def _first_blended(scene: Scene, slots: int, possible: bool) -> int:
    """The first slot whose brushes share rows; `slots` where none do.

    Raises UsageError where they are to and the model cannot (`possible`).
    """
    sampler = scene.sampler
    asked, boot = sampler.blend_after, sampler.bootstrap.steps
    if sampler.preset == "paper" or asked == "never":
        return slots
    if not possible:
        raise UsageError(
            f"the model {scene.model.name} cannot serve several brushes in one row",
            "sampler.blend_after: never paints each by itself",
        )
    return min(boot if asked == "bootstrap" else max(asked, boot), slots)


def seen(windows: Iterable[Iterable[Window]], shared: Iterable[Shared]) -> Iterator[Seen]:
    """The rows of one slot: those of each brush by itself, then those that serve several."""
    for brush, own in enumerate(windows):
        yield from (((brush,), window) for window in own)
    yield from ((each.brushes, each.window) for each in shared)


def row_cells(slots: Iterable[Sequence[Seen]], guidance: str) -> list[int]:
    """The latent cells of every row of a frame, those of negative prompts included.

    `slots` are the rows of each, `guidance` its type.
    """
    found: list[int] = []
    begun: set[int] = set()
    for rows in slots:
        for brushes, window in rows:
            asks = guidance == "full" or (guidance == "initialize" and brushes[0] not in begun)
            found += [math.prod(window.shape)] * (1 + asks)
        begun.update(brush for brushes, _ in rows for brush in brushes)
    return found


def shared_rows(
    weights: Weights, legal: Legal | None, wraps: Wrapped, first: int
) -> tuple[tuple[Shared, ...], ...]:
    """The rows that brushes share in each slot, none before slot `first`."""
    return tuple(
        _shared(weights, slot, legal, wraps) if slot >= first else ()
        for slot in range(weights.slots)
    )


def _shared(weights: Weights, slot: int, legal: Legal | None, wraps: Wrapped) -> tuple[Shared, ...]:
    own = [weights.support(brush, slot) for brush in range(len(weights))]
    whole = (slice(0, weights.grid[0]), slice(0, weights.grid[1]))
    every = Support(weights.painted(slot), whole, weights.grid)
    return tuple(
        Shared(window, tuple(p for p, support in enumerate(own) if support.inside(window)))
        for window in windows_of(every, legal, wraps, centred=False)
    )
