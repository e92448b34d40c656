"""Small scenes for the engine's tests, and their plans."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from dense import boxed, weighed

from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Background, Bootstrap, Brush, Output, Sampler, Scene

from . import naive

Array = npt.NDArray[np.float32]

SMALL = (32, 24)  # the canvas, width and height, of most tests


def brush(number: int, prompt: str = "", **changes: Any) -> Brush:
    return Brush(number, prompt or f"thing {number}", (), **{"blur_px": 0.0, **changes})


def scene(*brushes: Brush, background: Background | str | None = None, **changes: Any) -> Scene:
    """A scene; keys of `sampler:` go there, all others to the scene itself."""
    below = background if isinstance(background, Background) else Background(background)
    sampler_keys = {k: changes.pop(k) for k in list(changes) if k in Sampler.__dataclass_fields__}
    if "timesteps" in sampler_keys:
        sampler_keys["steps"] = None
    sampler = replace(Sampler(bootstrap=Bootstrap(0)), **sampler_keys)
    return Scene(ModelRef("fake"), below, brushes, sampler, Output(), **changes)


def box(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = SMALL) -> Array:
    """Paint (H, W): 1 in a box of pixels, right and bottom exclusive; 0 around it."""
    paint = np.zeros((size[1], size[0]), dtype=np.float32)
    paint[top:bottom, left:right] = 1
    return paint


def plan(
    backbone: Backbone,
    wanted: Scene,
    paint: Sequence[Array] = (),
    size: tuple[int, int] = SMALL,
    picture: npt.NDArray[np.uint8] | None = None,
) -> Plan:
    painted = [Painted(b, boxed(m), ()) for b, m in zip(wanted.active, paint, strict=True)]
    photo = None if picture is None else Photo(picture)
    return Planner(backbone).plan(wanted, painted, size, photo)


def by_hand(
    backbone: Backbone, wanted: Scene, ours: Plan, frame: int = 0, starts: Sequence[int] = ()
) -> torch.Tensor:
    """A frame's latents from the naive loop, its brushes starting in some slots.

    Weights, prompts, background and noises are the plan's; everything else is worked out anew.
    """
    sampler = wanted.sampler
    width, height = (cells * backbone.factor for cells in reversed(ours.background.shape[1:]))
    case = naive.Case(
        taus=ours.table.timesteps,
        weights=weighed(ours.weights)[:, :, 0],
        prompts=ours.conditioning,
        negatives=ours.negative or [],
        background=ours.background,
        white=backbone.encode_image(torch.ones(1, 3, height, width))[0],
        slot_noise=ours.slot_noise,
        start=ours.start_noise(frame),
        painted=len(ours.weights) > len(wanted.active),
        bootstrap=sampler.bootstrap.steps,
        mix=sampler.bootstrap.mix,
        leak=sampler.bootstrap.leak,
        guidance=sampler.guidance.type,
        scale=sampler.guidance.scale,
        delta=sampler.guidance.delta,
        prediction=ours.table.prediction,
        brush_noise=ours.brush_noise,
        starts=starts,
    )
    return naive.frame(case, naive.network_of(backbone))


def relative(ours: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference of all elements, in standard deviations of what is wanted."""
    assert ours.shape == wanted.shape
    return float((ours - wanted).abs().max() / wanted.std())


def world() -> list[str]:
    """The state of every global generator."""
    torch_state = torch.random.get_rng_state().tolist()
    return [repr(torch_state), repr(random.getstate()), repr(np.random.get_state(legacy=False))]
