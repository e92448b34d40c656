"""Tiny random models of diffusers' and transformers' real classes, a folder for each family.

All share the tokenizer and the autoencoder of the golden folder's model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from conftest import TINY

CONSISTENCY = "LCMScheduler"
VOCABULARY = 190  # of the golden folder's tokenizer


def tiny_models(folder: Path) -> dict[str, Path]:
    """Write one model folder for each family; the global generator is left as it was."""
    made = {}
    with torch.random.fork_rng():
        for seed, (name, make) in enumerate(_MAKERS.items()):
            torch.manual_seed(seed)
            made[name] = folder / name
            make(made[name])
    return made


def _unet(folder: Path, **changes: Any) -> None:
    from diffusers import UNet2DConditionModel

    config = {
        "sample_size": 8,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
    }
    UNet2DConditionModel(**{**config, **changes}).save_pretrained(folder / "unet")


def _text(folder: Path, part: str, width: int, pooled: bool = False, layers: int = 2) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        projection_dim=24,
        bos_token_id=VOCABULARY - 2,
        eos_token_id=VOCABULARY - 1,
    )
    kind = CLIPTextModelWithProjection if pooled else CLIPTextModel
    kind(config).save_pretrained(folder / part)


def _rest(folder: Path, pipeline: str, texts: int, scheduler: dict[str, Any]) -> None:
    """Index, tokenizers, autoencoder and scheduler config."""
    shutil.copytree(TINY / "vae", folder / "vae")
    index: dict[str, Any] = json.loads((TINY / "model_index.json").read_text())
    index["_class_name"] = pipeline
    index["scheduler"] = ["diffusers", scheduler["_class_name"]]
    for number in range(texts):
        end = f"_{number + 1}" if number else ""
        shutil.copytree(TINY / "tokenizer", folder / f"tokenizer{end}")
        kind = "CLIPTextModelWithProjection" if number else "CLIPTextModel"
        index[f"tokenizer{end}"] = ["transformers", "CLIPTokenizer"]
        index[f"text_encoder{end}"] = ["transformers", kind]
    if texts == 2:
        tokenizer = folder / "tokenizer_2" / "tokenizer_config.json"
        told = json.loads(tokenizer.read_text())
        tokenizer.write_text(json.dumps({**told, "pad_token": "!"}))
        for absent in ("safety_checker", "requires_safety_checker"):
            index.pop(absent)
    (folder / "model_index.json").write_text(json.dumps(index))
    betas = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    (folder / "scheduler").mkdir()
    whole = {**betas, "num_train_timesteps": 1000, "clip_sample": False, **scheduler}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(whole))


def _sd(folder: Path, width: int = 32, unet: dict[str, Any] | None = None, **said: Any) -> None:
    """A model with one text encoder."""
    said.setdefault("_class_name", CONSISTENCY)
    _unet(folder, cross_attention_dim=width, **(unet or {}))
    _text(folder, "text_encoder", width)
    _rest(folder, "StableDiffusionPipeline", 1, said)


def _sdxl(folder: Path, unet: dict[str, Any] | None = None, **said: Any) -> None:
    """A model with two text encoders, of widths 32 and 16; pooled width 24, six size ids of 8."""
    said.setdefault("_class_name", CONSISTENCY)
    added = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 24 + 6 * 8,
    }
    _unet(folder, cross_attention_dim=32 + 16, **{**added, **(unet or {})})
    _text(folder, "text_encoder", 32)
    _text(folder, "text_encoder_2", 16, pooled=True, layers=3)
    _rest(folder, "StableDiffusionXLPipeline", 2, said)


_EULER: dict[str, Any] = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
_LINEAR: dict[str, Any] = {"use_linear_projection": True}
_MAKERS: dict[str, Callable[[Path], None]] = {
    "sd1": lambda folder: _sd(folder),
    "sd2": lambda folder: _sd(folder, 48, _LINEAR, prediction_type="v_prediction"),
    "lcm": lambda folder: _sd(folder, unet={"time_cond_proj_dim": 8}),
    "sd-turbo": lambda folder: _sd(folder, 48, _LINEAR, **_EULER),
    "sdxl": lambda folder: _sdxl(folder),
    "sdxl-lcm": lambda folder: _sdxl(folder, {"time_cond_proj_dim": 8}),
    "sdxl-turbo": lambda folder: _sdxl(folder, **_EULER),
}
FAMILY_NAMES = tuple(_MAKERS)
