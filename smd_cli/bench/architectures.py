"""Real architectures with random weights, made in memory: their speed needs no download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone.families.adapters import ADAPTERS
from smd_cli.backbone.loading.tokenizer import END, clip_tokenizer
from smd_cli.backbone.memory import place
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.quiet import quiet
from smd_cli.bench.workloads import ARCHITECTURES
from smd_cli.engine.contract import Backbone
from smd_cli.models.cache import INDEX
from smd_cli.models.configs import json_of
from smd_cli.models.facts import latent_factor, read_defaults
from smd_cli.models.families import Family
from smd_cli.models.files import family_in
from smd_cli.models.ref import ModelRef

Config = dict[str, Any]

_NARROW: Mapping[str, Config] = {
    "unet": {
        "block_out_channels": [8, 16, 16, 16],
        "norm_num_groups": 4,
        "attention_head_dim": 2,
        "layers_per_block": 1,
        "cross_attention_dim": 32,
    },
    "vae": {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4, "layers_per_block": 1},
    "text_encoder": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
    },
}
"""What makes the layout of Stable Diffusion 1.5 tiny."""


def random_backbone(name: str, device: torch.device, dtype: torch.dtype, low: bool) -> Backbone:
    """One of ARCHITECTURES; the global generator is left as it was. `low`: as `--low-memory`."""
    folder = ARCHITECTURES[name]
    model = ModelRef(name, folder)
    family = family_in(model, folder)
    with quiet(), torch.random.fork_rng([]):
        torch.manual_seed(0)
        modules = {
            part: _made(name, family, part, dtype) for part in ("unet", "vae", *family.text_parts)
        }
    vae = modules["vae"]
    texts = tuple(modules[part] for part in family.text_parts)
    place((*texts, modules["unet"]), vae, device, low)
    defaults = read_defaults(model)
    native_px = max(defaults.native_size)
    return ADAPTERS[family](
        Parts(
            unet=modules["unet"],
            tokenizers=tuple(clip_tokenizer(pad) for pad in (END, "!")[: len(texts)]),
            text_encoders=texts,
            vae=vae,
            factor=latent_factor(vae.config),
            window_px=defaults.window_px or native_px,
            native_px=native_px,
            scheduler=defaults.scheduler,
            consistency=defaults.consistency,
            zero_empty=bool(
                json_of(folder / INDEX, name).get("force_zeros_for_empty_prompt", True)
            ),
            clip_skip=0,
            device=device,
        )
    )


def _made(name: str, family: Family, part: str, dtype: torch.dtype) -> Any:
    """A part of this precision; an autoencoder that overflows in fp16 stays in fp32."""
    config = config_of(ARCHITECTURES[name], part, name == "tiny")
    if part in family.text_parts:
        return _text(part, config).to(dtype)
    import diffusers

    module = getattr(diffusers, config["_class_name"]).from_config(config)
    upcast = bool(config.get("force_upcast")) and dtype == torch.float16
    return module.to(torch.float32 if upcast else dtype)


def _text(part: str, config: Config) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    return kinds[part](CLIPTextConfig(**config))


def config_of(folder: Path, part: str, narrow: bool) -> Config:
    """The config of a part in a folder; `narrow`: with few channels and layers."""
    config = json_of(folder / part / "config.json", folder.name)
    return {**config, **_NARROW[part]} if narrow else config
