"""Golden files of our own making: the naive loop run by the published rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine.contract import Backbone, Conditioning

from . import naive

Made = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class Vector:
    """What a file is about; one entry a brush, the background's first."""

    name: str
    size: tuple[int, int]
    taus: tuple[int, ...]
    prompts: tuple[str, ...]
    alphas: tuple[float, ...]
    blurs_px: tuple[float, ...]
    strengths: tuple[float, ...]
    engine: dict[str, Any] = field(default_factory=dict)
    frames: int = 1


ALL = (
    Vector("background alone", (64, 96), (999,), ("sea",), (1.0,), (0.0,), (1.0,), frames=3),
    Vector(
        "four brushes, three slots, guidance",
        (96, 64),
        (959, 639, 219),
        ("a hill", "a fox", "an owl", "a tree", "the moon"),
        (1.0, 0.98, 1.0, 0.995, 1.0),
        (0.0, 2.0, 0.0, 1.0, 3.0),
        (1.0, 0.9, 0.7, 1.0, 0.95),
        {"cfg_type": "full", "guidance_scale": 2.0, "bootstrap_steps": 2},
    ),
    Vector(
        "one brush, seven slots, defaults",
        (64, 64),
        (999, 879, 719, 579, 439, 299, 159),
        ("a hill", "a fox"),
        (1.0, 1.0),
        (0.0, 1.5),
        (1.0, 1.0),
        {"bootstrap_mix_steps": 0.4},
    ),
)


def made(vector: Vector, backbone: Backbone) -> Made:
    """The file's config and arrays."""
    width, height = vector.size
    latent = (backbone.channels, height // backbone.factor, width // backbone.factor)
    draw = torch.Generator().manual_seed(1)
    slots, count = len(vector.taus), len(vector.prompts)
    slot_noise = torch.randn((slots, *latent), generator=draw)
    starts = torch.randn((vector.frames, *latent), generator=draw)
    paint = _paint(count - 1, height, width)
    engine = vector.engine
    weights = naive.weights(
        paint,
        vector.alphas[1:],
        vector.blurs_px[1:],
        naive.sigmas(vector.taus),
        factor=backbone.factor,
        mask_type=engine.get("mask_type", "continuous"),
        cover=0.3,
        published=True,
        background=True,
    )
    with torch.inference_mode():
        white = backbone.encode_image(torch.ones(1, 3, height, width))
        prompts = _mixed(backbone, vector.prompts, vector.strengths)
        negatives = _mixed(backbone, _negatives(vector), vector.strengths)
        frames = [
            naive.frame(
                naive.Case(
                    taus=vector.taus,
                    weights=torch.from_numpy(weights).float(),
                    prompts=[Conditioning({"tokens": row[None]}) for row in prompts],
                    negatives=[Conditioning({"tokens": row[None]}) for row in negatives],
                    background=white[0],
                    white=white[0],
                    slot_noise=slot_noise,
                    start=start,
                    painted=True,
                    bootstrap=engine.get("bootstrap_steps", 1),
                    mix=engine.get("bootstrap_mix_steps", 1.0),
                    guidance=engine.get("cfg_type", "none"),
                    scale=engine.get("guidance_scale", 1.0),
                ),
                naive.network_of(backbone),
            )
            for start in starts
        ]
        decoded = backbone.decode_latents(frames[-1][None])
    full = engine.get("cfg_type") == "full"
    rows = [*(negatives * slots if full else []), *(prompts * slots)]
    filling = [torch.zeros(latent)] * (slots - 1)
    held = {
        "masks_in": np.concatenate([(paint == 0).all(axis=0)[None], paint])[:, None],
        "masks_quantized": weights[:, :, None],
        "prompt_embeds": torch.stack(rows),
        "white_latent": white,
        "init_noise": slot_noise,
        "frame_noise": starts,
        "latents": torch.stack([*filling, *frames]),
        "decoded_last": decoded,
    }
    return _config(vector), {k: np.asarray(v, dtype=np.float32) for k, v in held.items()}


def _config(vector: Vector) -> dict[str, Any]:
    return {
        "width": vector.size[0],
        "height": vector.size[1],
        "frames": len(vector.taus) - 1 + vector.frames,
        "valid_from": len(vector.taus) - 1,
        "engine": vector.engine,
        "mask_alpha": vector.alphas,
        "mask_blur": vector.blurs_px,
        "prompt_strength": vector.strengths,
        "prompts": vector.prompts,
        "negative_prompts": _negatives(vector),
        "background_prompt": vector.prompts[0],
        "cover_alpha": 0.3,
        "sub_timesteps": vector.taus,
    }


def _negatives(vector: Vector) -> list[str]:
    return [f"no {prompt}" for prompt in vector.prompts]


def _mixed(backbone: Backbone, texts: Sequence[str], strengths: Sequence[float]) -> list[Tensor]:
    """Embeddings (L, D), each mixed with the first by its strength."""
    rows = [backbone.encode_prompts([text])["tokens"][0] for text in texts]
    return [(1 - s) * rows[0] + s * row for s, row in zip(strengths, rows, strict=True)]


def _paint(count: int, height: int, width: int) -> naive.Array:
    """Overlapping boxes, hard and half-transparent by turns."""
    paint = np.zeros((count, height, width))
    for p in range(count):
        top, left = 5 + 9 * p, 3 + 7 * p
        paint[p, top : top + 28, left : left + 30] = 1 - (p % 2) / 255
    return paint
