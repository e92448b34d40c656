"""A step: what stays the same whenever flights of one plan go through the same slots.

Made once per plan and slots, on the plan's device: while a step is taken, nothing is copied between
host and device, and no row is handled by itself. Letters as in `plan`; F flights, R rows, of which
N ask their negative prompt too, and B are bootstrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from smd_cli.engine.contract import Conditioning, Rows

if TYPE_CHECKING:
    from smd_cli.engine.plan import Plan

At = tuple[int, int]
"""A flight's slot, and the slot since which it has gone under its plan."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """A step table on the device, (T, 1, 1, 1) each, or the slots of some rows; see `StepTable`."""

    alpha: Tensor
    sigma: Tensor
    next_alpha: Tensor
    next_sigma: Tensor
    to_denoised: tuple[Tensor, Tensor]
    to_clean: tuple[Tensor, Tensor]
    to_noise: tuple[Tensor, Tensor]
    bounds: tuple[Tensor, Tensor]

    def at(self, rows: Tensor) -> Coefficients:
        """Those of some slots or rows, by their indices; one may be taken more than once."""

        def pair(columns: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return columns[0][rows], columns[1][rows]

        return Coefficients(
            alpha=self.alpha[rows],
            sigma=self.sigma[rows],
            next_alpha=self.next_alpha[rows],
            next_sigma=self.next_sigma[rows],
            to_denoised=pair(self.to_denoised),
            to_clean=pair(self.to_clean),
            to_noise=pair(self.to_noise),
            bounds=pair(self.bounds),
        )


@dataclass(frozen=True, eq=False)
class Call:
    """Rows that go into one network call: all of one shape and one length of text.

    `rows` (K,): which of the R + N rows, None for all of them in order; `timesteps` (K,), `places`
    (K, 4) and the conditioning as in `contract.Rows`. `there` and `back` (K, 1, h·w): for every
    cell the one that it is fetched from, to the network and back; None where nothing moves.
    """

    rows: Tensor | None
    timesteps: Tensor
    conditioning: Conditioning
    places: Tensor
    there: Tensor | None
    back: Tensor | None

    def asked(self, x: Tensor) -> Rows:
        """The call for the views x (R + N, C, h, w)."""
        x = x if self.rows is None else x.index_select(0, self.rows)
        return Rows(_moved(x, self.there), self.timesteps, self.conditioning, self.places)


@dataclass(frozen=True, eq=False)
class Step:
    """Indices and coefficients of one step.

    `flight`, `brush`, `slot` (R,) say whose view each row is; `dense` (R,) its place among all F·P;
    `boot` (B,) and `asking` (N,) are indices of rows. `table` holds the coefficients of the rows.
    `slots` and `later` (F,): the flights' slots and the next ones (0 after the last); `next_alpha`
    and `next_sigma` (F, 1, 1, 1) are theirs. `leaks` (B,): which bootstrapped rows can leak.
    """

    calls: tuple[Call, ...]
    flight: Tensor
    brush: Tensor
    slot: Tensor
    dense: Tensor
    boot: Tensor
    asking: Tensor
    leaks: Tensor
    slots: Tensor
    later: Tensor
    table: Coefficients
    next_alpha: Tensor
    next_sigma: Tensor

    def answered(self, outputs: Sequence[Tensor], like: Tensor) -> Tensor:
        """What the calls gave, as (R + N, C, h, w) in the order of the rows."""
        moved = [_moved(out, c.back) for out, c in zip(outputs, self.calls, strict=True)]
        if len(moved) == 1 and self.calls[0].rows is None:
            return moved[0]
        whole = like.new_zeros(sum(map(len, moved)), *like.shape[1:])
        for call, part in zip(self.calls, moved, strict=True):
            assert call.rows is not None
            whole.index_copy_(0, call.rows, part)
        return whole


def make_step(plan: Plan, at: Sequence[At]) -> Step:
    """The step of flights at these slots."""
    views = [(f, brush) for f, (slot, _) in enumerate(at) for brush in plan.acting[slot]]
    asking = [n for n, (f, brush) in enumerate(views) if _asks_negative(plan, brush, *at[f])]
    slot = [at[f][0] for f, _ in views]
    boot = [n for n, s in enumerate(slot) if s < plan.bootstrap_slots]
    slots = [s for s, _ in at]
    rows = plan.indices(slot)
    flights = plan.indices(slots)
    own = plan.coefficients
    return Step(
        calls=_calls(plan, [(brush, s) for (_, brush), s in zip(views, slot, strict=True)], asking),
        flight=plan.indices([f for f, _ in views]),
        brush=plan.indices([brush for _, brush in views]),
        slot=rows,
        dense=plan.indices([f * len(plan.weights) + brush for f, brush in views]),
        boot=plan.indices(boot),
        asking=plan.indices(asking),
        leaks=plan.indices([not (plan.returns_leak and views[n][1] == 0) for n in boot]).bool(),
        slots=flights,
        later=plan.indices([(s + 1) % plan.table.slots for s in slots]),
        table=own.at(rows),
        next_alpha=own.next_alpha[flights],
        next_sigma=own.next_sigma[flights],
    )


def _asks_negative(plan: Plan, brush: int, slot: int, since: int) -> bool:
    """Whether a row needs its negative prompt evaluated as well.

    R-CFG `initialize` asks once under each plan: in the first slot in which the brush acts.
    """
    if plan.guidance.type == "initialize":
        return not any(brush in plan.acting[earlier] for earlier in range(since, slot))
    return plan.guidance.type == "full"


def _calls(plan: Plan, views: Sequence[tuple[int, int]], asking: Sequence[int]) -> tuple[Call, ...]:
    """The calls for views (brush, slot) and for the negative prompts of those asking."""
    told = [plan.conditioning[brush] for brush, _ in views]
    if asking:
        assert plan.negative is not None
        told += [plan.negative[views[n][0]] for n in asking]
    seen = [*views, *(views[n] for n in asking)]
    groups: dict[object, list[int]] = {}
    for n, conditioning in enumerate(told):
        groups.setdefault(conditioning.key, []).append(n)
    return tuple(
        _call(plan, [seen[n] for n in rows], [told[n] for n in rows], rows, len(groups) == 1)
        for rows in groups.values()
    )


def _call(
    plan: Plan,
    views: Sequence[tuple[int, int]],
    told: Sequence[Conditioning],
    rows: Sequence[int],
    alone: bool,
) -> Call:
    height, width = plan.background.shape[-2:]
    boot = plan.bootstrap_slots
    shifts = [plan.shifts[slot][p] if slot < boot else (0, 0) for p, slot in views]
    taus = [plan.table.timesteps[slot] for _, slot in views]
    place = plan.indices([0, 0, height * plan.factor, width * plan.factor])
    return Call(
        rows=None if alone else plan.indices(rows),
        timesteps=plan.indices(taus),
        conditioning=Conditioning.stack(told),
        places=place.expand(len(views), 4),
        there=_sources(plan, shifts, 1),
        back=_sources(plan, shifts, -1),
    )


def _sources(plan: Plan, shifts: Sequence[tuple[int, int]], sign: int) -> Tensor | None:
    """For every cell of every row the cell that lands there when the row is rolled, (K, 1, h·w)."""
    if not any(map(any, shifts)):
        return None
    height, width = plan.background.shape[-2:]
    down, right = (plan.indices([sign * shift[n] for shift in shifts]) for n in (0, 1))
    y = (torch.arange(height, device=down.device) - down[:, None]) % height
    x = (torch.arange(width, device=down.device) - right[:, None]) % width
    return (y[:, :, None] * width + x[:, None, :]).flatten(1)[:, None]


def _moved(x: Tensor, sources: Tensor | None) -> Tensor:
    """Rows (K, C, h, w) with every cell fetched from its source."""
    if sources is None:
        return x
    flat = x.flatten(2)
    return flat.gather(2, sources.expand(-1, flat.shape[1], -1)).reshape(x.shape)
