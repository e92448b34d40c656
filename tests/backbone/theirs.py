"""diffusers' own pipelines, made to sample as a plan says and from a plan's own noises."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.schedulers import scheduling_lcm

from smd_cli.backbone.quiet import quiet
from smd_cli.engine.plan import Plan

NO_BOUNDARY = 1e9  # LCM's timestep scaling that leaves nothing of its boundary scalings


@functools.cache
def pipeline(name: str, folder: Path) -> Any:
    """The pipeline class that diffusers has for a family, loaded from its folder."""
    xl, full_lcm = name.startswith("sdxl"), name == "lcm"
    kind = StableDiffusionXLPipeline if xl else StableDiffusionPipeline
    with quiet():
        pipe = (LatentConsistencyModelPipeline if full_lcm else kind).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latents(
    pipe: Any, ours: Plan, prompt: str, scale: float, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> torch.Tensor:
    """The pipeline's latents (C, h, w) for the timesteps, the size and the noises of a plan."""
    table = ours.table
    if ours.keeps_noise:
        keys = {"set_alpha_to_one": True, "steps_offset": 1, "timestep_spacing": "leading"}
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, **keys)
        sampled: dict[str, Any] = {"num_inference_steps": table.slots}
    else:
        fresh = iter(ours.slot_noise[1:, None])
        monkeypatch.setattr(scheduling_lcm, "randn_tensor", lambda *_, **__: next(fresh))
        scaling = 10.0 if table.c_skip[-1] else NO_BOUNDARY
        pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config, timestep_scaling=scaling)
        sampled = {"timesteps": list(table.timesteps)}
    with quiet():
        made = pipe(
            prompt,
            latents=ours.start_noise(0)[None],
            width=ours.size[0],
            height=ours.size[1],
            output_type="latent",
            guidance_scale=scale,
            **sampled,
            **more,
        )
    wanted: torch.Tensor = made.images[0]
    return wanted
