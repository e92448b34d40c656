"""Where a scene leaves what its model learnt, or nothing says what that was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from smd_cli.engine.repaint import half_of
from smd_cli.engine.schedule import StepTable
from smd_cli.errors import KeyPath, Place, Problem
from smd_cli.models.facts import PRESETS, ModelDefaults
from smd_cli.scene.paint.pictures import dimensions, quote
from smd_cli.scene.types import SceneFile
from smd_cli.units import counted
from smd_cli.work.advice.layers import SMALL_CELLS, Layer

# Of the native canvas' side, by area. At twice the side things come twice; up to here they do not
# yet, and the oblong canvases that larger models learn have the area of a square one.
_LEAST_SCALE, _MOST_SCALE = 0.5, 1.5
_SMALLEST_CELLS = 8  # what the coarsest cells of a UNet hold, and
_SMALLEST_SHARE = 8  # never more than this part of the native side


def fit_warnings(
    scene_file: SceneFile,
    size: tuple[int, int],
    table: StepTable,
    defaults: ModelDefaults,
    layers: Sequence[Layer],
    scale: float = 1.0,
) -> Iterator[Problem]:
    """Whether the model was made for such slots, such a canvas (W, H) and such brushes.

    Canvas and layers are what is generated, at a `scale` of the scene's.
    """
    yield from _guessed_sampler(scene_file, table, defaults)
    yield from _foreign_timesteps(scene_file, table, defaults)
    yield from _skipped_layers(scene_file, defaults)
    if defaults.known or scene_file.scene.model.name in PRESETS:
        yield from _foreign_canvas(scene_file, size, defaults)
        yield from _small_draft(scene_file, size, defaults)
        yield from _small_brushes(scene_file, defaults, layers, scale)


def _guessed_sampler(
    scene_file: SceneFile, table: StepTable, defaults: ModelDefaults
) -> Iterator[Problem]:
    """That nothing says how a checkpoint wants to be sampled."""
    scene = scene_file.scene
    said = any(("sampler", key) in scene_file.places for key in ("steps", "timesteps"))
    if defaults.samples_as_stated or said or scene.sampler.method != "stream":
        return
    message = f"the model {scene.model.name} does not say how few steps it was made for: taking "
    message += counted(table.slots, "step") + ("" if defaults.spacing else " of LCM")
    hint = "a lora that makes it fast, or sampler: {steps: ...}, settles it"
    yield Problem(scene_file.place("model"), message, hint)


def _foreign_timesteps(
    scene_file: SceneFile, table: StepTable, defaults: ModelDefaults
) -> Iterator[Problem]:
    """Slots at timesteps that the model never saw while it was trained."""
    if defaults.learnt_timesteps is None:
        return
    least, largest = defaults.learnt_timesteps
    first, last = table.timesteps[0], table.timesteps[-1]
    if least <= last and first <= largest:
        return
    written = [k for k in ("timesteps", "steps", "preset", "method") if _written(scene_file, k)]
    key = written[0] if written else "model"
    message = f"the slots' timesteps, {first} to {last}, leave what the model "
    message += f"{scene_file.scene.model.name} learnt: {largest} to {least}"
    hint = f"leave out sampler.{key}, and its own are taken" if written else ""
    yield Problem(scene_file.place(*(("sampler", key) if written else (key,))), message, hint)


def _skipped_layers(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Left-out text layers of a model of few words, which was trained with all of its few."""
    model = scene_file.scene.model
    if model.clip_skip and defaults.objects:
        message = f"the model {model.name} reads its words from the last of its "
        message += f"{counted(defaults.text_layers, 'text layer')}, which clip_skip leaves out"
        yield Problem(scene_file.place("model", "clip_skip"), message, "leave clip_skip out")


def _written(scene_file: SceneFile, key: str) -> bool:
    return ("sampler", key) in scene_file.places


def _foreign_canvas(
    scene_file: SceneFile, size: tuple[int, int], defaults: ModelDefaults
) -> Iterator[Problem]:
    """A canvas much larger or smaller than the model's own; windows are no larger than that."""
    native, sampler = defaults.native_size, scene_file.scene.sampler
    scale = math.sqrt(math.prod(size) / math.prod(native))
    if _LEAST_SCALE <= scale <= _MOST_SCALE or (scale > 1 and not sampler.sees_all):
        return
    model = f"what the model {scene_file.scene.model.name} learnt, {dimensions(native)}"
    message = f"the canvas of {dimensions(size)} is much smaller than {model}: it shows a part"
    if scale > 1:
        message = f"the canvas of {dimensions(size)} is much larger than {model}: things come twice"
    hint = f"size: {dimensions(native)} suits it, or another of about that area"
    yield Problem(_size_place(scene_file), message, hint)


def _small_draft(
    scene_file: SceneFile, size: tuple[int, int], defaults: ModelDefaults
) -> Iterator[Problem]:
    """A canvas painted at half size first that the model can compose as it is."""
    native = defaults.native_size
    if scene_file.scene.sampler.refine > 1 and math.prod(size) <= math.prod(native):
        message = f"refine paints {dimensions(half_of(size))} first, though the model "
        message += f"{scene_file.scene.model.name} composes {dimensions(size)} at once"
        hint = f"it is for canvases larger than {dimensions(native)}"
        yield Problem(scene_file.place("sampler", "refine"), message, hint)


def _size_place(scene_file: SceneFile) -> Place:
    """Where the canvas takes its size from."""
    paths: tuple[KeyPath, ...] = (("size",), ("background", "image"), ("brushes",), ("model",))
    return scene_file.place(*next((p for p in paths if p in scene_file.places), ()))


def _small_brushes(
    scene_file: SceneFile, defaults: ModelDefaults, layers: Sequence[Layer], scale: float
) -> Iterator[Problem]:
    """Brushes that span less than what the model draws well; those of a few cells are told else."""
    usual = min(_SMALLEST_CELLS * defaults.factor, min(defaults.native_size) // _SMALLEST_SHARE)
    smallest = defaults.smallest_px or usual
    for layer in layers:
        few_cells = layer.area_px < SMALL_CELLS * defaults.factor**2
        if layer.box is None or layer.hidden or few_cells or max(layer.box[2:]) >= smallest:
            continue
        message = f"{quote(layer.brush.label)} spans {dimensions(layer.box[2:])} px: at {smallest} "
        message += f"px the model {scene_file.scene.model.name} draws a thing just so, and below "
        message += "that hardly anything"
        place = scene_file.place("brushes", layer.brush.number - 1, "mask")
        hint = f"make its mask larger than {smallest} px to see what it means"
        if scale < 1:
            message += f" (the picture is painted at a scale of {scale:.2f})"
            native = max(defaults.native_size)
            hint = f"sampler: {{windows: {native}}} paints at full scale; a scene of its own for "
            hint += "a brush that lies far from the others does too"
        yield Problem(place, message, hint)
