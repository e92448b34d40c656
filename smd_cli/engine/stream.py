"""The stream: one transition, and the two orders in which it is applied.

A *flight* is a frame on its way through the slots. `advance` moves any number of flights one slot
further in one network call; `single` takes one frame at a time, `stream` keeps one frame in every
slot (StreamDiffusion's stream batch, arXiv 2312.12491), so that each call finishes a frame. Both
give the same frames: a frame depends on the plan and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.backbone.contract import Backbone, Conditioning
from smd_cli.engine import regions
from smd_cli.engine.plan import Plan


@dataclass(frozen=True, eq=False)
class Flight:
    """Frame `frame` about to enter slot `slot` with latent x (C, h, w).

    `estimate` (C, h, w) is what the slot before took for the finished frame, None before the first.
    `origins` holds each brush's x̂ (C, h, w) of R-CFG `initialize`, from its first slot on. `mixed`:
    it went through slots of another plan than the present one.
    """

    frame: int
    slot: int
    x: Tensor
    estimate: Tensor | None = None
    origins: Mapping[int, Tensor] = field(default_factory=dict)
    mixed: bool = False


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
class _View:
    """What one brush shows the network of one flight: a row of the call."""

    flight: Flight
    brush: int
    x: Tensor
    shift: tuple[int, int] = (0, 0)
    plain: Tensor | None = None


def launch(plan: Plan, frame: int) -> Flight:
    """A frame before its first slot."""
    return Flight(frame, 0, plan.start_noise(frame))


@torch.inference_mode()
def advance(plan: Plan, backbone: Backbone, flights: Sequence[Flight]) -> list[Flight]:
    """Take every flight through its slot, all in one network call; order is kept."""
    views = [_view(plan, f, brush) for f in flights for brush in plan.acting[f.slot]]
    x0, origins = _denoise(plan, backbone, views) if views else (torch.empty(0), {})
    landed = []
    for flight in flights:
        own = [n for n, view in enumerate(views) if view.flight is flight]
        x, estimate = _merge(plan, flight.slot, [views[n] for n in own], [x0[n] for n in own])
        found = {views[n].brush: origins[n] for n in own if n in origins}
        known, slot = {**flight.origins, **found}, flight.slot + 1
        landed.append(Flight(flight.frame, slot, x, estimate, known, flight.mixed))
    return landed


def _view(plan: Plan, flight: Flight, brush: int) -> _View:
    """A brush's copy of x; in a bootstrap slot with the noised plain around it, and centred."""
    slot = flight.slot
    if slot >= plan.bootstrap_slots:
        return _View(flight, brush, flight.x)
    alpha, sigma = plan.table.alphas[slot], plan.table.sigmas[slot]
    plain = regions.noised(plan.plains[slot], plan.slot_noise[0], alpha, sigma)
    x = regions.bootstrapped(flight.x, plan.weights[brush, slot], plain)
    return _View(flight, brush, x, plan.shifts[slot][brush], plain)


def _denoise(
    plan: Plan, backbone: Backbone, views: Sequence[_View]
) -> tuple[Tensor, dict[int, Tensor]]:
    """Denoised estimates (R, C, h, w) of all views, and new R-CFG origins by row."""
    x = torch.stack([view.x for view in views])
    asking = [n for n, view in enumerate(views) if _asks_negative(plan, view)]
    output, negative = _predict(plan, backbone, views, asking)
    slots = [view.flight.slot for view in views]
    alpha, sigma = _column(plan.table.alphas, slots, x), _column(plan.table.sigmas, slots, x)
    kind, scale = plan.table.prediction, plan.guidance.scale
    origins: dict[int, Tensor] = {}
    if plan.guidance.type == "full":
        output = regions.guided(output, negative, scale)
    if plan.guidance.type == "initialize":
        a, s = alpha[asking], sigma[asking]
        fresh = regions.to_x0(negative, x[asking], a, s, kind)
        origins = dict(zip(asking, fresh, strict=True))
    x0 = regions.to_x0(output, x, alpha, sigma, kind)
    if plan.guidance.type in ("self", "initialize"):
        origin = torch.stack([_origin(plan, view, origins.get(n)) for n, view in enumerate(views)])
        virtual = regions.virtual_residual(x, origin, alpha, sigma)
        positive = regions.to_epsilon(output, x, alpha, sigma, kind)
        held = regions.residual_guided(positive, virtual, scale, plan.guidance.delta)
        held = regions.to_x0(held, x, alpha, sigma, "epsilon")
        # In a slot of pure noise every e is x/σ and tells nothing: the pictures are guided there.
        x0 = torch.where(alpha > 0, held, regions.guided(x0, origin, scale))
    c_skip, c_out = _column(plan.table.c_skip, slots, x), _column(plan.table.c_out, slots, x)
    return c_out * x0 + c_skip * x, origins


def _predict(
    plan: Plan, backbone: Backbone, views: Sequence[_View], asking: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The network's output for all views and for the negative rows of those `asking`, unrolled."""
    rows = [*views, *(views[n] for n in asking)]
    x = torch.stack([torch.roll(view.x, view.shift, (1, 2)) for view in rows])
    taus = torch.tensor([plan.table.timesteps[view.flight.slot] for view in rows], device=x.device)
    conditioning = plan.conditioning.rows([view.brush for view in views])
    if asking:
        assert plan.negative is not None
        negative = plan.negative.rows([views[n].brush for n in asking])
        conditioning = Conditioning.stack([conditioning, negative])
    output = backbone.predict(x, taus, conditioning)
    back = [
        torch.roll(row, (-view.shift[0], -view.shift[1]), (1, 2))
        for row, view in zip(output, rows, strict=True)
    ]
    output = torch.stack(back)
    return output[: len(views)], output[len(views) :]


def _asks_negative(plan: Plan, view: _View) -> bool:
    """Whether a row needs its negative prompt evaluated as well."""
    if plan.guidance.type == "initialize":
        return view.brush not in view.flight.origins
    return plan.guidance.type == "full"


def _origin(plan: Plan, view: _View, fresh: Tensor | None) -> Tensor:
    """The clean picture x̂ that R-CFG holds a brush's noise against."""
    if plan.guidance.type == "self":
        return plan.background
    return view.flight.origins[view.brush] if fresh is None else fresh


def _merge(
    plan: Plan, slot: int, views: Sequence[_View], x0: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """The brushes' estimates averaged by weight: noised for the next slot, and as they are.

    Both (C, h, w).
    """
    weights = _kept_weights(plan, slot, views, x0)
    last = slot + 1 == plan.table.slots
    alpha = 1.0 if last else plan.table.alphas[slot + 1]
    sigma = 0.0 if last else plan.table.sigmas[slot + 1]
    noise = plan.slot_noise[0 if last else slot + 1]
    below = regions.noised(plan.background, noise, alpha, sigma)
    if not views:
        return below, plan.background
    values = torch.stack(list(x0))
    mean = regions.weighted_mean(values, weights, plan.background)
    own = _own_noise(plan, slot, views, values)
    if own is None:
        return regions.noised(mean, noise, alpha, sigma), mean
    each = regions.noised(values, own, alpha, sigma)
    return regions.weighted_mean(each, weights, below), mean


def _own_noise(plan: Plan, slot: int, views: Sequence[_View], x0: Tensor) -> Tensor | None:
    """Each brush's noise (R, C, h, w) of the next slot; None where all share one."""
    if plan.keeps_noise:
        x = torch.stack([view.x for view in views])
        return regions.virtual_residual(x, x0, plan.table.alphas[slot], plan.table.sigmas[slot])
    if plan.brush_noise is None:
        return None
    return plan.brush_noise[[view.brush for view in views], (slot + 1) % plan.table.slots]


def _kept_weights(plan: Plan, slot: int, views: Sequence[_View], x0: Sequence[Tensor]) -> Tensor:
    """Weights (R, 1, h, w) of a slot, less what leaks; a painted background takes that back."""
    weights = plan.weights[[view.brush for view in views], slot]
    if plan.leak <= 0 or slot >= plan.bootstrap_slots:
        return weights
    kept = []
    for view, estimate, weight in zip(views, x0, weights, strict=True):
        below = plan.returns_leak and view.brush == 0
        assert view.plain is not None
        share = 1.0 if below else regions.kept_share(estimate, view.plain, plan.leak)
        kept.append(weight * share)
    stacked = torch.stack(kept)
    if plan.returns_leak and views[0].brush == 0:
        stacked[0] = stacked[0] + (weights - stacked).sum(dim=0)
    return stacked


def _column(values: Sequence[float], slots: Sequence[int], like: Tensor) -> Tensor:
    """One number of the step table a row, shaped (R, 1, 1, 1)."""
    picked = [values[slot] for slot in slots]
    return torch.tensor(picked, dtype=like.dtype, device=like.device)[:, None, None, None]


def single(
    latest: Callable[[], Plan],
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
) -> Iterator[Frame]:
    """Frames `first`, `first` + 1, … one by one, T calls of P rows each; endless without `frames`.

    `latest`, `blend` and `previews` as for `stream`.
    """
    return _run(latest, backbone, frames, first, _Manner(1, blend, previews))


def stream(
    latest: Callable[[], Plan],
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
) -> Iterator[Frame]:
    """Frames through the pipe: up to T frames in flight, one finished a call once it is full.

    `latest` is asked before every call. Under a new plan the frames in flight start again, the
    first of them alone, so that it comes soonest, and then the pipe fills. With `blend` they go on
    under the new plan where its slots and size allow it, as in the published code, and are told as
    mixed. With `previews` a call that finishes no frame gives the foremost one as it looks so far.
    N frames of one plan cost at most N·T·P rows.
    """
    return _run(latest, backbone, frames, first, _Manner(None, blend, previews))


@dataclass(frozen=True)
class _Manner:
    """How frames are run: so many at once (None: one in every slot), and see `stream`."""

    depth: int | None
    blend: bool
    previews: bool


def _run(
    latest: Callable[[], Plan], backbone: Backbone, frames: int | None, first: int, how: _Manner
) -> Iterator[Frame]:
    plan: Plan | None = None
    flights: list[Flight] = []
    launched, end = first, None if frames is None else first + frames
    began, alone = first, False
    while flights or end is None or launched < end:
        fresh = latest()
        if plan is not None and fresh is not plan:
            launched -= 0 if how.blend else len(flights)
            flights = _carried(flights, plan, fresh) if how.blend else []
            alone = not how.blend
            began = began if how.blend else launched
        plan = fresh
        depth = 1 if alone else how.depth or plan.table.slots
        if len(flights) < depth and (end is None or launched < end):
            flights = [*flights, launch(plan, launched)]
            launched += 1
        flights = advance(plan, backbone, flights)
        done = [flight for flight in flights if flight.slot == plan.table.slots]
        flights = flights[len(done) :]
        shared = None if depth == 1 else began
        if alone and done:
            began, alone = launched, False
        yield from (_frame(flight, plan, shared) for flight in done)
        if how.previews and flights and not done:
            yield _frame(flights[0], plan, shared)


def _frame(flight: Flight, plan: Plan, began: int | None) -> Frame:
    """What a flight shows after a slot."""
    assert flight.estimate is not None
    return Frame(flight.frame, flight.estimate, plan, flight.slot, flight.mixed, began)


def _carried(flights: list[Flight], old: Plan, new: Plan) -> list[Flight]:
    """The flights under a new plan: going on where it carries them, else started again."""
    if new.carries(old):
        return [replace(flight, origins={}, mixed=True) for flight in flights]
    return [launch(new, flight.frame) for flight in flights]


@torch.inference_mode()
def picture(frame: Frame, backbone: Backbone) -> npt.NDArray[np.uint8]:
    """Decode a frame to pixels (H, W, 3), cropped to the scene's size."""
    width, height = frame.plan.size
    decoded = backbone.decode_latents(frame.latents[None])[0, :, :height, :width]
    pixels = ((decoded.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
