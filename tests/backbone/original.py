"""Tiny models as single files in the original layout: diffusers' names turned back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Weights = dict[str, torch.Tensor]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "encoder.layers": "transformer.resblocks",
    "self_attn": "attn",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def save_original(pipe: Any, file: Path) -> Path:
    """Write a pipeline of two-level, one-layer UNet blocks (SD 1 or XL) as one file."""
    held = {"model.diffusion_model": _unet(pipe.unet), "first_stage_model": _vae(pipe.vae)}
    text = _clip(pipe.text_encoder)
    if hasattr(pipe, "text_encoder_2"):
        held["conditioner.embedders.0.transformer.text_model"] = text
        held["conditioner.embedders.1.model"] = _open_clip(pipe.text_encoder_2)
    else:
        held["cond_stage_model.transformer.text_model"] = text
    named = {f"{p}.{key}": w.contiguous() for p, part in held.items() for key, w in part.items()}
    save_file(named, file)
    return file


def _unet(unet: Any) -> Weights:
    """Two levels of one layer: input blocks 0 to 3, output blocks 0 to 3."""
    weights = unet.state_dict()
    attending = {key[: len("up_blocks.0")] for key in weights if "attentions" in key}
    return {_unet_name(key, attending): weight for key, weight in weights.items()}


def _unet_name(key: str, attending: set[str]) -> str:
    for ours, original in _UNET.items():
        if key.startswith(f"{ours}."):
            return key.replace(ours, original, 1)
    down = re.match(r"down_blocks\.(\d)\.(resnets|attentions|downsamplers)\.(\d)\.", key)
    up = re.match(r"up_blocks\.(\d)\.(resnets|attentions|upsamplers)\.(\d)\.", key)
    mid = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.", key)
    if mid:
        place = 1 if mid[1] == "attentions" else 2 * int(mid[2])
        return f"middle_block.{place}.{_layer(mid[1], key[mid.end() :])}"
    if down:
        level, kind, layer = int(down[1]), down[2], int(down[3])
        block = 1 + 2 * level + (1 if kind == "downsamplers" else layer)
        place = 1 if kind == "attentions" else 0
        return f"input_blocks.{block}.{place}.{_layer(kind, key[down.end() :])}"
    assert up, key
    level, kind, layer = int(up[1]), up[2], int(up[3])
    block = 2 * level + (1 if kind == "upsamplers" else layer)
    last = 2 if f"up_blocks.{level}" in attending else 1
    place = {"resnets": 0, "attentions": 1, "upsamplers": last}[kind]
    return f"output_blocks.{block}.{place}.{_layer(kind, key[up.end() :])}"


def _layer(kind: str, rest: str) -> str:
    """The end of a name within a block."""
    if kind == "downsamplers":
        return rest.replace("conv.", "op.", 1)
    if kind == "resnets":
        first, _, last = rest.rpartition(".")
        return f"{_RESNET[first]}.{last}"
    return rest


def _vae(vae: Any) -> Weights:
    made = {}
    for key, weight in vae.state_dict().items():
        name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", key)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{3 - int(m[1])}", name)
        name = re.sub(r"(up\.\d)\.resnets\.(\d)", r"\1.block.\2", name)
        name = re.sub(r"(up\.\d)\.upsamplers\.0", r"\1.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        for ours, original in {
            "to_q": "q",
            "to_k": "k",
            "to_v": "v",
            "to_out.0": "proj_out",
        }.items():
            if f"attn_1.{ours}." in name:
                name = name.replace(ours, original)
                weight = weight[:, :, None, None] if weight.ndim == 2 else weight
        made[name] = weight
    return made


def _clip(encoder: Any) -> Weights:
    return {key.removeprefix("text_model."): w for key, w in encoder.state_dict().items()}


def _open_clip(encoder: Any) -> Weights:
    """Query, key and value are one matrix there, and the projection is transposed."""
    made: Weights = {}
    for key, weight in _clip(encoder).items():
        name = key
        for ours, original in _OPEN_CLIP.items():
            name = name.replace(ours, original)
        part = re.search(r"\.([qkv])_proj\.", name)
        if name == "text_projection.weight":
            made["text_projection"] = weight.T
        elif part is None:
            made[name] = weight
        elif part[1] == "q":
            parts = [encoder.state_dict()[_full(encoder, key, each)] for each in "qkv"]
            end = name.rpartition(".")[2]
            made[f"{name[: part.start()]}.in_proj_{end}"] = torch.cat(parts)
    return made


def _full(encoder: Any, key: str, part: str) -> str:
    wrapped = "text_model." if hasattr(encoder, "text_model") else ""
    return wrapped + key.replace("q_proj", f"{part}_proj")
