"""The golden files: what the published engine gave, against what `smd render` computes.

Every `*.npz` in the folder named by SMD_GOLDEN_DIR (default: tests/golden, with the model `tiny-sd`
in the same folder) is run through Planner, stream and the decoder with the file's noises injected.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from dense import boxed, weighed
from engine import vectors

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone, Conditioning
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import stream
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Background, Bootstrap, Brush, Guidance, Output, Sampler, Scene

Arrays = dict[str, npt.NDArray[Any]]

OURS = Path(__file__).parent / "golden"
GOLDEN = Path(os.environ.get("SMD_GOLDEN_DIR", OURS)).resolve()
FILES = sorted(GOLDEN.glob("*.npz"))
MASKS, LATENTS = 1e-3, 5e-3  # absolute; of the standard deviation


@cache
def backbone_in(folder: Path) -> Backbone:
    model = folder / "tiny-sd"
    vae = ModelRef("tiny_vae", model / "tiny_vae")
    return load_backbone(ModelRef("tiny-sd", model, vae=vae), "cpu", "fp32")


def test_there_are_files() -> None:
    assert FILES, f"no *.npz in {GOLDEN}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path) -> None:
    check(path, backbone_in(GOLDEN))


def check(path: Path, backbone: Backbone) -> None:
    """Compile the file's scene, run its frames, and compare everything that the file holds."""
    config, held = read(path)
    plan = compiled(config, held, backbone)
    near("masks", weighed(plan.weights), held["masks_quantized"], MASKS)
    near("white", plan.background[None], held["white_latent"], LATENTS)
    near("prompts", prompt_rows(plan), held["prompt_embeds"], 1e-4)
    plan = replace(
        plan,
        slot_noise=torch.from_numpy(held["init_noise"]),
        start_noise=lambda frame: torch.from_numpy(held["frame_noise"][frame]),
    )
    pipe_filling = config["valid_from"]
    count = config["frames"] - pipe_filling
    latents = torch.stack([frame.latents for frame in stream(lambda _: plan, backbone, count)])
    wanted = held["latents"][pipe_filling:]
    near("latents", latents, wanted, LATENTS * wanted.std())
    with torch.inference_mode():
        decoded = backbone.decode_latents(latents[-1:])
    near("decoded", decoded, held["decoded_last"], LATENTS * held["decoded_last"].std())


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with np.load(path) as file:
        held = dict(file)
    return json.loads(str(held.pop("config"))), held


def compiled(config: dict[str, Any], held: Arrays, backbone: Backbone) -> Plan:
    scene = scene_of(config)
    painted = [
        Painted(brush, boxed(paint), ())
        for brush, paint in zip(scene.brushes, held["masks_in"][1:, 0], strict=True)
    ]
    return Planner(backbone).plan(scene, painted, (config["width"], config["height"]))


def scene_of(config: dict[str, Any]) -> Scene:
    """The scene that a file's config describes; options that it leaves out keep our defaults."""
    engine = config["engine"]
    brushes = tuple(
        Brush(
            number=number,
            prompt=config["prompts"][number],
            negative=config["negative_prompts"][number],
            mask=(),
            alpha=config["mask_alpha"][number],
            blur_px=config["mask_blur"][number],
            strength=config["prompt_strength"][number],
        )
        for number in range(1, len(config["prompts"]))
    )
    sampler = Sampler(
        preset="paper",
        steps=None,
        timesteps=tuple(config["sub_timesteps"]),
        mask_type=engine.get("mask_type", Sampler.mask_type),
        cover=config["cover_alpha"],
        bootstrap=Bootstrap(
            engine.get("bootstrap_steps", Bootstrap.steps),
            engine.get("bootstrap_mix_steps", Bootstrap.mix),
            engine.get("bootstrap_leak_sensitivity", Bootstrap.leak),
        ),
        guidance=Guidance(
            engine.get("cfg_type", Guidance.type),
            engine.get("guidance_scale", Guidance.scale),
            engine.get("delta", Guidance.delta),
        ),
    )
    below = Background(config["background_prompt"], config["negative_prompts"][0])
    return Scene(ModelRef("tiny-sd"), below, brushes, sampler, Output())


def prompt_rows(plan: Plan) -> torch.Tensor:
    """The plan's prompts in the file's order: all negatives, then all prompts, slot by slot."""
    parts = [plan.conditioning] if plan.negative is None else [plan.negative, plan.conditioning]
    stacked = [Conditioning.stack(part)["tokens"] for part in parts]
    return torch.cat([tokens.repeat(plan.table.slots, 1, 1) for tokens in stacked])


def near(what: str, ours: torch.Tensor, wanted: npt.NDArray[Any], limit: float) -> None:
    """Fails unless the largest difference of all elements is at most `limit`."""
    assert ours.shape == wanted.shape, what
    apart = float(np.abs(ours.numpy() - wanted).max())
    assert apart <= limit, f"{what}: {apart:.2e} apart, {limit:.2e} allowed"


# A file that says something else must fail; one made by our own naive loop must pass.


def nudge(key: str, share: float) -> Callable[[Arrays], None]:
    """Moves the middle one of an array's elements by a share of the array's deviation."""

    def apply(held: Arrays) -> None:
        flat = held[key].reshape(-1)
        flat[flat.size // 2] += share * flat.std()

    return apply


PERTURBED = {
    "nothing": ("", nudge("latents", 0.0)),
    "masks": ("masks", nudge("masks_quantized", 5e-3)),
    "paint": ("masks", lambda held: held["masks_in"].__setitem__((1, 0, slice(8)), 1)),
    "prompts": ("prompts", nudge("prompt_embeds", 1e-2)),
    "latents": ("latents", nudge("latents", 1e-2)),
    "slot noise": ("latents", nudge("init_noise", 0.5)),
    "start noise": ("latents", nudge("frame_noise", 0.5)),
    "decoded": ("decoded", nudge("decoded_last", 1e-2)),
}


@pytest.mark.parametrize(("fails", "change"), PERTURBED.values(), ids=PERTURBED)
def test_perturbed_file_fails(fails: str, change: Callable[[Arrays], None], tmp_path: Path) -> None:
    backbone = backbone_in(OURS)
    config, held = last_frames(1, *read(OURS / "continuous_boot1.npz"))
    change(held)
    path = write(tmp_path / "perturbed.npz", config, held)
    if not fails:
        check(path, backbone)
        return
    with pytest.raises(AssertionError, match=fails):
        check(path, backbone)


def last_frames(count: int, config: dict[str, Any], held: Arrays) -> tuple[dict[str, Any], Arrays]:
    """The same file with nothing but its last frames, for speed."""
    first, frames = config["valid_from"], config["frames"]
    count = min(count, frames - first)
    held["frame_noise"] = held["frame_noise"][frames - first - count :][:count]
    held["latents"] = held["latents"][frames - count :]
    return {**config, "valid_from": 0, "frames": count}, held


def write(path: Path, config: dict[str, Any], held: Arrays) -> Path:
    np.savez(path, allow_pickle=False, config=np.array(json.dumps(config)), **held)
    return path


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_other_files_of_the_format(vector: vectors.Vector, tmp_path: Path) -> None:
    backbone = backbone_in(OURS)
    check(write(tmp_path / "other.npz", *vectors.made(vector, backbone)), backbone)
