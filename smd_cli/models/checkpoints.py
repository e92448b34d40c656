"""What a checkpoint is, from its configs and the names and shapes of its weights.

Never from its name, and without torch: `smd check` asks, too. Weights are read from safetensors
alone; a pickle file could run any code while it is loaded, and is refused.
"""

from __future__ import annotations

import json
import stat
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.configs import read_object

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
LAYOUTS = Path(__file__).parent / "layouts"
_LENGTH_BYTES = 8  # of the number that a safetensors file begins with
_MAX_HEADER_BYTES = 100_000_000
_NO_HEADER = (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error)
_STAND_IN_BYTES = 64  # enough to tell what lies where weights should

CONSISTENCY_SCHEDULERS = ("LCMScheduler", "TCDScheduler")

Shapes = Mapping[str, tuple[int, ...]]
_Header = tuple[Shapes, Mapping[str, str]]

# A weight whose name ends like this tells of another architecture.
_OTHER_WEIGHTS = {
    "control_model.input_blocks.0.0.weight": "a ControlNet",
    "input_hint_block.0.weight": "a ControlNet",
    "distilled_guidance_layer.in_proj.bias": "Chroma",
}
# The same for transformers, in the original layout and in diffusers' own.
_TRANSFORMERS = {
    "joint_blocks.0.x_block.attn.qkv.weight": "Stable Diffusion 3",
    "double_stream_modulation_img.lin.weight": "FLUX.2",
    "double_stream_modulation_img.linear.weight": "FLUX.2",
    "double_blocks.0.img_attn.qkv.weight": "FLUX",
    "double_blocks.0.img_attn.norm.key_norm.scale": "FLUX",
    "noise_refiner.0.attention.qkv.weight": "Z-Image",
    "noise_refiner.0.attention.to_q.weight": "Z-Image",
    "blocks.0.cross_attn.q_linear.weight": "SANA",
    "transformer_blocks.0.attn.norm_added_k.weight": "FLUX or Stable Diffusion 3",
    "transformer_blocks.0.attn.add_k_proj.weight": "FLUX or Stable Diffusion 3",
}
UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
VAE_INPUT = "decoder.conv_in.weight"  # (channels, latent channels, 3, 3)
_LORA_RELATIVES = (".hada_w1_a", ".lokr_w1", ".lokr_w1_a", ".dora_scale", ".oft_blocks")
_EMBEDDINGS = ("emb_params", "clip_l", "clip_g", "string_to_param")
UNET_TEXT = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight"


def trails(scheduler: Mapping[str, Any]) -> bool:
    """Whether a scheduler's config asks for trailing timesteps; LCM has a grid of its own."""
    own_grid = scheduler.get("_class_name") in CONSISTENCY_SCHEDULERS
    return scheduler.get("timestep_spacing") == "trailing" and not own_grid


def refuse_pickle(path: Path | str) -> None:
    """Raise UsageError for a file of Python's pickle format."""
    name = Path(path).name
    if name.lower().endswith(PICKLES):
        raise UsageError(
            f"{name} is a pickle file: loading one can run any program that was hidden in it",
            "use its .safetensors version, or convert it where you trust it: "
            "safetensors.torch.save_file(torch.load(FILE, weights_only=True)['state_dict'], NEW)",
        )


def read_shapes(path: Path) -> Shapes:
    """The shapes of all weights of a safetensors file, by name; no weight is read.

    Raises UsageError for a file that is none, or is cut short.
    """
    return _read(path)[0]


def read_kinds(path: Path) -> Mapping[str, str]:
    """The number formats of all weights of a file as safetensors calls them, such as BF16, by name.

    Raises UsageError as `read_shapes`.
    """
    return _read(path)[1]


def _read(path: Path) -> _Header:
    refuse_pickle(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is no file of weights")
        return _told(path, found.st_size, (found.st_ino, found.st_mtime_ns))
    except OSError as missing:
        raise UsageError(f"cannot read {path}: {missing.strerror}") from missing


@lru_cache(maxsize=64)
def _told(path: Path, size: int, state: tuple[int, int]) -> _Header:  # noqa: ARG001
    """Shapes and formats in a file of `size` bytes, read once for each `state` of it."""
    with path.open("rb") as file:
        _refuse_stand_in(path, file.peek(_STAND_IN_BYTES)[:_STAND_IN_BYTES])
        try:
            entries, body_bytes = _header(file.read, size)
            shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
            kinds = {name: str(entry["dtype"]) for name, entry in entries.items()}
            end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
            lacking = end - body_bytes
        except _NO_HEADER as broken:
            raise UsageError(
                f"{path} is no safetensors file, or is cut short", "download it again"
            ) from broken
    if lacking > 0:
        raise UsageError(f"{path} is cut short: {lacking} bytes lack", "download it again")
    return shapes, kinds


def _refuse_stand_in(path: Path, begin: bytes) -> None:
    """Raise UsageError for what often lies where weights should: `begin` are the first bytes."""
    if not begin:
        raise UsageError(f"{path} is empty", "download it again")
    if begin.startswith(b"version https://git-lfs"):
        raise UsageError(
            f"{path} is a git-LFS pointer: a note of where the weights are, not the weights",
            "git lfs pull, in the folder that was cloned, brings them",
        )
    if begin.lstrip().startswith(b"<"):
        raise UsageError(
            f"{path} is a web page, not weights", "download the file itself, not the page about it"
        )


def _header(read: Callable[[int], bytes], size: int) -> tuple[dict[str, Any], int]:
    """The entries of a safetensors header, and how many bytes of weights follow it."""
    (length,) = struct.unpack("<Q", read(_LENGTH_BYTES))
    if length > min(size, _MAX_HEADER_BYTES):
        raise ValueError(length)
    entries = json.loads(read(length))
    entries.pop("__metadata__", None)
    return entries, size - _LENGTH_BYTES - length


def class_name(folder: Path) -> str | None:
    """The diffusers class that a folder's config.json names; None where it names none."""
    named = (read_object(folder / "config.json") or {}).get("_class_name")
    return None if named is None else str(named)


def described(shapes: Shapes) -> str:
    """What the names of weights tell a file to be; nothing where they tell nothing."""
    for ending, what in _OTHER_WEIGHTS.items():
        if any(name.endswith(ending) for name in shapes):
            return f"{what}, which is another architecture"
    for ending, what in _TRANSFORMERS.items():
        if any(name.endswith(ending) for name in shapes):
            return f"a transformer of {what}, which goes under transformer: beside its model"
    if UNET_INPUT in shapes and UNET_TEXT in shapes:
        return "a whole checkpoint, which goes under model:"
    if is_lora(shapes):
        return "a LoRA, which goes under lora: beside the model it was made for"
    if any(name.endswith(VAE_INPUT) for name in shapes):
        return "an autoencoder, which goes under vae:"
    if any(name in shapes for name in _EMBEDDINGS):
        return "a textual inversion, which is not supported"
    return ""


def width_in(shape: Sequence[int]) -> int:
    """How many channels or features a layer takes whose weight has this shape; 0 for none."""
    return shape[1] if len(shape) > 1 else 0


def is_lora(shapes: Shapes) -> bool:
    """Whether weights are those of a LoRA or one of its relatives."""
    return any("lora" in name or name.endswith(_LORA_RELATIVES) for name in shapes)
