"""A step: what stays the same whenever flights of one plan go through the same slots.

Made once per plan and slots, on the plan's device: while a step is taken, nothing is copied between
host and device, and no row is handled by itself. Letters as in `plan`; F flights, R rows, of which
A ask their negative prompt too, and B are bootstrapped; n the cells of a row, N those of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine.blending import blended
from smd_cli.engine.contract import Conditioning, Rows
from smd_cli.engine.windows import Numbers, Window, places

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
class View:
    """A row: flight number `flight`, in `slot`, seen by `brushes`, mostly one, through `window`.

    `cells` (n,): which cells of its canvas it sees.
    """

    flight: int
    slot: int
    brushes: tuple[int, ...]
    window: Window
    cells: Numbers


@dataclass(frozen=True, eq=False)
class Call:
    """Rows that go into one network call: all of one shape and one length of text.

    `rows` (K,): which of the R + A rows of their group, None for all of them in order; `timesteps`
    (K,), `places` (K, 4) and the conditioning as in `contract.Rows`.
    """

    rows: Tensor | None
    timesteps: Tensor
    conditioning: Conditioning
    places: Tensor

    def asked(self, x: Tensor) -> Rows:
        """The call for the views x (R + A, C, h, w)."""
        x = x if self.rows is None else x.index_select(0, self.rows)
        return Rows(x, self.timesteps, self.conditioning, self.places)


@dataclass(frozen=True, eq=False)
class Group:
    """Rows whose windows have one `shape` (h, w), and that serve as many brushes each.

    `flight`, `brush`, `slot` (R,) say whose view each row is (of several brushes', the first), and
    `dense` (R,) its place among all F·P;
    `cells` (R, n): which cell of the canvas each of its own is; `weights` (R, 1, h, w): what it
    counts there; `boot` (B,) and `asking` (A,) are indices of rows. Of bootstrapped rows, (B, …):
    `inside` their brush's own weight, `background` the noised surroundings, `leaks` whether they
    can leak. `table` holds the coefficients of the rows.
    """

    shape: tuple[int, int]
    calls: tuple[Call, ...]
    flight: Tensor
    brush: Tensor
    slot: Tensor
    dense: Tensor
    cells: Tensor
    weights: Tensor
    boot: Tensor
    asking: Tensor
    inside: Tensor
    background: Tensor
    leaks: Tensor
    table: Coefficients

    def seen(self, canvases: Tensor) -> Tensor:
        """What the rows see of canvases (F, C, H, W), one a flight: (R, C, h, w)."""
        return cut(canvases, self.flight, self.cells, self.shape)

    def answered(self, outputs: Sequence[Tensor], like: Tensor) -> Tensor:
        """What the calls gave, as (R + A, C, h, w) in the order of the rows."""
        if len(outputs) == 1 and self.calls[0].rows is None:
            return outputs[0]
        whole = like.new_zeros(sum(map(len, outputs)), *like.shape[1:])
        for call, part in zip(self.calls, outputs, strict=True):
            assert call.rows is not None
            whole.index_copy_(0, call.rows, part)
        return whole


@dataclass(frozen=True, eq=False)
class Step:
    """The rows of a step, by the shape of their windows, and how they come together.

    Every cell of every canvas (H, W) is seen by J rows at most: `sources` (F, J, H, W) says by
    which cells of the rows, counted through all groups, and N where there are no more; `shares`
    (F, J, 1, H, W) is what the background's own count of what others give back to it, None where
    nothing is. `slots` and `later` (F,): the flights' slots and the next ones (0 after
    the last); `next_alpha` and `next_sigma` (F, 1, 1, 1) are theirs.
    """

    groups: tuple[Group, ...]
    sources: Tensor
    shares: Tensor | None
    slots: Tensor
    later: Tensor
    next_alpha: Tensor
    next_sigma: Tensor

    def gathered(self, rows: Sequence[Tensor]) -> Tensor:
        """Values of all groups' rows, (R, C, h, w) each, where the canvases have them.

        (F, J, C, H, W), and 0 where fewer than J rows see a cell.
        """
        return self.picked(joined(rows), slice(None))

    def picked(self, values: Tensor, band: slice) -> Tensor:
        """The same for a band of the canvases' rows, from the `joined` values of all groups."""
        sources = self.sources[:, :, band]
        found = values.index_select(1, sources.flatten())
        return found.reshape(len(values), *sources.shape).permute(1, 2, 0, 3, 4)


def joined(rows: Sequence[Tensor]) -> Tensor:
    """Values of all groups' rows, (R, C, h, w) each, and a 0 behind them: (C, N + 1)."""
    channels = rows[0].shape[1]
    flat = [part.transpose(0, 1).reshape(channels, -1) for part in rows]
    return torch.cat([*flat, flat[0].new_zeros(channels, 1)], dim=1)


def cut(canvases: Tensor, number: Tensor, cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """The `cells` (R, n) of canvases (…, C, H, W), each row of that `number` (R,): (R, C, h, w)."""
    channels, height, width = canvases.shape[-3:]
    flat = canvases.transpose(0, 1).reshape(channels, -1)
    places = number[:, None] * (height * width) + cells
    found = flat.index_select(1, places.flatten()).reshape(channels, len(cells), *shape)
    return found.transpose(0, 1).contiguous()


def make_step(plan: Plan, at: Sequence[At]) -> Step:
    """The step of flights at these slots."""
    views = [
        View(flight, slot, brushes, window, _cells(window, plan.sides))
        for flight, (slot, _) in enumerate(at)
        for brushes, window in plan.seen_in(slot)
    ]
    shaped: dict[tuple[tuple[int, int], int], list[View]] = {}
    for view in views:
        shaped.setdefault((view.window.shape, len(view.brushes)), []).append(view)
    groups = tuple(_group(plan, shape, own, at) for (shape, _), own in shaped.items())
    ordered = [view for own in shaped.values() for view in own]
    slots = [slot for slot, _ in at]
    flights = plan.indices(slots)
    sources, shares = _meeting(plan, ordered, slots)
    whole = (*sources.shape[:2], *plan.sides)
    return Step(
        groups=groups,
        sources=plan.indices(sources).reshape(whole),
        shares=None if shares is None else plan.beside(shares).reshape(whole)[:, :, None],
        slots=flights,
        later=plan.indices([(slot + 1) % plan.table.slots for slot in slots]),
        next_alpha=plan.coefficients.next_alpha[flights],
        next_sigma=plan.coefficients.next_sigma[flights],
    )


def _group(plan: Plan, shape: tuple[int, int], views: Sequence[View], at: Sequence[At]) -> Group:
    asking = [n for n, view in enumerate(views) if _asks_negative(plan, view, at[view.flight][1])]
    boots = [n for n, view in enumerate(views) if plan.bootstraps(view.slot, view.brushes[0])]
    slot = plan.indices([view.slot for view in views])
    brushes = plan.indices([view.brushes for view in views])
    cells = plan.indices(np.stack([view.cells for view in views]))
    boot = plan.indices(boots)
    each = plan.beside(np.stack([_weights(plan, view) for view in views]))
    masks = each.sum(dim=1, keepdim=True)
    shares = plan.beside(np.stack([view.window.share for view in views]))
    return Group(
        shape=shape,
        calls=_calls(plan, views, asking, each),
        flight=plan.indices([view.flight for view in views]),
        brush=brushes[:, 0],
        slot=slot,
        dense=plan.indices([v.flight * len(plan.weights) + v.brushes[0] for v in views]),
        cells=cells,
        weights=masks * shares[:, None],
        boot=boot,
        asking=plan.indices(asking),
        inside=masks[boot],
        background=cut(plan.noised_backgrounds, slot[boot], cells[boot], shape),
        leaks=plan.indices(
            [not (plan.returns_leak and 0 in views[n].brushes) for n in boots]
        ).bool(),
        table=plan.coefficients.at(slot),
    )


def _weights(plan: Plan, view: View) -> npt.NDArray[np.float32]:
    """What a view's brushes weigh where it looks, (P, h, w)."""
    return np.stack([plan.weights.cut(p, view.slot, view.window) for p in view.brushes])


def _cells(window: Window, sides: tuple[int, int]) -> Numbers:
    """Which cells of a canvas (H, W) a window sees, (n,); over an edge it goes on at the other."""
    down, across = (places(*pair) for pair in zip(window.strips, sides, strict=True))
    return (down[:, None] * sides[1] + across).ravel()


def _meeting(
    plan: Plan, views: Sequence[View], slots: Sequence[int]
) -> tuple[Numbers, npt.NDArray[np.float32] | None]:
    """The step's `sources` and `shares` of views in the order of their groups."""
    count = plan.sides[0] * plan.sides[1]
    depth = np.zeros((len(slots), count), dtype=np.int64)
    for view in views:
        depth[view.flight, view.cells] += 1
    total = sum(len(view.cells) for view in views)
    sources = np.full((len(slots), int(depth.max(initial=0)), count), total, dtype=np.int64)
    gives = plan.leak > 0 and plan.returns_leak and min(slots) < plan.bootstrap_slots
    shares = np.zeros(sources.shape, dtype=np.float32) if gives else None
    depth[:] = 0
    first = 0
    for view in views:
        place = view.flight, depth[view.flight, view.cells], view.cells
        sources[place] = np.arange(first, first + len(view.cells))
        if shares is not None and 0 in view.brushes:
            shares[place] = view.window.share.ravel()
        depth[view.flight, view.cells] += 1
        first += len(view.cells)
    return sources, shares


def _asks_negative(plan: Plan, view: View, since: int) -> bool:
    """Whether a row needs its negative prompt evaluated as well.

    R-CFG `initialize` asks once under each plan: in the first slot in which the brush acts.
    """
    if plan.guidance.type == "initialize":
        [brush] = view.brushes
        return not any(brush in plan.acting[early] for early in range(since, view.slot))
    return plan.guidance.type == "full"


def _calls(
    plan: Plan, views: Sequence[View], asking: Sequence[int], weights: Tensor
) -> tuple[Call, ...]:
    """The calls for views of one shape, and for the negative prompts of those asking.

    `weights` (R, P, h, w): what each view's brushes count where it looks.
    """
    told = [_told(plan.conditioning, *pair) for pair in zip(views, weights, strict=True)]
    if asking:
        assert plan.negative is not None
        told += [_told(plan.negative, views[n], weights[n]) for n in asking]
    seen = [*views, *(views[n] for n in asking)]
    alike: dict[object, list[int]] = {}
    for n, conditioning in enumerate(told):
        alike.setdefault(conditioning.key, []).append(n)
    return tuple(
        Call(
            rows=None if len(alike) == 1 else plan.indices(rows),
            timesteps=plan.beside(_times([plan.table.timesteps[seen[n].slot] for n in rows])),
            conditioning=Conditioning.stack([told[n] for n in rows]),
            places=plan.indices([_place(plan, seen[n].window) for n in rows]),
        )
        for rows in alike.values()
    )


def _told(prompts: Sequence[Conditioning], view: View, weights: Tensor) -> Conditioning:
    own = [prompts[brush] for brush in view.brushes]
    return own[0] if len(own) == 1 else blended(own, weights)


def _times(timesteps: Sequence[float]) -> npt.NDArray[Any]:
    """Timesteps as a network takes them: whole numbers as such."""
    whole = all(isinstance(tau, int) for tau in timesteps)
    return np.array(timesteps, dtype=np.int64 if whole else np.float32)


def _place(plan: Plan, window: Window) -> tuple[int, ...]:
    """Top, left, height and width in pixels; a window as large as its canvas lies at its corner."""
    corner = (0, 0) if window.shape == plan.sides else window.corner
    return tuple(cells * plan.factor for cells in (*corner, *window.shape))
