"""Keys that are written and cannot act with the scene's model, or not always."""

from __future__ import annotations

from collections.abc import Iterator

from smd_cli.errors import KeyPath, Problem
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.motion import tracks_of
from smd_cli.scene.types import Guidance, SceneFile


def idle_with_model(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Kinds of guidance that a network replaces, layers that nobody leaves out, prompts of other
    lengths that do not mix.
    """
    yield from _idle_kind_of_guidance(scene_file, defaults)
    path = ("model", "clip_skip")
    if path in scene_file.places and scene_file.scene.model.clip_skip and defaults.spacing:
        message = "clip_skip has no effect: the model reads prompts by the layers it was trained on"
        yield Problem(scene_file.place(*path), message, "it is for Stable Diffusion 1, 2 and XL")
    if defaults.ragged_prompts:
        yield from _unlike_lengths(scene_file)


def _idle_kind_of_guidance(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Residuals of a model that takes the scale itself: every kind but none is the same to it."""
    guidance, name = scene_file.scene.sampler.guidance, scene_file.scene.model.name
    if not defaults.embeds_guidance:
        return
    for key, idle in (
        ("type", guidance.type in ("self", "initialize")),
        ("delta", guidance.delta != Guidance().delta and guidance.type != "none"),
    ):
        path = ("sampler", "guidance", key)
        if idle and path in scene_file.places:
            told = f"{key}: {guidance.type}" if key == "type" else key
            message = f"guidance.{told} has no effect: the model {name} takes guidance itself"
            yield Problem(scene_file.place(*path), message, "type: full says the same")


def _unlike_lengths(scene_file: SceneFile) -> Iterator[Problem]:
    """Strengths and fades, where prompts are as long as their words."""
    scene = scene_file.scene
    what = f"with the model {scene.model.name} prompts mix only where they have as many tokens"
    for brush in scene.active:
        own: KeyPath = ("brushes", brush.number - 1, "strength")
        path = own if own in scene_file.places else ("defaults", "strength")
        mixed = scene.background.prompt not in (None, brush.prompt)
        if mixed and path in scene_file.places and 0 < brush.strength < 1:
            message = f"strength may have no effect: {what}"
            yield Problem(scene_file.place(*path), message, "strength: 1 is sure to be what it is")
    for path, track in tracks_of(scene):
        if track.key in ("prompt", "negative"):
            message = f"{track.key} may change at once, half-way, instead of fading: {what}"
            yield Problem(scene_file.place(*path), message)
