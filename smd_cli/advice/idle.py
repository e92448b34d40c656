"""Keys that are written and cannot act in their scene."""

from __future__ import annotations

from collections.abc import Iterator

from smd_cli.errors import Problem
from smd_cli.models import ModelDefaults
from smd_cli.scene.model import SceneFile


def idle_keys(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Keys that cannot act in this scene."""
    yield from _idle_negatives(scene_file, defaults)
    yield from _idle_strengths(scene_file)
    yield from _idle_guidance(scene_file)


def _idle_negatives(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    scene = scene_file.scene
    guidance = scene.sampler.guidance
    hint = "sampler.guidance: {type: full, scale: 3} makes it act"
    if defaults.embeds_guidance:
        reason, hint = f"the model {scene.model.name} takes guidance itself", ""
    elif guidance.type not in ("full", "initialize"):
        reason = f"guidance is {guidance.type}"
    elif guidance.scale == 1:
        reason = "the guidance scale is 1"
    else:
        return
    paths = [("brushes", b.number - 1, "negative") for b in scene.active if b.negative]
    below = [("background", "negative")] if scene.background.negative else []
    for path in [*paths, *below]:
        written = path if path in scene_file.places else ("defaults", "negative")
        yield Problem(scene_file.place(*written), f"negative has no effect: {reason}", hint)


def _idle_strengths(scene_file: SceneFile) -> Iterator[Problem]:
    scene = scene_file.scene
    if scene.background.prompt is not None:
        return
    written = [("brushes", b.number - 1, "strength") for b in scene.active if b.strength < 1]
    for path in [*written, ("defaults", "strength")]:
        if path in scene_file.places:
            message = "strength has no effect: the background has no prompt to mix with"
            yield Problem(scene_file.place(*path), message, "give the background a prompt")


def _idle_guidance(scene_file: SceneFile) -> Iterator[Problem]:
    guidance = scene_file.scene.sampler.guidance
    idle = {"none": ("scale", "delta"), "full": ("delta",)}.get(guidance.type, ())
    for key in idle:
        path = ("sampler", "guidance", key)
        if path in scene_file.places and getattr(guidance, key) != 1:
            message = f"guidance.{key} has no effect: guidance is {guidance.type}"
            yield Problem(scene_file.place(*path), message)
