"""Both ways to paint a workload: ours, and the plain baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from smd_cli.bench import plain as published
from smd_cli.bench.workloads import Order
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import picture, single, stream
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Scene
from smd_cli.work.motion import FramePlans

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A scene with its paint."""

    scene: Scene
    painted: PaintedScene

    def plan(self, planner: Planner) -> Plan:
        """The scene as the engine takes it."""
        painted = self.painted
        return planner.plan(self.scene, painted.brushes, painted.size, painted.picture)


@dataclass(frozen=True, eq=False)
class Task:
    """What is painted: so many frames of a sheet; of an edit, the `edited` sheet's first one."""

    sheet: Sheet
    order: Order
    frames: int
    edited: Sheet | None = None


Painter = Callable[[Task, Backbone], Iterator[Pixels]]
"""Gives a task's pictures. What comes before an edit is done when it is called, and the rest when
the first picture is asked for."""


def ours(task: Task, backbone: Backbone) -> Iterator[Pixels]:
    """By the engine, planned anew."""
    planner = Planner(backbone)
    return _ours_edited(task, planner) if task.order == "edit" else _ours(task, planner)


def _ours(task: Task, planner: Planner) -> Iterator[Pixels]:
    plans = FramePlans(planner, task.sheet.scene, task.sheet.painted)
    run = single if task.order == "single" else stream
    for frame in run(plans, planner.backbone, task.frames):
        yield picture(frame, planner.backbone)


def _ours_edited(task: Task, planner: Planner) -> Iterator[Pixels]:
    assert task.edited is not None
    edited, plans = task.edited, [task.sheet.plan(planner)]
    frames = stream(lambda _: plans[-1], planner.backbone)
    next(frames)

    def after() -> Iterator[Pixels]:
        plans.append(edited.plan(planner))
        yield picture(next(frames), planner.backbone)

    return after()


def plain(task: Task, backbone: Backbone) -> Iterator[Pixels]:
    """By the published algorithm as it stands."""
    return _plain_edited(task, backbone) if task.order == "edit" else _plain(task, backbone)


def _plain(task: Task, backbone: Backbone) -> Iterator[Pixels]:
    sheet = task.sheet
    painting = published.compile_painting(sheet.scene, sheet.painted, backbone)
    for latents in _latents(painting, task, backbone):
        yield published.pixels_of(latents, backbone, sheet.painted.size)


def _latents(painting: published.Painting, task: Task, backbone: Backbone) -> Iterator[Tensor]:
    """The latents (C, h, w) of a task's frames."""
    if task.order == "stream":
        return published.stream(lambda: painting, backbone, task.frames)
    return (published.single(painting, backbone, frame) for frame in range(task.frames))


def _plain_edited(task: Task, backbone: Backbone) -> Iterator[Pixels]:
    """After new masks the frames in the pipe go on; the first that is whole is the T-th."""
    assert task.edited is not None
    edited, sheet = task.edited, task.sheet
    paintings = [published.compile_painting(sheet.scene, sheet.painted, backbone)]
    slots = paintings[0].table.slots
    frames = published.stream(lambda: paintings[-1], backbone, 1 + slots)
    next(frames)

    def after() -> Iterator[Pixels]:
        weights = published.weights_of(edited.scene, edited.painted, backbone, paintings[0].table)
        paintings.append(replace(paintings[0], weights=weights))
        *_, whole = frames
        yield published.pixels_of(whole, backbone, edited.painted.size)

    return after()
