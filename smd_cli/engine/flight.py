"""The transition: flights go one slot further, as many as there are in one go.

A *flight* is a frame on its way through the slots. Letters as in `step`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smd_cli.engine import regions
from smd_cli.engine.contract import Backbone, Rows
from smd_cli.engine.plan import Plan
from smd_cli.engine.step import Group, Step, cut, joined

MOST_CELLS = 2**17
"""So many latent cells at most are in one network call, or one row: activations take memory."""

MOST_GATHERED = 2**24
"""So many numbers at most are gathered at once of all that rows say of the same cells, or one row
of cells."""


@dataclass(frozen=True, eq=False)
class Flight:
    """Frame `frame` about to enter slot `slot` of its plan with latent x (C, h, w).

    `since`: its first slot under this plan; `estimate` (C, h, w) is what the slot before took for
    the finished frame, None before the first. `origins` (P, C, h, w) holds each brush's x̂ of R-CFG
    `initialize`, from its first slot on. `mixed`: it went through slots of another plan than this.
    `drafts`: the plan that it is a draft for, where it is one.
    """

    frame: int
    slot: int
    x: Tensor
    plan: Plan
    since: int = 0
    estimate: Tensor | None = None
    origins: Tensor | None = None
    mixed: bool = False
    drafts: Plan | None = None

    @property
    def whole(self) -> Plan:
        """The plan of the frame as it will be finished."""
        return self.drafts or self.plan

    @property
    def through(self) -> bool:
        """Whether it is through its last slot under its plan."""
        return self.slot == self.plan.table.slots

    @property
    def landed(self) -> bool:
        """Whether its frame is finished."""
        return self.through and self.drafts is None


def launch(plan: Plan, frame: int) -> Flight:
    """A frame before its first slot, that of its draft where the plan has one."""
    if plan.draft is None:
        return Flight(frame, 0, plan.start_noise(frame), plan)
    return Flight(frame, 0, plan.draft.start_noise(frame), plan.draft, drafts=plan)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the rows of one group see, x (R, C, h, w)."""

    plan: Plan
    flights: Sequence[Flight]
    group: Group
    x: Tensor

    def asked(self) -> list[Rows]:
        """What the network is asked: every row, and once more with its negative prompt."""
        x = self.x
        if len(self.group.asking):
            x = torch.cat([x, x.index_select(0, self.group.asking)])
        return [call.asked(x) for call in self.group.calls]


@torch.inference_mode()
def advance(backbone: Backbone, flights: Sequence[Flight]) -> list[Flight]:
    """Take every flight through its slot, rows that agree in shape in one network call.

    Order is kept.
    """
    by_plan: dict[Plan, list[Flight]] = {}
    for flight in flights:
        by_plan.setdefault(flight.plan, []).append(flight)
    views = [_views(plan, own) for plan, own in by_plan.items()]
    asked = [[seen.asked() for seen in own] for own in views]
    answers = iter(_predicted(backbone, [rows for own in asked for one in own for rows in one]))
    moved: dict[Flight, Flight] = {}
    for (plan, own), seen, calls in zip(by_plan.items(), views, asked, strict=True):
        outputs = [[next(answers) for _ in one] for one in calls]
        moved |= zip(own, _landed(plan, own, seen, outputs), strict=True)
    return [moved[flight] for flight in flights]


def _step(plan: Plan, flights: Sequence[Flight]) -> Step:
    return plan.step(tuple((flight.slot, flight.since) for flight in flights))


def _views(plan: Plan, flights: Sequence[Flight]) -> list[_Seen]:
    """Every acting brush's view of x; in a bootstrap slot with the noised plain around it."""
    canvases = torch.stack([flight.x for flight in flights])
    return [
        _Seen(plan, flights, group, _bootstrapped(group, group.seen(canvases)))
        for group in _step(plan, flights).groups
    ]


def _bootstrapped(group: Group, x: Tensor) -> Tensor:
    if not len(group.boot):
        return x
    inside = regions.bootstrapped(x[group.boot], group.inside, group.background)
    return x.index_copy(0, group.boot, inside)


def _predicted(backbone: Backbone, asked: Sequence[Rows]) -> list[Tensor]:
    """The network's output for each of these; those that agree share a call."""
    groups: dict[object, list[int]] = {}
    for n, rows in enumerate(asked):
        groups.setdefault(rows.key, []).append(n)
    answers: dict[int, Tensor] = {}
    for group in groups.values():
        rows = Rows.stack([asked[n] for n in group])
        most = max(1, MOST_CELLS // rows.x[0, 0].numel())
        output = torch.cat([backbone.predict(part) for part in rows.split(most)])
        parts = torch.split(output, [len(asked[n]) for n in group])
        answers |= zip(group, parts, strict=True)
    return [answers[n] for n in range(len(asked))]


def _landed(
    plan: Plan,
    flights: Sequence[Flight],
    views: Sequence[_Seen],
    outputs: Sequence[Sequence[Tensor]],
) -> list[Flight]:
    """The flights after their slot."""
    origins: Tensor | None = None
    estimates = []
    for seen, answers in zip(views, outputs, strict=True):
        x0, origins = _denoised(seen, answers, origins)
        estimates.append(x0)
    x, estimate = _merged(plan, _step(plan, flights), flights, views, estimates)
    kept: Sequence[Tensor | None] = [None] * len(flights) if origins is None else origins.unbind()
    return [
        replace(flight, slot=flight.slot + 1, x=x[n], estimate=estimate[n], origins=kept[n])
        for n, flight in enumerate(flights)
    ]


def _denoised(
    seen: _Seen, outputs: Sequence[Tensor], origins: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Estimates (R, C, h, w) of the clean picture, and the flights' R-CFG origins."""
    group, x, guidance = seen.group, seen.x, seen.plan.guidance
    output, negative = torch.split(group.answered(outputs, x), [len(x), len(group.asking)])
    if guidance.type == "full":
        output = regions.guided(output, negative, guidance.scale)
    if guidance.type in ("none", "full"):
        return regions.linear(group.table.to_denoised, x, output), None
    if guidance.type == "initialize":
        origins = _origins(seen, negative, origins)
        origin = cut(origins.flatten(0, 1), group.dense, group.cells, group.shape)
    else:
        below = seen.plan.background[None]
        origin = cut(below, torch.zeros_like(group.dense), group.cells, group.shape)
    x0 = _residual_guided(seen, output, origin)
    return regions.linear(group.table.bounds, x, x0), origins


def _residual_guided(seen: _Seen, output: Tensor, origin: Tensor) -> Tensor:
    """Clean pictures (R, C, h, w) by R-CFG, whose noise is held against that of `origin`."""
    table, x, guidance = seen.group.table, seen.x, seen.plan.guidance
    virtual = regions.virtual_residual(x, origin, table.alpha, table.sigma)
    noise = regions.linear(table.to_noise, x, output)
    noise = regions.residual_guided(noise, virtual, guidance.scale, guidance.delta)
    held = (x - table.sigma * noise) / table.alpha
    # In a slot of pure noise every e is x/σ and tells nothing: the pictures are guided there.
    plain = regions.guided(regions.linear(table.to_clean, x, output), origin, guidance.scale)
    return torch.where(table.alpha > 0, held, plain)


def _origins(seen: _Seen, negative: Tensor, known: Tensor | None) -> Tensor:
    """The clean pictures (F, P, C, h, w) that R-CFG `initialize` holds the noise against.

    Its windows are whole canvases, so that an origin is known wherever its brush acts later.
    """
    plan, group, asking = seen.plan, seen.group, seen.group.asking
    if known is None:
        empty = plan.background.expand(len(plan.weights), *plan.background.shape)
        known = torch.stack([empty if f.origins is None else f.origins for f in seen.flights])
    if not len(asking):
        return known
    p, q = (part[asking] for part in group.table.to_clean)
    fresh = regions.linear((p, q), seen.x[asking], negative).flatten(2)
    places = group.cells[asking][:, None].expand_as(fresh)
    fresh = torch.empty_like(fresh).scatter_(2, places, fresh).reshape(-1, *plan.background.shape)
    return known.flatten(0, 1).index_copy(0, group.dense[asking], fresh).reshape(known.shape)


def _merged(
    plan: Plan,
    step: Step,
    flights: Sequence[Flight],
    views: Sequence[_Seen],
    estimates: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """The brushes' estimates averaged by weight: noised for the next slot, and as they are.

    Both (F, C, h, w).
    """
    mean = plan.background.expand(len(flights), *plan.background.shape)
    if not views:
        return _noised(plan, step, flights, mean), mean
    weights = _kept_weights(plan, step, views, estimates)
    mean = _averaged(step, estimates, weights, plan.background)
    if plan.preaverages:
        return _noised(plan, step, flights, mean), mean
    noise = plan.slot_noise[step.later]
    below = regions.noised(plan.background, noise, step.next_alpha, step.next_sigma)
    each = [_noised_alone(step, *pair) for pair in zip(views, estimates, strict=True)]
    return _averaged(step, each, weights, below), mean


def _averaged(step: Step, rows: Sequence[Tensor], weights: Tensor, background: Tensor) -> Tensor:
    """The mean (F, C, h, w) of all groups' rows by weights (F, J, 1, h, w), in bands of memory.

    background: (C, h, w) or (F, C, h, w).
    """
    values = joined(rows)
    height, width = background.shape[-2:]
    most = max(1, MOST_GATHERED // (len(values) * weights[..., 0, 0].numel() * width))
    bands = [slice(top, top + most) for top in range(0, height, most)]
    means = [
        regions.weighted_mean(
            step.picked(values, band), weights[..., band, :], background[..., band, :]
        )
        for band in bands
    ]
    return means[0] if len(means) == 1 else torch.cat(means, dim=-2)


def _noised(plan: Plan, step: Step, flights: Sequence[Flight], clean: Tensor) -> Tensor:
    """Clean canvases (F, C, h, w) noised for the next slot: afresh, or with the noise found."""
    if plan.keeps_noise:
        x = torch.stack([flight.x for flight in flights])
        alpha, sigma = plan.coefficients.alpha, plan.coefficients.sigma
        noise = regions.virtual_residual(x, clean, alpha[step.slots], sigma[step.slots])
    else:
        noise = plan.slot_noise[step.later]
    return regions.noised(clean, noise, step.next_alpha, step.next_sigma)


def _noised_alone(step: Step, seen: _Seen, x0: Tensor) -> Tensor:
    """A group's estimates, each noised for the next slot by itself, (R, C, h, w)."""
    group, plan = seen.group, seen.plan
    alpha, sigma = step.next_alpha[group.flight], step.next_sigma[group.flight]
    if plan.brush_noise is None:
        own = regions.virtual_residual(seen.x, x0, group.table.alpha, group.table.sigma)
    else:
        number = group.brush * plan.brush_noise.shape[1] + step.later[group.flight]
        own = cut(plan.brush_noise.flatten(0, 1), number, group.cells, group.shape)
    return regions.noised(x0, own, alpha, sigma)


def _kept_weights(
    plan: Plan, step: Step, views: Sequence[_Seen], estimates: Sequence[Tensor]
) -> Tensor:
    """Weights (F, J, 1, h, w), less what leaks; a painted background takes that back."""
    weights = step.gathered([seen.group.weights for seen in views])
    if plan.leak <= 0 or not any(len(seen.group.boot) for seen in views):
        return weights
    pairs = zip(views, estimates, strict=True)
    kept = step.gathered([_leaked(seen.group, x0, plan.leak) for seen, x0 in pairs])
    if step.shares is None:
        return kept
    return kept + step.shares * (weights - kept).sum(dim=1, keepdim=True)


def _leaked(group: Group, x0: Tensor, leak: float) -> Tensor:
    """What a group's rows keep of their weights, (R, 1, h, w)."""
    boot = group.boot
    share = regions.kept_share(x0[boot], group.background, leak)
    share = torch.where(group.leaks[:, None, None, None], share, torch.ones_like(share))
    return group.weights.index_copy(0, boot, group.weights[boot] * share)
