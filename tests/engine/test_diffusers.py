"""One prompt over the whole canvas is what diffusers' own pipeline with LCM makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from diffusers import LCMScheduler, StableDiffusionPipeline
from diffusers.schedulers import scheduling_lcm

from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.schedule import Prediction
from smd_cli.engine.stream import picture, single, stream
from smd_cli.models.schedulers import PREDICTIONS
from smd_cli.scene.types import Guidance, Scene

from .scenes import Array, box, brush, plan, relative, scene

SIZE = (64, 48)
WHOLE = box(0, 0, *SIZE, size=SIZE)
PUBLISHED = (999, 919, 759, 499, 259)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(TINY)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(
    pipeline: Any, ours: Plan, monkeypatch: pytest.MonkeyPatch, kind: str, **options: Any
) -> Any:
    """The pipeline's picture or latents for the plan's own noises."""
    fresh = iter(ours.slot_noise[1:, None])
    monkeypatch.setattr(scheduling_lcm, "randn_tensor", lambda *_, **__: next(fresh))
    pipeline.scheduler = LCMScheduler.from_config(
        pipeline.scheduler.config, prediction_type=ours.table.prediction
    )
    made = pipeline(
        "a red fox",
        latents=ours.start_noise(0)[None],
        width=SIZE[0],
        height=SIZE[1],
        output_type=kind,
        guidance_scale=ours.guidance.scale,
        **options,
    )
    assert next(fresh, None) is None  # it took a noise for every slot but the first
    return made.images


def one_brush(**changes: Any) -> tuple[Scene, list[Array]]:
    return scene(brush(1, "a red fox", negative="ugly"), **changes), [WHOLE]


def background_alone(**changes: Any) -> tuple[Scene, list[Array]]:
    full = scene(background="a red fox", **changes)
    return replace(full, background=replace(full.background, negative="ugly")), []


GUIDED = Guidance("full", 1.7)
CASES = [
    *((one_brush, {"steps": 3}, Guidance(), kind) for kind in PREDICTIONS),
    *((one_brush, {"steps": 3}, GUIDED, kind) for kind in PREDICTIONS),
    (one_brush, {"timesteps": PUBLISHED}, GUIDED, "epsilon"),
    (background_alone, {"timesteps": PUBLISHED}, Guidance(), "epsilon"),
    (background_alone, {"steps": 2}, GUIDED, "v_prediction"),
]


@pytest.mark.parametrize(("made", "slots", "guidance", "prediction"), CASES)
def test_latents(
    made: Any,
    slots: dict[str, Any],
    guidance: Guidance,
    prediction: Prediction,
    tiny: Backbone,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted_scene, paint = made(**slots, guidance=guidance)
    ours = plan(tiny, wanted_scene, paint, SIZE)
    ours = replace(ours, table=replace(ours.table, prediction=prediction))
    options = {"num_inference_steps" if k == "steps" else k: v for k, v in slots.items()}
    if guidance.type == "full":
        options["negative_prompt"] = "ugly"
    wanted = theirs(pipeline, ours, monkeypatch, "latent", **options)[0]
    frame = next(single(lambda _: ours, tiny, 1))
    assert relative(frame.latents, wanted) <= 1e-4


@pytest.mark.parametrize("run", [single, stream])
def test_picture(run: Any, tiny: Backbone, pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = plan(tiny, *one_brush(steps=3), size=SIZE)
    wanted = theirs(pipeline, ours, monkeypatch, "np", num_inference_steps=3)[0]
    frame = picture(next(run(lambda _: ours, tiny, 1)), tiny)
    assert np.abs(frame - wanted * 255).max() <= 1
