"""The plain baseline is the published algorithm: it passes the golden files, by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine import vectors
from test_golden import (
    FILES,
    GOLDEN,
    LATENTS,
    MASKS,
    OURS,
    Arrays,
    backbone_in,
    last_frames,
    near,
    read,
)

from smd_cli.bench import plain
from smd_cli.bench.published import published_weights
from smd_cli.engine.contract import Backbone, Conditioning
from smd_cli.scene.types import Bootstrap, Guidance


def painting_in(config: dict[str, Any], held: Arrays, backbone: Backbone) -> plain.Painting:
    """What a file describes; nothing of it is worked out by the engine but the step table."""
    engine = config["engine"]
    table = backbone.step_table(None, config["sub_timesteps"], (config["width"], config["height"]))
    weights = published_weights(
        torch.from_numpy(held["masks_in"][1:, 0]),
        config["mask_alpha"][1:],
        config["mask_blur"][1:],
        table.sigmas,
        factor=backbone.factor,
        mask_type=engine.get("mask_type", "continuous"),
        cover=config["cover_alpha"],
    )
    white = torch.from_numpy(held["white_latent"][0])
    embeds = torch.from_numpy(held["prompt_embeds"])
    guided = engine.get("cfg_type", "none") == "full"
    return plain.Painting(
        table=table,
        weights=weights,
        prompts=Conditioning({"tokens": embeds[-len(weights) :]}),
        negatives=Conditioning({"tokens": embeds[: len(weights)]}),
        background=white,
        white=white,
        slot_noise=torch.from_numpy(held["init_noise"]),
        start_noise=lambda frame: torch.from_numpy(held["frame_noise"][frame]),
        bootstrap=Bootstrap(
            engine.get("bootstrap_steps", Bootstrap.steps),
            engine.get("bootstrap_mix_steps", Bootstrap.mix),
        ),
        scale=engine.get("guidance_scale", Guidance.scale),
        guided=guided,
    )


def check(config: dict[str, Any], held: Arrays, backbone: Backbone) -> None:
    painting = painting_in(config, held, backbone)
    near("masks", painting.weights, held["masks_quantized"], MASKS)
    count = config["frames"] - config["valid_from"]
    latents = torch.stack([*plain.stream(lambda: painting, backbone, count)])
    wanted = held["latents"][config["valid_from"] :]
    near("latents", latents, wanted, LATENTS * wanted.std())
    with torch.inference_mode():
        decoded = backbone.decode_latents(latents[-1:])
    near("decoded", decoded, held["decoded_last"], LATENTS * held["decoded_last"].std())


LONG = {"cfg_full", "gray_mask_alpha", "semicontinuous_boot2_overlap", "continuous_boot_all"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in LONG)) for p in FILES],
)
def test_golden_file(path: Path) -> None:
    check(*last_frames(1 if path.stem in LONG else 2, *read(path)), backbone_in(GOLDEN))


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_other_files_of_the_format(vector: vectors.Vector) -> None:
    backbone = backbone_in(OURS)
    check(*vectors.made(vector, backbone), backbone)


@pytest.mark.parametrize("key", ["masks_quantized", "latents", "init_noise", "frame_noise"])
def test_a_file_that_says_something_else_fails(key: str) -> None:
    config, held = last_frames(1, *read(OURS / "continuous_boot1.npz"))
    moved: npt.NDArray[Any] = held[key].reshape(-1)
    moved[moved.size // 2] += np.float32(0.5) * moved.std()
    with pytest.raises(AssertionError):
        check(config, held, backbone_in(OURS))


@pytest.mark.slow
def test_a_single_picture_is_the_stream_s() -> None:
    """Guided by both halves, at a scale that is not 1."""
    backbone = backbone_in(OURS)
    painting = painting_in(*read(OURS / "cfg_full.npz"), backbone)
    streamed = [*plain.stream(lambda: painting, backbone, 2)]
    for frame, latents in enumerate(streamed):
        alone = plain.single(painting, backbone, frame)
        near("latents", alone, latents.numpy(), 1e-4 * float(latents.std()))
