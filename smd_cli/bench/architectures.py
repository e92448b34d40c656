"""Real architectures with random weights, made in memory: their speed needs no download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from smd_cli.backbone.compiling import compile_blocks
from smd_cli.backbone.loading.files import named
from smd_cli.backbone.loading.load import parts_of
from smd_cli.backbone.loading.single_file import plain_tokenizers
from smd_cli.backbone.memory import place
from smd_cli.backbone.quiet import quiet
from smd_cli.bench.workloads import ARCHITECTURES
from smd_cli.engine.contract import Backbone
from smd_cli.models.configs import json_of
from smd_cli.models.families import Part
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


def random_backbone(
    name: str, device: torch.device, dtype: torch.dtype, *, low: bool, compiled: bool
) -> Backbone:
    """One of ARCHITECTURES; the global generator is left as it was.

    `low` and `compiled`: as by `--low-memory` and `--compile`.
    """
    folder = ARCHITECTURES[name]
    model = ModelRef(name, folder)
    family = family_in(model, folder)
    with quiet(), torch.random.fork_rng([]):
        torch.manual_seed(0)
        modules = {part.name: _made(name, part, dtype) for part in family.modules}
    texts = [modules[part.name] for part in family.encoders]
    denoiser = modules[family.denoiser.name]
    place((*texts, denoiser), modules[family.autoencoder.name], device, low)
    if compiled:
        compile_blocks(denoiser, device, stays=not low)
    modules.update(plain_tokenizers(family))
    adapter = named(family.adapter)
    return cast(Backbone, adapter(parts_of(model, family, modules, device)))


def _made(name: str, part: Part, dtype: torch.dtype) -> Any:
    """A part of this precision; an autoencoder that overflows in fp16 stays in fp32."""
    config = config_of(ARCHITECTURES[name], part.name, name == "tiny")
    spec = part.loader(config)
    kind = named(spec)
    if spec.startswith("transformers:"):
        return kind(kind.config_class(**config)).to(dtype)
    upcast = bool(config.get("force_upcast")) and dtype == torch.float16
    return kind.from_config(config).to(torch.float32 if upcast else dtype)


def config_of(folder: Path, part: str, narrow: bool) -> Config:
    """The config of a part in a folder; `narrow`: with few channels and layers."""
    config = json_of(folder / part / "config.json", folder.name)
    return {**config, **_NARROW[part]} if narrow else config
