"""The stream: one transition, and the two orders in which it is applied.

A *flight* is a frame on its way through the slots. `advance` moves any number of flights one slot
further in one network call; `single` takes one frame at a time, `stream` keeps one frame in every
slot (StreamDiffusion's stream batch, arXiv 2312.12491), so that each call finishes a frame. Both
give the same frames: a frame depends on the plan and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine import regions
from smd_cli.engine.contract import Backbone, Rows
from smd_cli.engine.plan import Plan
from smd_cli.engine.step import Step


@dataclass(frozen=True, eq=False)
class Flight:
    """Frame `frame` about to enter slot `slot` of its plan with latent x (C, h, w).

    `since`: its first slot under this plan; `estimate` (C, h, w) is what the slot before took for
    the finished frame, None before the first. `origins` (P, C, h, w) holds each brush's x̂ of R-CFG
    `initialize`, from its first slot on. `mixed`: it went through slots of another plan than this.
    """

    frame: int
    slot: int
    x: Tensor
    plan: Plan
    since: int = 0
    estimate: Tensor | None = None
    origins: Tensor | None = None
    mixed: bool = False

    @property
    def landed(self) -> bool:
        """Whether it is through its last slot."""
        return self.slot == self.plan.table.slots


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame after `slots` slots: its clean latents (C, h, w) and the plan of the last slot.

    Before the last slot it is a preview: the latents are what the network takes for the result.
    `mixed`: its first slots were those of another plan. `began`: the frame with which the pipe
    began to fill that it went through, None where it shared no call: on that depend last bits.
    """

    index: int
    latents: Tensor
    plan: Plan
    slots: int
    mixed: bool = False
    began: int | None = None

    @property
    def preview(self) -> bool:
        """Whether slots are still to come."""
        return self.slots < self.plan.table.slots


@dataclass(frozen=True, eq=False)
class _Views:
    """Flights of one plan with what their brushes see: x (R, C, h, w), a row each."""

    flights: Sequence[Flight]
    plan: Plan
    step: Step
    x: Tensor

    def asked(self) -> list[Rows]:
        """What the network is asked: every row, and once more with its negative prompt."""
        x = self.x
        if len(self.step.asking):
            x = torch.cat([x, x.index_select(0, self.step.asking)])
        return [call.asked(x) for call in self.step.calls]


def launch(plan: Plan, frame: int) -> Flight:
    """A frame before its first slot."""
    return Flight(frame, 0, plan.start_noise(frame), plan)


@torch.inference_mode()
def advance(backbone: Backbone, flights: Sequence[Flight]) -> list[Flight]:
    """Take every flight through its slot, all in one network call where rows agree in shape.

    Order is kept.
    """
    by_plan: dict[Plan, list[Flight]] = {}
    for flight in flights:
        by_plan.setdefault(flight.plan, []).append(flight)
    views = [_views(plan, own) for plan, own in by_plan.items()]
    asked = [seen.asked() for seen in views]
    answers = iter(_predicted(backbone, [rows for own in asked for rows in own]))
    moved: dict[Flight, Flight] = {}
    for seen, own in zip(views, asked, strict=True):
        moved |= zip(seen.flights, _landed(seen, [next(answers) for _ in own]), strict=True)
    return [moved[flight] for flight in flights]


def _views(plan: Plan, flights: Sequence[Flight]) -> _Views:
    """Every acting brush's copy of x; in a bootstrap slot with the noised plain around it."""
    step = plan.step(tuple((flight.slot, flight.since) for flight in flights))
    x = torch.stack([flight.x for flight in flights]).index_select(0, step.flight)
    if len(step.boot):
        plain = plan.noised_plains[step.slot[step.boot]]
        inside = regions.bootstrapped(x[step.boot], _row_weights(plan, step)[step.boot], plain)
        x = x.index_copy(0, step.boot, inside)
    return _Views(flights, plan, step, x)


def _row_weights(plan: Plan, step: Step) -> Tensor:
    """The weight of every row in its slot, (R, 1, h, w)."""
    return plan.weights[step.brush, step.slot]


def _predicted(backbone: Backbone, asked: Sequence[Rows]) -> list[Tensor]:
    """The network's output for each of these; those that agree share a call."""
    groups: dict[object, list[int]] = {}
    for n, rows in enumerate(asked):
        groups.setdefault(rows.key, []).append(n)
    answers: dict[int, Tensor] = {}
    for group in groups.values():
        output = backbone.predict(Rows.stack([asked[n] for n in group]))
        parts = torch.split(output, [len(asked[n]) for n in group])
        answers |= zip(group, parts, strict=True)
    return [answers[n] for n in range(len(asked))]


def _landed(seen: _Views, outputs: Sequence[Tensor]) -> list[Flight]:
    """The flights after their slot."""
    flights = seen.flights
    x0, origins = _denoised(seen, outputs)
    x, estimate = _merged(seen, x0)
    kept: Sequence[Tensor | None] = [None] * len(flights) if origins is None else origins.unbind()
    return [
        replace(flight, slot=flight.slot + 1, x=x[n], estimate=estimate[n], origins=kept[n])
        for n, flight in enumerate(flights)
    ]


def _denoised(seen: _Views, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Estimates (R, C, h, w) of the clean picture, and the flights' R-CFG origins."""
    plan, step, x = seen.plan, seen.step, seen.x
    if not outputs:
        return x, None
    output, negative = torch.split(step.answered(outputs, x), [len(x), len(step.asking)])
    guidance = plan.guidance
    if guidance.type == "full":
        output = regions.guided(output, negative, guidance.scale)
    if guidance.type in ("none", "full"):
        return regions.linear(step.table.to_denoised, x, output), None
    origins = _origins(seen, negative)
    origin = plan.background if origins is None else origins.flatten(0, 1)[step.dense]
    x0 = _residual_guided(seen, output, origin)
    return regions.linear(step.table.bounds, x, x0), origins


def _residual_guided(seen: _Views, output: Tensor, origin: Tensor) -> Tensor:
    """Clean pictures (R, C, h, w) by R-CFG, whose noise is held against that of `origin`."""
    step, x, guidance = seen.step, seen.x, seen.plan.guidance
    virtual = regions.virtual_residual(x, origin, step.table.alpha, step.table.sigma)
    noise = regions.linear(step.table.to_noise, x, output)
    noise = regions.residual_guided(noise, virtual, guidance.scale, guidance.delta)
    held = (x - step.table.sigma * noise) / step.table.alpha
    # In a slot of pure noise every e is x/σ and tells nothing: the pictures are guided there.
    plain = regions.guided(regions.linear(step.table.to_clean, x, output), origin, guidance.scale)
    return torch.where(step.table.alpha > 0, held, plain)


def _origins(seen: _Views, negative: Tensor) -> Tensor | None:
    """The clean pictures (F, P, C, h, w) that R-CFG `initialize` holds the noise against."""
    plan, step, asking = seen.plan, seen.step, seen.step.asking
    if plan.guidance.type != "initialize":
        return None
    empty = plan.background.expand(len(plan.weights), *plan.background.shape)
    known = [empty if f.origins is None else f.origins for f in seen.flights]
    origins = torch.stack(known)
    if not len(asking):
        return origins
    p, q = (part[asking] for part in step.table.to_clean)
    fresh = regions.linear((p, q), seen.x[asking], negative)
    return origins.flatten(0, 1).index_copy(0, step.dense[asking], fresh).reshape(origins.shape)


def _merged(seen: _Views, x0: Tensor) -> tuple[Tensor, Tensor]:
    """The brushes' estimates averaged by weight: noised for the next slot, and as they are.

    Both (F, C, h, w).
    """
    plan, step = seen.plan, seen.step
    weights = _kept_weights(seen, x0)
    noise = plan.slot_noise[step.later]
    alpha, sigma = step.next_alpha, step.next_sigma
    mean = regions.weighted_mean(_dense(seen, x0), weights, plan.background)
    own = _own_noise(seen, x0)
    if own is None:
        return regions.noised(mean, noise, alpha, sigma), mean
    by_row = step.flight
    each = regions.noised(x0, own, alpha[by_row], sigma[by_row])
    below = regions.noised(plan.background, noise, alpha, sigma)
    return regions.weighted_mean(_dense(seen, each), weights, below), mean


def _dense(seen: _Views, rows: Tensor) -> Tensor:
    """Rows at their flight and brush, (F, P, …); 0 where a brush does not act."""
    flights, brushes = len(seen.flights), len(seen.plan.weights)
    whole = rows.new_zeros(flights * brushes, *rows.shape[1:])
    whole.index_copy_(0, seen.step.dense, rows)
    return whole.reshape(flights, brushes, *rows.shape[1:])


def _own_noise(seen: _Views, x0: Tensor) -> Tensor | None:
    """Each brush's noise (R, C, h, w) of the next slot; None where all share one."""
    plan, step = seen.plan, seen.step
    if plan.keeps_noise:
        return regions.virtual_residual(seen.x, x0, step.table.alpha, step.table.sigma)
    if plan.brush_noise is None:
        return None
    return plan.brush_noise[step.brush, step.later[step.flight]]


def _kept_weights(seen: _Views, x0: Tensor) -> Tensor:
    """Weights (F, P, 1, h, w), less what leaks; a painted background takes that back."""
    plan, step = seen.plan, seen.step
    weights = plan.weights[:, step.slots].transpose(0, 1)
    if plan.leak <= 0 or not len(step.boot):
        return weights
    boot, rows = step.boot, _row_weights(plan, step)
    share = regions.kept_share(x0[boot], plan.noised_plains[step.slot[boot]], plan.leak)
    share = torch.where(step.leaks[:, None, None, None], share, torch.ones_like(share))
    kept = _dense(seen, rows.index_copy(0, boot, rows[boot] * share))
    if plan.returns_leak:
        kept[:, 0].add_((weights - kept).sum(dim=1))
    return kept


Plans = Callable[[int], Plan]
"""The plan of frame k: the same object as long as nothing about the frame changes."""


def single(
    plan_for: Plans,
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
) -> Iterator[Frame]:
    """Frames `first`, `first` + 1, … one by one, T calls of P rows each; endless without `frames`.

    `plan_for`, `blend` and `previews` as for `stream`.
    """
    return _run(plan_for, backbone, frames, first, _Manner(1, blend, previews))


def stream(
    plan_for: Plans,
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
) -> Iterator[Frame]:
    """Frames through the pipe: up to T frames in flight, one finished a call once it is full.

    `plan_for` is asked before every call for every frame in flight. A frame whose plan has changed
    starts again, and so do those behind it, the first of them alone, so that it comes soonest, and
    then the pipe fills. With `blend` it goes on under the new plan where that one's slots and size
    allow it, as in the published code, and is told as mixed. With `previews` a call that finishes
    no frame gives the foremost one as it looks so far. N frames of one plan cost at most N·T·P
    rows.
    """
    return _run(plan_for, backbone, frames, first, _Manner(None, blend, previews))


@dataclass(frozen=True)
class _Manner:
    """How frames are run: so many at once (None: one in every slot), and see `stream`."""

    depth: int | None
    blend: bool
    previews: bool


def _run(
    plan_for: Plans, backbone: Backbone, frames: int | None, first: int, how: _Manner
) -> Iterator[Frame]:
    flights: list[Flight] = []
    launched, end = first, None if frames is None else first + frames
    began, alone = first, False
    while flights or end is None or launched < end:
        plans = [plan_for(flight.frame) for flight in flights]
        still = [f.plan is plan for f, plan in zip(flights, plans, strict=True)]
        if how.blend:
            flights = [_carried(f, plan) for f, plan in zip(flights, plans, strict=True)]
        elif not all(still):
            flights = flights[: still.index(False)]
            launched, alone = launched - len(still) + len(flights), True
            began = launched
        if end is None or launched < end:
            plan = plan_for(launched)
            if len(flights) < (1 if alone else how.depth or plan.table.slots):
                flights = [*flights, launch(plan, launched)]
                launched += 1
        flights = advance(backbone, flights)
        done = [flight for flight in flights if flight.landed]
        flights = [flight for flight in flights if not flight.landed]
        shared = None if alone or how.depth == 1 else began
        if alone and done:
            began, alone = launched, False
        yield from (_frame(flight, shared) for flight in done)
        if how.previews and flights and not done:
            yield _frame(flights[0], shared)


def _frame(flight: Flight, began: int | None) -> Frame:
    """What a flight shows after a slot."""
    assert flight.estimate is not None
    began = began if flight.plan.table.slots > 1 else None
    return Frame(flight.frame, flight.estimate, flight.plan, flight.slot, flight.mixed, began)


def _carried(flight: Flight, plan: Plan) -> Flight:
    """A flight under the present plan of its frame: going on where that carries it, else anew."""
    if plan is flight.plan:
        return flight
    if not plan.carries(flight.plan):
        return launch(plan, flight.frame)
    return replace(flight, plan=plan, since=flight.slot, origins=None, mixed=True)


@torch.inference_mode()
def picture(frame: Frame, backbone: Backbone) -> npt.NDArray[np.uint8]:
    """Decode a frame to pixels (H, W, 3), cropped to the scene's size."""
    width, height = frame.plan.size
    decoded = backbone.decode_latents(frame.latents[None])[0, :, :height, :width]
    pixels = ((decoded.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
