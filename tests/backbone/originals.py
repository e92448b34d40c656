"""Transformers in the layouts that they were published in, made of diffusers' own.

The names are those of the authors' repositories; each way round is written down here by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

State = dict[str, Tensor]
Names = Sequence[tuple[str, str]]


def renamed(state: Mapping[str, Tensor], names: Names) -> State:
    """The same weights, by regular expressions for the whole of their names."""
    made = {}
    for name, weight in state.items():
        [new] = {
            re.sub(f"^{old}$", new, name) for old, new in names if re.fullmatch(old, name)
        } or {name}
        made[new] = weight
    return made


def fused(state: Mapping[str, Tensor], parts: Sequence[str], whole: str) -> State:
    """Layers side by side as one: `parts` are ends of their names, but for weight or bias."""
    made = dict(state)
    for name in state:
        start, found, kind = name.rpartition(f"{parts[0]}.")
        if found:
            held = [made.pop(f"{start}{part}.{kind}") for part in parts]
            made[f"{start}{whole}.{kind}"] = torch.cat(held)
    return made


def swapped(state: Mapping[str, Tensor], *starts: str) -> State:
    """Scale and shift change places."""
    return {
        name: torch.cat([*reversed(weight.chunk(2))]) if name.startswith(starts) else weight
        for name, weight in state.items()
    }


def z_image(state: State) -> State:
    """Z-Image as its authors write it, and as ComfyUI does; with a norm that nobody uses."""
    names = [
        (r"all_final_layer\.2-1\.(.*)", r"final_layer.\1"),
        (r"all_x_embedder\.2-1\.(.*)", r"x_embedder.\1"),
        (r"(.*)\.to_out\.0\.(.*)", r"\1.out.\2"),
        (r"(.*)\.norm_([qk])\.(.*)", r"\1.\2_norm.\3"),
    ]
    made = fused(state, ("to_q", "to_k", "to_v"), "qkv")
    return {**renamed(made, names), "norm_final.weight": torch.ones(32)}


def sd3(state: State) -> State:
    """Stable Diffusion 3 as its authors write it."""
    last = max(int(name.split(".")[1]) for name in state if name.startswith("transformer_blocks"))
    state = swapped(state, "norm_out", f"transformer_blocks.{last}.norm1_context")
    state = fused(state, ("attn.to_q", "attn.to_k", "attn.to_v"), "x_block.attn.qkv")
    added = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
    state = fused(state, added, "context_block.attn.qkv")
    block = r"transformer_blocks\.(\d+)\."
    names = [
        (r"pos_embed\.pos_embed", "pos_embed"),
        (r"pos_embed\.(proj.*)", r"x_embedder.\1"),
        (r"time_text_embed\.timestep_embedder\.linear_1\.(.*)", r"t_embedder.mlp.0.\1"),
        (r"time_text_embed\.timestep_embedder\.linear_2\.(.*)", r"t_embedder.mlp.2.\1"),
        (r"time_text_embed\.text_embedder\.linear_1\.(.*)", r"y_embedder.mlp.0.\1"),
        (r"time_text_embed\.text_embedder\.linear_2\.(.*)", r"y_embedder.mlp.2.\1"),
        (rf"{block}((x|context)_block.*)", r"joint_blocks.\1.\2"),
        (rf"{block}attn\.norm_([qk])\.(.*)", r"joint_blocks.\1.x_block.attn.ln_\2.\3"),
        (rf"{block}attn\.norm_added_([qk])\.(.*)", r"joint_blocks.\1.context_block.attn.ln_\2.\3"),
        (rf"{block}attn\.to_out\.0\.(.*)", r"joint_blocks.\1.x_block.attn.proj.\2"),
        (rf"{block}attn\.to_add_out\.(.*)", r"joint_blocks.\1.context_block.attn.proj.\2"),
        (rf"{block}norm1\.linear\.(.*)", r"joint_blocks.\1.x_block.adaLN_modulation.1.\2"),
        (
            rf"{block}norm1_context\.linear\.(.*)",
            r"joint_blocks.\1.context_block.adaLN_modulation.1.\2",
        ),
        (rf"{block}ff\.net\.0\.proj\.(.*)", r"joint_blocks.\1.x_block.mlp.fc1.\2"),
        (rf"{block}ff\.net\.2\.(.*)", r"joint_blocks.\1.x_block.mlp.fc2.\2"),
        (rf"{block}ff_context\.net\.0\.proj\.(.*)", r"joint_blocks.\1.context_block.mlp.fc1.\2"),
        (rf"{block}ff_context\.net\.2\.(.*)", r"joint_blocks.\1.context_block.mlp.fc2.\2"),
        (r"proj_out\.(.*)", r"final_layer.linear.\1"),
        (r"norm_out\.linear\.(.*)", r"final_layer.adaLN_modulation.1.\1"),
    ]
    return renamed(state, names)


_FLUX = [
    (r"x_embedder\.(.*)", r"img_in.\1"),
    (r"context_embedder\.(.*)", r"txt_in.\1"),
    (r"proj_out\.(.*)", r"final_layer.linear.\1"),
    (r"norm_out\.linear\.(.*)", r"final_layer.adaLN_modulation.1.\1"),
]
_BLOCK, _SINGLE = r"transformer_blocks\.(\d+)\.", r"single_transformer_blocks\.(\d+)\."


def _joint(state: State) -> State:
    """What both generations of FLUX have in common."""
    state = swapped(state, "norm_out")
    kept = {name: weight for name, weight in state.items() if name.startswith("single_")}
    double = {name: weight for name, weight in state.items() if name not in kept}
    double = fused(double, ("attn.to_q", "attn.to_k", "attn.to_v"), "img_attn.qkv")
    added = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
    double = fused(double, added, "txt_attn.qkv")
    norm = r".norm.{}_norm.scale"
    names = [
        *_FLUX,
        (rf"{_BLOCK}((img|txt)_attn.*)", r"double_blocks.\1.\2"),
        (rf"{_BLOCK}attn\.norm_q\.weight", r"double_blocks.\1.img_attn" + norm.format("query")),
        (rf"{_BLOCK}attn\.norm_k\.weight", r"double_blocks.\1.img_attn" + norm.format("key")),
        (
            rf"{_BLOCK}attn\.norm_added_q\.weight",
            r"double_blocks.\1.txt_attn" + norm.format("query"),
        ),
        (rf"{_BLOCK}attn\.norm_added_k\.weight", r"double_blocks.\1.txt_attn" + norm.format("key")),
        (rf"{_BLOCK}attn\.to_out\.0\.(.*)", r"double_blocks.\1.img_attn.proj.\2"),
        (rf"{_BLOCK}attn\.to_add_out\.(.*)", r"double_blocks.\1.txt_attn.proj.\2"),
    ]
    single = [
        (rf"{_SINGLE}attn\.norm_q\.weight", r"single_blocks.\1" + norm.format("query")),
        (rf"{_SINGLE}attn\.norm_k\.weight", r"single_blocks.\1" + norm.format("key")),
    ]
    return {**renamed(double, names), **renamed(kept, single)}


def klein(state: State) -> State:
    """FLUX.2 as its authors write it."""
    names = [
        (r"time_guidance_embed\.timestep_embedder\.linear_1\.(.*)", r"time_in.in_layer.\1"),
        (r"time_guidance_embed\.timestep_embedder\.linear_2\.(.*)", r"time_in.out_layer.\1"),
        (r"(\w+_stream_modulation\w*)\.linear\.(.*)", r"\1.lin.\2"),
        (rf"{_BLOCK}ff\.linear_in\.(.*)", r"double_blocks.\1.img_mlp.0.\2"),
        (rf"{_BLOCK}ff\.linear_out\.(.*)", r"double_blocks.\1.img_mlp.2.\2"),
        (rf"{_BLOCK}ff_context\.linear_in\.(.*)", r"double_blocks.\1.txt_mlp.0.\2"),
        (rf"{_BLOCK}ff_context\.linear_out\.(.*)", r"double_blocks.\1.txt_mlp.2.\2"),
        (rf"{_SINGLE}attn\.to_qkv_mlp_proj\.(.*)", r"single_blocks.\1.linear1.\2"),
        (rf"{_SINGLE}attn\.to_out\.(.*)", r"single_blocks.\1.linear2.\2"),
    ]
    return renamed(_joint(state), names)


def flux(state: State) -> State:
    """FLUX.1 as its authors write it."""
    joined = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    single = {name: weight for name, weight in state.items() if name.startswith("single_")}
    rest = {name: weight for name, weight in state.items() if name not in single}
    names = [
        (r"time_text_embed\.timestep_embedder\.linear_1\.(.*)", r"time_in.in_layer.\1"),
        (r"time_text_embed\.timestep_embedder\.linear_2\.(.*)", r"time_in.out_layer.\1"),
        (r"time_text_embed\.guidance_embedder\.linear_1\.(.*)", r"guidance_in.in_layer.\1"),
        (r"time_text_embed\.guidance_embedder\.linear_2\.(.*)", r"guidance_in.out_layer.\1"),
        (r"time_text_embed\.text_embedder\.linear_1\.(.*)", r"vector_in.in_layer.\1"),
        (r"time_text_embed\.text_embedder\.linear_2\.(.*)", r"vector_in.out_layer.\1"),
        (rf"{_BLOCK}norm1\.linear\.(.*)", r"double_blocks.\1.img_mod.lin.\2"),
        (rf"{_BLOCK}norm1_context\.linear\.(.*)", r"double_blocks.\1.txt_mod.lin.\2"),
        (rf"{_BLOCK}ff\.net\.0\.proj\.(.*)", r"double_blocks.\1.img_mlp.0.\2"),
        (rf"{_BLOCK}ff\.net\.2\.(.*)", r"double_blocks.\1.img_mlp.2.\2"),
        (rf"{_BLOCK}ff_context\.net\.0\.proj\.(.*)", r"double_blocks.\1.txt_mlp.0.\2"),
        (rf"{_BLOCK}ff_context\.net\.2\.(.*)", r"double_blocks.\1.txt_mlp.2.\2"),
        (rf"{_SINGLE}norm\.linear\.(.*)", r"single_blocks.\1.modulation.lin.\2"),
        (rf"{_SINGLE}linear1\.(.*)", r"single_blocks.\1.linear1.\2"),
        (rf"{_SINGLE}proj_out\.(.*)", r"single_blocks.\1.linear2.\2"),
    ]
    return renamed(_joint({**rest, **fused(single, joined, "linear1")}), names)


ORIGINAL: Mapping[str, Callable[[State], State]] = {
    "z-image": z_image,
    "sd3": sd3,
    "flux2-klein": klein,
}
"""Those of tiny models: that of FLUX.1 diffusers reads at its real width alone."""
