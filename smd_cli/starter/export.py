"""Writes a trained model as an ordinary diffusers folder with the tool's defaults beside it."""

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS

SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}
"""Noise levels of Stable Diffusion's table; the model predicts the velocity."""

SAMPLER: dict[str, Any] = {
    "timesteps": [420, 280, 180, 110, 50],
    "guidance": {"type": "none"},
    "bootstrap": {"steps": 3, "mix": 3.0},
}
"""How the model samples best: three slots in which every brush sees its own region on white, and
two in which it sees the whole canvas, and melts into it."""


LEARNT: dict[str, Any] = {
    "timesteps": [20, 479],
    "smallest_px": 48,
    "largest_px": 192,
    "window_px": 192,
}
"""What the targets show: the timesteps of their slots, and objects of six cells at least."""


def defaults() -> dict[str, Any]:
    """What the tool takes when a scene does not say, in the words of the scene format."""
    return {
        "native_size": [256, 256],
        "consistency": False,
        "sampler": SAMPLER,
        "blur": 2,
        "learnt": LEARNT,
        "vocabulary": {
            "objects": list(OBJECTS),
            "materials": list(MATERIALS),
            "colours": list(COLOURS),
        },
    }


def export(
    folder: Path,
    unet: Any,
    text_encoder: Any,
    tokenizer: Any,
    codec: PatchAutoencoder,
) -> None:
    """Write the folder with half-precision weights; it replaces an older one in one move."""
    half = [deepcopy(part).to("cpu", torch.float16).eval() for part in (unet, text_encoder, codec)]
    pipeline = StableDiffusionPipeline(
        unet=half[0],
        text_encoder=half[1],
        vae=half[2],
        tokenizer=tokenizer,
        scheduler=DDIMScheduler.from_config(SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh)
    _forget_origin(fresh / "vae" / "config.json")
    (fresh / "smd.json").write_text(json.dumps(defaults(), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)


def _forget_origin(config: Path) -> None:
    """Take out where the codec was loaded from: a path of the machine that trained it."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings.pop("_name_or_path", None)
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
