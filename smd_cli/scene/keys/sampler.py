"""Reading how a frame is denoised: presets, the model's own defaults, what the scene says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from smd_cli.errors import UsageError
from smd_cli.models.facts import read_defaults
from smd_cli.models.ref import ModelRef
from smd_cli.scene.keys.fields import flag, integer, listed, number, one_of
from smd_cli.scene.keys.sections import Reader, Section, wrong
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.types import (
    MULTIDIFFUSION,
    BlendAfter,
    Bootstrap,
    Guidance,
    GuidanceType,
    MaskType,
    Method,
    NoiseBetween,
    NoiseKind,
    Sampler,
    SamplerPreset,
    Similarity,
    Windows,
)
from smd_cli.units import MAX_SIDE_PX, MIN_SIDE_PX

MAX_STEPS = 50
LEAK_INTO_PICTURES = 0.1
LAST_TIMESTEP = 999
MAX_SIMILARITY = 0.9999
_METHODS: tuple[Method, ...] = get_args(Method)
_PRESETS: tuple[SamplerPreset, ...] = get_args(SamplerPreset)
_MASK_TYPES: tuple[MaskType, ...] = get_args(MaskType)
_GUIDANCE_TYPES: tuple[GuidanceType, ...] = get_args(GuidanceType)
_WINDOWS: tuple[Literal["auto", "off"], ...] = ("auto", "off")
_BLEND_AFTER: tuple[Literal["never", "bootstrap"], ...] = ("never", "bootstrap")
_SIMILARITY: tuple[Literal["off"], ...] = ("off",)
_NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)
_NOISE_BETWEEN: tuple[NoiseBetween, ...] = get_args(NoiseBetween)


def read_sampler(node: Node, own: Sampler) -> Sampler:
    """A ``sampler:``; what it leaves out is as published (preset paper) or else as in `own`."""
    with Section(node, "the sampler") as keys:
        method = keys.get("method", one_of(*_METHODS), own.method)
        preset = keys.get("preset", one_of(*_PRESETS), own.preset)
        start = _start(own, method, preset)
        keys.exclusive("steps", "timesteps")
        respaced = keys.get("steps", _steps(start), start)
        timesteps = keys.get("timesteps", _timesteps, None)
        start = replace(start, steps=None, timesteps=timesteps) if timesteps else respaced
        made = replace(
            start,
            mask_type=keys.get("mask_type", one_of(*_MASK_TYPES), start.mask_type),
            cover=keys.get("cover", number(0, 1), start.cover),
            bootstrap=keys.get("bootstrap", _bootstrap(start.bootstrap), start.bootstrap),
            guidance=keys.get("guidance", _guidance(start.guidance), start.guidance),
            noise=keys.get("noise", one_of(*_NOISE_KINDS), start.noise),
            preaverage=keys.get("preaverage", flag, start.preaverage),
            windows=keys.get("windows", _windows, start.windows),
            blend_after=keys.get("blend_after", _blend_after, start.blend_after),
            noise_between=keys.get("noise_between", one_of(*_NOISE_BETWEEN), start.noise_between),
            refine=keys.get("refine", integer(1, 2), start.refine),
            similarity=keys.get("similarity", _similarity, start.similarity),
        )
        unfit = _unblended(made)
        if not unfit:
            return made
        keys.refuse("blend_after", *unfit)
        return replace(made, blend_after="never")


def leaking(sampler: Sampler, root: Node, model: ModelRef) -> Sampler:
    """The sampler of a scene that paints into a picture: it leaks where nothing says how much.

    What a brush leaves as its plain ground is given back to the picture then.
    """
    node: Node | None = root
    for key in ("sampler", "bootstrap", "leak"):
        node = None if node is None else node.children.get(key)
    try:
        own = read_defaults(model).sampler.get("bootstrap")
    except UsageError:  # which is told already
        return sampler
    told = node is not None or (isinstance(own, Mapping) and "leak" in own)
    if told or sampler.preset == "paper" or sampler.method != "stream":
        return sampler
    return replace(sampler, bootstrap=replace(sampler.bootstrap, leak=LEAK_INTO_PICTURES))


def _start(own: Sampler, method: Method, preset: SamplerPreset) -> Sampler:
    """What a sampler is before any other key of it is read."""
    if method == "multidiffusion":
        return replace(MULTIDIFFUSION, preset=preset)
    return Sampler(preset="paper") if preset == "paper" else replace(own, preset=preset)


def _steps(start: Sampler) -> Reader[Sampler]:
    """Reads how many slots there are: of a model with timesteps of its own, those are respaced."""

    def read(node: Node) -> Sampler:
        steps = integer(1, MAX_STEPS)(node)
        if not start.timesteps:
            return replace(start, steps=steps)
        taus = spread(start.timesteps, steps)
        if len(set(taus)) < steps:
            named = ", ".join(map(str, start.timesteps))
            reason = f"the model's own timesteps, {named}, have no room for more"
            raise wrong(node, f"steps must be {len(set(taus))} at most: {reason}")
        return replace(start, timesteps=taus, bootstrap=_shared(start, steps))

    return read


def spread(own: Sequence[int], steps: int) -> tuple[int, ...]:
    """`steps` timesteps spread over a model's own, from the first to the last.

    Some of its own where they are fewer; where they are more, evenly between them, so that two may
    be the same.
    """
    stride = (len(own) - 1) / max(steps - 1, 1)
    places = [index * stride for index in range(steps)]
    if steps <= len(own):
        return tuple(own[round(place)] for place in places)
    pairs = [(own[int(at)], own[min(int(at) + 1, len(own) - 1)], at % 1) for at in places]
    return tuple(round(early + (late - early) * share) for early, late, share in pairs)


def _shared(own: Sampler, steps: int) -> Bootstrap:
    """The bootstrap for another number of slots: of the same share of them, so as not of all.

    Slots on plain white that no slot follows would leave it around a brush.
    """
    before, boot = len(own.timesteps or ()), own.bootstrap
    slots = round(boot.steps * steps / before)
    slots = min(slots, steps - 1) if boot.steps < before else steps
    mix = boot.mix * slots / boot.steps if boot.steps else boot.mix
    return replace(boot, steps=slots, mix=mix)


def _windows(node: Node) -> Windows:
    if isinstance(node.value, str):
        return one_of(*_WINDOWS)(node)
    return integer(MIN_SIDE_PX, MAX_SIDE_PX)(node)


def _blend_after(node: Node) -> BlendAfter:
    if isinstance(node.value, str):
        return one_of(*_BLEND_AFTER)(node)
    return integer(0, MAX_STEPS)(node)


def _similarity(node: Node) -> Similarity:
    if isinstance(node.value, str):
        return one_of(*_SIMILARITY)(node)
    return number(0, MAX_SIMILARITY)(node)


def _unblended(sampler: Sampler) -> tuple[str, str] | None:
    """Why no row can serve several brushes as a sampler has it, with a hint."""
    boot, first = sampler.bootstrap.steps, sampler.blend_after
    if first == "never":
        return None
    if sampler.guidance.type == "initialize":
        message = (
            "blend_after cannot go with guidance: initialize, which keeps a start for each brush"
        )
        return message, "guidance: none, full and self can"
    if sampler.noise_between == "fresh" and not sampler.preaverage:
        message = "blend_after cannot go with preaverage: false, which noises each brush by itself"
        return message, "leave preaverage out"
    if first != "bootstrap" and first < boot:
        message = f"blend_after must be {boot} or more, not {first}: bootstrap.steps is {boot}"
        return message, "blend_after: bootstrap is the first slot that can"
    return None


def _timesteps(node: Node) -> tuple[int, ...]:
    what = f"a list of 1 to {MAX_STEPS} whole numbers"
    taus = listed(node, integer(0, LAST_TIMESTEP), what, range(1, MAX_STEPS + 1))
    for early, late, item in zip(taus, taus[1:], node.items[1:], strict=False):
        if late >= early:
            raise wrong(item, f"timesteps must fall from one to the next: {late} follows {early}")
    return taus


def _bootstrap(start: Bootstrap) -> Reader[Bootstrap]:
    def read(node: Node) -> Bootstrap:
        with Section(node, "the bootstrap") as keys:
            return Bootstrap(
                steps=keys.get("steps", integer(0, MAX_STEPS), start.steps),
                mix=keys.get("mix", number(0, MAX_STEPS), start.mix),
                leak=keys.get("leak", number(0), start.leak),
            )

    return read


def _guidance(start: Guidance) -> Reader[Guidance]:
    def read(node: Node) -> Guidance:
        with Section(node, "the guidance") as keys:
            return Guidance(
                type=keys.get("type", one_of(*_GUIDANCE_TYPES), start.type),
                scale=keys.get("scale", number(0, 100), start.scale),
                delta=keys.get("delta", number(0, 100), start.delta),
            )

    return read
