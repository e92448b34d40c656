"""Keys that are written and cannot act in their scene.

A key at its default is never told: it says what would be anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smd_cli.engine.schedule import StepTable
from smd_cli.errors import KeyPath, Problem
from smd_cli.models.facts import REVISION_HINT, ModelDefaults, idle_revision
from smd_cli.scene.paint.moving import TRAVELS
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import Output, Scene, SceneFile
from smd_cli.work.advice.idle_model import idle_with_model
from smd_cli.work.advice.idle_repaint import idle_repaint
from smd_cli.work.advice.idle_sampler import idle_sampler
from smd_cli.work.advice.layers import Layer

_REDRAWN_FROM = 0.5  # the paint from which on a brush's own seed draws the noise
_PER_BRUSH = ("negative", "alpha", "blur", "strength", "repaint")


def idle_keys(
    scene_file: SceneFile,
    defaults: ModelDefaults,
    table: StepTable,
    layers: Sequence[Layer],
    photo: Photo | None = None,
    *,
    shows: bool = False,
) -> Iterator[Problem]:
    """All keys that cannot act in this scene; `photo` is the picture that it paints into.

    `shows`: it has films or sequences, which change from frame to frame.
    """
    yield from _idle_negatives(scene_file, defaults)
    yield from _idle_strengths(scene_file)
    yield from _idle_defaults(scene_file)
    yield from _idle_background(scene_file)
    yield from _idle_around_picture(scene_file, photo)
    yield from _idle_seeds(scene_file, layers)
    yield from _idle_model(scene_file)
    yield from _idle_motion(scene_file, shows)
    yield from idle_with_model(scene_file, defaults)
    yield from idle_sampler(scene_file, defaults, table, layers)
    yield from idle_repaint(scene_file, table, layers)


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
        yield from _idle_background_negative(scene_file)
        return
    paths = [("brushes", b.number - 1, "negative") for b in scene.active if b.negative]
    below = [("background", "negative")] if scene.background.negative else []
    for path in [*paths, *below]:
        written = path if path in scene_file.places else ("defaults", "negative")
        yield Problem(scene_file.place(*written), f"negative has no effect: {reason}", hint)


def _idle_background_negative(scene_file: SceneFile) -> Iterator[Problem]:
    """A background's negative beside no prompt of its own."""
    path = ("background", "negative")
    if path in scene_file.places and scene_file.scene.background.prompt is None:
        message = "negative has no effect: the background has no prompt"
        yield Problem(scene_file.place(*path), message, "give the background a prompt")


def _idle_strengths(scene_file: SceneFile) -> Iterator[Problem]:
    scene = scene_file.scene
    for brush in scene.active:
        own: KeyPath = ("brushes", brush.number - 1, "strength")
        path = own if own in scene_file.places else ("defaults", "strength")
        if path not in scene_file.places:
            continue
        if scene.background.prompt is None and brush.strength < 1:
            message = "strength has no effect: the background has no prompt to mix with"
            yield Problem(scene_file.place(*path), message, "give the background a prompt")
        elif scene.background.prompt is not None and brush.strength == 0:
            message = "at strength 0 a brush paints the background's prompt alone, not its own"
            hint = "strength: 1 is all its own; enabled: false mutes it"
            yield Problem(scene_file.place(*path), message, hint)


def _idle_defaults(scene_file: SceneFile) -> Iterator[Problem]:
    """Defaults that no brush takes: there is none, or each has its own."""
    brushes = scene_file.scene.brushes
    for key in _PER_BRUSH:
        path = ("defaults", key)
        taken = any(("brushes", b.number - 1, key) not in scene_file.places for b in brushes)
        below = key == "negative" and ("background", "negative") not in scene_file.places
        if path in scene_file.places and not taken and not below:
            reason = "every brush has its own" if brushes else "there are no brushes"
            message = f"defaults.{key} has no effect: {reason}"
            yield Problem(scene_file.place(*path), message, "leave it out")


def _idle_background(scene_file: SceneFile) -> Iterator[Problem]:
    """A prompt that neither paints nor mixes, a colour that is painted over from the first slot."""
    scene = scene_file.scene
    below = scene.background
    if below.prompt is not None and not below.generated and not _mixes(scene):
        message = "the background's prompt has no effect: the picture is kept, and every brush "
        message += "has strength 1"
        hint = "background: {repaint: 0.6} paints the picture anew by it"
        yield Problem(scene_file.place("background", "prompt"), message, hint)
    path = ("background", "caption_model")
    if path in scene_file.places and below.captioner is None:
        message = "caption_model has no effect: nothing asks it for the background's prompt"
        hint = "prompt: auto beside an image does" if below.image else "it captions an image"
        yield Problem(scene_file.place(*path), message, hint)
    path = ("background", "color")
    white = below.color == (255, 255, 255)
    written = path in scene_file.places and not white and below.image is None
    if written and below.prompt and _hides_colour(scene):
        message = "color has no effect: the background's prompt paints over it from the first slot"
        hint = "leave out the prompt to keep the colour"
        yield Problem(scene_file.place(*path), message, hint)


def _idle_around_picture(scene_file: SceneFile, photo: Photo | None) -> Iterator[Problem]:
    """How a picture is to lie where it lies anyway, and the colour that it hides."""
    below = scene_file.scene.background
    path = ("background", "fit")
    if path in scene_file.places and photo is None:
        message = "fit has no effect: the background has no image"
        yield Problem(scene_file.place(*path), message, "leave it out")
    elif path in scene_file.places and scene_file.scene.size is None:
        message = "fit has no effect: the canvas takes the picture's own size"
        yield Problem(scene_file.place(*path), message, "size: says how large the canvas is")
    path = ("background", "profile")
    if path in scene_file.places and photo is None:
        message = "profile has no effect: the background has no image"
        yield Problem(scene_file.place(*path), message, "leave it out")
    path = ("background", "color")
    shows = photo is None or photo.has_alpha or below.fit == "contain"
    if path in scene_file.places and not shows:
        message = "color has no effect: the picture is opaque and fills the canvas"
        yield Problem(scene_file.place(*path), message, "leave it out")


def _mixes(scene: Scene) -> bool:
    return any(brush.strength < 1 for brush in scene.active)


def _hides_colour(scene: Scene) -> bool:
    """Whether a prompted background leaves no trace of the colour under it."""
    sampler, boot = scene.sampler, scene.sampler.bootstrap
    white = boot.mix >= boot.steps  # in every slot that is bootstrapped
    return sampler.preset != "paper" and sampler.guidance.type != "self" and white


def _idle_seeds(scene_file: SceneFile, layers: Sequence[Layer]) -> Iterator[Problem]:
    """Seeds of brushes that draw no noise, or the noise that would be there anyway."""
    scene = scene_file.scene
    for layer in layers:
        place = scene_file.place("brushes", layer.brush.number - 1, "seed")
        changes = any(track.key == "seed" for track in layer.brush.tracks)
        if layer.brush.seed == scene.seed and not changes:
            message = f"seed has no effect: the scene's own is {scene.seed} as well"
            yield Problem(place, message, "another number re-rolls this brush alone")
        elif layer.brush.seed is not None and 0 < layer.peak < _REDRAWN_FROM:
            message = f"seed has no effect: the mask of {quote(layer.brush.label)} reaches "
            message += f"{layer.peak:.3g} at most, and a seed acts from {_REDRAWN_FROM} on"
            yield Problem(place, message, "a stronger mask with a lower alpha takes a seed")


def _idle_model(scene_file: SceneFile) -> Iterator[Problem]:
    model = scene_file.scene.model
    path: KeyPath = ("model", "revision")
    message = idle_revision(model)
    if path in scene_file.places and message:
        yield Problem(scene_file.place(*path), message, REVISION_HINT)
    if ("model", "lora") not in scene_file.places:
        return
    several = ("model", "lora", 0) in scene_file.places
    own = sum(1 for p in scene_file.places if p[:2] == ("model", "lora") and len(p) == 3)
    count = own if several else 1
    for index, lora in enumerate(model.loras[len(model.loras) - count :]):
        path = ("model", "lora", index) if several else ("model", "lora")
        if lora.weight == 0:
            message = f"the lora {lora.name} has no effect: its weight is 0"
            yield Problem(scene_file.place(*path, "weight"), message, "weight: 1 is as trained")
        if lora.path and (*path, "revision") in scene_file.places:
            message = f"revision has no effect: the lora {lora.name} lies here"
            yield Problem(scene_file.place(*path, "revision"), message, "leave it out")


def _idle_motion(scene_file: SceneFile, shows: bool) -> Iterator[Problem]:
    """Keys of moving pictures in a scene of one frame, and frames that all look the same.

    Frames that an option takes away leave the scene as it was written.
    """
    scene = scene_file.scene
    noise = ("sampler", "noise")
    stays = scene.frames > 1 and scene.sampler.noise in ("fixed", "flow")
    if stays and not (scene.moves or shows):
        message = f"with {scene.sampler.noise} noise all {scene.frames} frames are the same picture"
        yield Problem(scene_file.place(*noise), message, "noise: walk moves them along a path")
    elif stays and scene.sampler.noise == "flow" and not _travels(scene):
        message = "noise: flow is as fixed here: no mask goes anywhere for it to go along"
        yield Problem(scene_file.place(*noise), message, "noise: fixed says so")
    if scene.frames == 2 and scene.output.loop == "ping-pong":
        message = "loop: ping-pong has no way back: between the ends of 2 frames lies none"
        yield Problem(scene_file.place("output", "loop"), message, "frames: 12 has a way back")
    if scene.frames > 1 or _by_option(scene_file, ("frames",)):
        return
    kind = scene.sampler.noise
    if kind in ("walk", "flow") and noise in scene_file.places:
        message = f"noise: {kind} goes nowhere in a single frame"
        yield Problem(scene_file.place(*noise), message, "frames: 12 gives it a path")
    for key in ("fps", "loop"):
        path = ("output", key)
        if path in scene_file.places and getattr(scene.output, key) != getattr(Output(), key):
            message = f"output.{key} has no effect on a single frame"
            yield Problem(scene_file.place(*path), message, "frames: 12 makes it move")


def _travels(scene: Scene) -> bool:
    """Whether any mask gets elsewhere."""
    tracks = (track for brush in scene.brushes for part in brush.mask for track in part.tracks)
    return any(track.key in TRAVELS for track in tracks)


def _by_option(scene_file: SceneFile, path: KeyPath) -> bool:
    """Whether a key was set on the command line."""
    return path in scene_file.places and not scene_file.places[path].line
