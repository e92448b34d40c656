"""The stream: the two orders in which the transition is applied.

`single` takes one frame at a time, `stream` keeps one frame in every slot (StreamDiffusion's stream
batch, arXiv 2312.12491), so that each step finishes a frame. Both give the same frames: a frame
depends on the plan and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine.contract import Backbone
from smd_cli.engine.flight import Flight, advance, launch
from smd_cli.engine.plan import Plan
from smd_cli.engine.refine import enlarged
from smd_cli.scene.paint.photo import Photo


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


class DroppedError(Exception):
    """Raised from a network call: a plan has changed, so what the step has come to is not wanted.

    The stream asks for the plans again, and takes the step anew.
    """


Plans = Callable[[int], Plan]
"""The plan of frame k: the same object as long as nothing about the frame changes."""

Skipping = Callable[[int], bool]
"""Whether frame k is left out."""


def single(
    plan_for: Plans,
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
    skips: Skipping | None = None,
) -> Iterator[Frame]:
    """Frames `first`, `first` + 1, … one by one, T calls of P rows each; endless without `frames`.

    `plan_for`, `blend`, `previews` and `skips` as for `stream`.
    """
    return _run(plan_for, backbone, frames, first, _Order(1, blend, previews, skips))


def stream(
    plan_for: Plans,
    backbone: Backbone,
    frames: int | None = None,
    *,
    first: int = 0,
    blend: bool = False,
    previews: bool = False,
    skips: Skipping | None = None,
) -> Iterator[Frame]:
    """Frames through the pipe: up to T frames in flight, one finished a call once it is full.

    `plan_for` is asked before every call for every frame in flight. A frame whose plan has changed
    starts again, and so do those behind it, the first of them alone, so that it comes soonest, and
    then the pipe fills. With `blend` it goes on under the new plan where that one's slots and size
    allow it, as in the published code, and is told as mixed. With `previews` a call that finishes
    no frame gives the foremost one as it looks so far. N frames of one plan cost at most N·T·P
    rows. Those that are skipped cost none: of them nothing comes.
    """
    return _run(plan_for, backbone, frames, first, _Order(None, blend, previews, skips))


@dataclass(frozen=True)
class _Order:
    """How frames are run: so many at once (None: one in every slot), and see `stream`."""

    depth: int | None
    blend: bool
    previews: bool
    skips: Skipping | None

    def following(self, frame: int, end: int | None) -> int:
        """The first frame from `frame` on that is not skipped; `end` where there is none."""
        while self.skips and frame != end and self.skips(frame):
            frame += 1
        return frame


def _run(
    plan_for: Plans, backbone: Backbone, frames: int | None, first: int, how: _Order
) -> Iterator[Frame]:
    flights: list[Flight] = []
    launched, end = first, None if frames is None else first + frames
    began, alone = first, False
    while flights or end is None or launched < end:
        plans = [plan_for(flight.frame) for flight in flights]
        still = [f.whole is plan for f, plan in zip(flights, plans, strict=True)]
        if how.blend:
            flights = [_carried(f, plan) for f, plan in zip(flights, plans, strict=True)]
        elif not all(still):
            kept = still.index(False)
            began = launched = flights[kept].frame
            flights, alone = flights[:kept], True
        launched = how.following(launched, end)
        if end is None or launched < end:
            plan = plan_for(launched)
            if len(flights) < (1 if alone else how.depth or plan.passes):
                flights = [*flights, launch(plan, launched)]
                launched += 1
        try:
            flights = advance(backbone, flights)
        except DroppedError:
            continue
        flights = [enlarged(backbone, f) if f.through and f.drafts else f for f in flights]
        done = [flight for flight in flights if flight.landed]
        flights = [flight for flight in flights if not flight.landed]
        shared = None if alone or how.depth == 1 else began
        if alone and done:
            began, alone = launched, False
        yield from (_frame(flight, shared) for flight in done)
        if how.previews and flights and not done and flights[0].drafts is None:
            yield _frame(flights[0], shared)


def _frame(flight: Flight, began: int | None) -> Frame:
    """What a flight shows after a slot."""
    assert flight.estimate is not None
    began = began if flight.plan.passes > 1 else None
    return Frame(flight.frame, flight.estimate, flight.plan, flight.slot, flight.mixed, began)


def _carried(flight: Flight, plan: Plan) -> Flight:
    """A flight under the present plan of its frame: going on where that carries it, else anew."""
    if plan is flight.whole:
        return flight
    if not plan.carries(flight.whole):
        return launch(plan, flight.frame)
    return replace(flight, plan=plan, since=flight.slot, origins=None, mixed=True)


def picture(frame: Frame, backbone: Backbone) -> npt.NDArray[np.uint8]:
    """What a finished frame looks like: pixels (H, W, 3) in sRGB."""
    return finished(frame, backbone).seen


def finished(frame: Frame, backbone: Backbone) -> Photo:
    """Decode a frame to what is written of it: laid into the scene's picture, if there is one."""
    return begin_picture(frame, backbone)()


@torch.inference_mode()
def begin_picture(frame: Frame, backbone: Backbone) -> Callable[[], Photo]:
    """Begin to decode a frame; what this gives waits for it, in whatever thread.

    CUDA goes on with the network meanwhile. Elsewhere all is done at once: on a CPU decoding in
    another thread would take the cores from the network, which has use for all.
    """
    width, height = frame.plan.size
    finish = _levels if frame.plan.paste is None else _light
    decoded = backbone.decode_latents(frame.latents[None], frame.plan.wraps, finish)
    light = decoded[0, :, :height, :width].permute(1, 2, 0)
    if not light.is_cuda:
        made = light.cpu().numpy()
        return lambda: _laid(frame, made)
    copied = light.contiguous().to("cpu", non_blocking=True)  # to where the device can write
    ready = torch.cuda.current_stream(light.device).record_event()

    def wait() -> Photo:
        ready.synchronize()
        return _laid(frame, copied.numpy())

    return wait


def _levels(pictures: Tensor) -> Tensor:
    """Pictures around -1..1 as levels of 8 bits."""
    return _of_255(pictures).round_().to(torch.uint8)


def _light(pictures: Tensor) -> Tensor:
    """Pictures around -1..1 as light in 0..1."""
    return _of_255(pictures).div_(255)


def _of_255(pictures: Tensor) -> Tensor:
    return pictures.float().clamp(-1, 1).add_(1).mul_(127.5)


def _laid(frame: Frame, light: npt.NDArray[Any]) -> Photo:
    """Pixels (H, W, 3) as a photo, or light in 0..1 laid into that of the scene."""
    paste = frame.plan.paste
    return Photo(light) if paste is None else paste.laid(light, frame.index)
