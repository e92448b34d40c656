"""Where a scene leaves what its model learnt, or nothing says what that was."""

from __future__ import annotations

from collections.abc import Iterator

from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.models import ModelDefaults
from smd_cli.scene.model import SceneFile
from smd_cli.units import counted


def fit_warnings(
    scene_file: SceneFile,
    table: StepTable,
    defaults: ModelDefaults,
) -> Iterator[Problem]:
    """Whether the model was made for such slots."""
    yield from _guessed_sampler(scene_file, table, defaults)


def _guessed_sampler(
    scene_file: SceneFile, table: StepTable, defaults: ModelDefaults
) -> Iterator[Problem]:
    """That nothing says how a checkpoint wants to be sampled."""
    scene = scene_file.scene
    said = any(("sampler", key) in scene_file.places for key in ("steps", "timesteps"))
    if defaults.samples_as_told or said or scene.sampler.method != "stream":
        return
    message = f"the model {scene.model.name} does not say how few steps it was made for: taking "
    message += f"{counted(table.slots, 'step')} of LCM"
    hint = "a lora that makes it fast, or sampler: {steps: ...}, settles it"
    yield Problem(scene_file.place("model"), message, hint)
