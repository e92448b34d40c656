"""Keys of `sampler:` that are written and cannot act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.types import Bootstrap, Sampler, SceneFile
from smd_cli.units import counted
from smd_cli.work.advice.layers import Layer


def idle_sampler(
    scene_file: SceneFile, defaults: ModelDefaults, table: StepTable, layers: Sequence[Layer]
) -> Iterator[Problem]:
    """Guidance that guides nothing, bootstrapping of no slot or of all, cover of nothing, …"""
    yield from _idle_guidance(scene_file, defaults)
    yield from _idle_bootstrap(scene_file, table)
    yield from _idle_blending(scene_file, table)
    yield from _idle_similarity(scene_file)
    sampler, covered = scene_file.scene.sampler, any(layer.covered for layer in layers)
    path = ("sampler", "cover")
    if path in scene_file.places and sampler.cover != Sampler().cover and not covered:
        message = "cover has no effect: no brush lies under another"
        yield Problem(scene_file.place(*path), message, "leave it out")
    path = ("sampler", "preaverage")
    if path in scene_file.places and sampler.method == "multidiffusion":
        message = "preaverage has no effect: multidiffusion averages its own way"
        yield Problem(scene_file.place(*path), message, "method: stream has the choice")
    path = ("sampler", "windows")
    whole = {"paper": "preset: paper", "initialize": "guidance: initialize"}
    why = whole.get(sampler.preset) or whole.get(sampler.guidance.type)
    if path in scene_file.places and sampler.windows != "off" and why:
        message = f"windows has no effect: {why} sees the whole canvas"
        yield Problem(scene_file.place(*path), message, "leave it out")


def _idle_guidance(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    guidance = scene_file.scene.sampler.guidance
    idle = {"none": ("scale", "delta"), "full": ("delta",)}.get(guidance.type, ())
    for key in idle:
        path = ("sampler", "guidance", key)
        if path in scene_file.places and getattr(guidance, key) != 1:
            message = f"guidance.{key} has no effect: guidance is {guidance.type}"
            yield Problem(scene_file.place(*path), message)
    written = [
        path
        for path in (("sampler", "guidance", "scale"), ("sampler", "guidance", "type"))
        if path in scene_file.places
    ]
    if guidance.type == "none" or defaults.embeds_guidance or not written:
        return
    place = scene_file.place(*written[0])
    if guidance.scale == 1:
        message = f"guidance: {guidance.type} has no effect at scale 1"
        yield Problem(place, message, "scale: 3 makes it act; type: none is as good and quicker")
    elif guidance.scale < 1:
        message = f"a guidance scale of {guidance.scale:g} leads away from the prompts"
        yield Problem(place, message, "type: none turns guidance off; a scale above 1 guides")


def _idle_bootstrap(scene_file: SceneFile, table: StepTable) -> Iterator[Problem]:
    boot = scene_file.scene.sampler.bootstrap
    here = ("sampler", "bootstrap")
    for key in ("mix", "leak"):
        path = (*here, key)
        if not boot.steps and path in scene_file.places and getattr(boot, key) != _usual(key):
            message = f"bootstrap.{key} has no effect: bootstrap.steps is 0"
            yield Problem(scene_file.place(*path), message, "bootstrap: {steps: 1} makes it act")
    path = (*here, "steps")
    if path in scene_file.places and boot.steps >= table.slots:
        message = f"bootstrap.steps {boot.steps} takes all of {counted(table.slots, 'slot')}: no "
        message += "brush ever sees what is around it"
        hint = f"at most {table.slots - 1} leave a slot to melt into the picture"
        yield Problem(scene_file.place(*path), message, hint)


def _idle_blending(scene_file: SceneFile, table: StepTable) -> Iterator[Problem]:
    path, scene = ("sampler", "blend_after"), scene_file.scene
    after, boot, below = scene.sampler.blend_after, scene.sampler.bootstrap.steps, scene.background
    if path not in scene_file.places or after == "never":
        return
    prompts = len(scene.active) + below.generated
    if scene.sampler.preset == "paper":
        why, hint = "preset: paper paints every brush by itself", "leave it out"
    elif prompts < 2:
        why, hint = "there is no second prompt to blend with", "leave it out"
    elif (boot if after == "bootstrap" else after) >= table.slots:
        why = f"the last of {counted(table.slots, 'slot')} is {table.slots - 1}, counted from 0"
        hint = "bootstrap.steps below that leaves slots to blend in" if after == "bootstrap" else ""
    else:
        return
    yield Problem(scene_file.place(*path), f"blend_after has no effect: {why}", hint)


def _idle_similarity(scene_file: SceneFile) -> Iterator[Problem]:
    """A filter of frames where there are none to skip, or none that it can tell apart."""
    path, scene = ("sampler", "similarity"), scene_file.scene
    kind = scene.sampler.noise
    if path not in scene_file.places or scene.sampler.similarity == "off":
        return
    if scene.frames == 1:
        message = "similarity has no effect on a single frame"
        yield Problem(scene_file.place(*path), message, "frames: 12 has some to skip")
    elif kind in ("independent", "walk"):
        message = "similarity does not look at the start noise: frames that differ by that alone "
        message += f"are skipped, and noise is {kind}"
        yield Problem(scene_file.place(*path), message, "noise: fixed and flow go with it")


def _usual(key: str) -> float:
    return float(getattr(Bootstrap(), key))
