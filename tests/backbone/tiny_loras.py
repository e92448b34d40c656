"""Tiny random LoRAs, as diffusers and as kohya's scripts write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from . import theirs

RANK = 2
LAYERS = ["to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj"]


def tiny_lora(name: str, folder: Path, into: Path, seed: int) -> Path:
    """A LoRA over the UNet and the text encoders of a tiny model, in diffusers' format."""
    pipe = theirs.pipeline.__wrapped__(name, folder)
    kept: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for part in ("unet", "text_encoder", "text_encoder_2"):
            module = getattr(pipe, part, None)
            if module is not None:
                config = LoraConfig(r=RANK, target_modules=LAYERS, init_lora_weights=False)
                module.add_adapter(config)
                kept[f"{part}_lora_layers"] = get_peft_model_state_dict(
                    module, adapter_name="default"
                )
    type(pipe).save_lora_weights(into, **kept)
    return into / "pytorch_lora_weights.safetensors"


def as_kohya(file: Path, into: Path, alpha: float) -> Path:
    """The same LoRA of a model with one text encoder in the other format, with an alpha."""
    renamed: dict[str, torch.Tensor] = {}
    for key, matrix in load_file(file).items():
        part, _, rest = key.partition(".")
        layer, _, side = rest.removesuffix(".weight").rpartition(".")
        layer = layer.removesuffix(".lora").replace(".", "_")
        if part == "text_encoder" and not layer.startswith("text_model"):
            layer = f"text_model_{layer}"
        stem = f"lora_{'te' if part == 'text_encoder' else part}_{layer}"
        down = side in ("lora_A", "down", "lora_linear_layer_down")
        renamed[f"{stem}.lora_{'down' if down else 'up'}.weight"] = matrix
        renamed[f"{stem}.alpha"] = torch.tensor(alpha)
    save_file(renamed, into)
    return into
