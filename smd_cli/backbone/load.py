"""From a model's name to a loaded backbone, with diffusers' and transformers' own loaders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from smd_cli import hub
from smd_cli.backbone.contract import Backbone
from smd_cli.backbone.quiet import quiet
from smd_cli.backbone.sd import StableDiffusion
from smd_cli.errors import SmdError, UsageError
from smd_cli.hub_cache import downloads_of
from smd_cli.models import latent_factor, read_defaults
from smd_cli.scene.model import ModelRef

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def pick_device(name: str = "auto") -> torch.device:
    """The device by name; auto takes CUDA before MPS before the CPU. Raises UsageError."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as missing:
        raise UsageError(f"there is no device {name!r} here", "try auto or cpu") from missing
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision by name; auto is fp16 on CUDA, fp32 elsewhere."""
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise UsageError(f"there is no precision {name!r}", f"one of auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def load_backbone(model: ModelRef, device: str = "auto", dtype: str = "auto") -> Backbone:
    """Load a diffusers folder or hub id of the SD 1.x class, with the VAE that `model` names.

    Raises UsageError for another architecture, SmdError where files are missing or broken.
    """
    where = pick_device(device)
    precision = pick_dtype(dtype, where)
    with quiet():
        folder = model.folder or hub.fetch(downloads_of(model)[0])
        _refuse_other_families(_json(folder / "model_index.json", model), model)
        try:
            return _load(model, folder, where, precision)
        except SmdError:
            raise
        except torch.OutOfMemoryError as full:
            raise SmdError(
                f"the model {model.name} does not fit into the memory of {where}",
                "try --dtype fp16, a smaller model or --device cpu",
            ) from full
        except Exception as broken:  # the loaders raise all kinds for a broken folder
            reason = " ".join(str(broken).split()).split(". ")[0]
            raise SmdError(f"cannot load the model {model.name}: {reason}") from broken


def _load(model: ModelRef, folder: Path, device: torch.device, dtype: torch.dtype) -> Backbone:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    for part in ("unet", "text_encoder", "tokenizer", *(() if model.vae else ("vae",))):
        if not (folder / part).is_dir():
            raise SmdError(f"the model {model.name} is not whole: it has no folder {part}")
    defaults = read_defaults(ModelRef(model.name, folder, model.revision, model.vae))
    vae, factor = _load_vae(model, folder, dtype)
    unet = _whole(UNet2DConditionModel, folder / "unet", torch_dtype=dtype)
    if unet.config.time_cond_proj_dim is not None:
        raise UsageError(
            f"the model {model.name} is a full LCM, which is not supported yet",
            "fuse an LCM-LoRA into a Stable Diffusion 1 checkpoint instead",
        )
    if unet.config.in_channels != vae.config.latent_channels:
        raise UsageError(
            f"the model {model.name} does not fit: its UNet takes {unet.config.in_channels} "
            f"channels, its autoencoder gives {vae.config.latent_channels}"
        )
    text = _whole(CLIPTextModel, folder / "text_encoder", dtype=dtype)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return StableDiffusion(
        unet=unet.to(device).eval(),
        text_encoder=text.to(device).eval(),
        tokenizer=tokenizer,
        vae=vae.to(device).eval(),
        factor=factor,
        scheduler=defaults.scheduler,
        consistency=defaults.consistency,
    )


def _whole(kind: Any, place: Path, **options: Any) -> Any:
    """A part of a model with all of its weights: the loaders make up those that are missing."""
    part, info = kind.from_pretrained(
        place, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
    )
    if info["missing_keys"]:
        raise SmdError(f"{place} lacks weights, such as {min(info['missing_keys'])}")
    return part


def _load_vae(model: ModelRef, folder: Path, dtype: torch.dtype) -> tuple[Any, int]:
    """The autoencoder, of the class that its config names, and its canvas pixels per cell."""
    place = (
        folder / "vae"
        if model.vae is None
        else model.vae.folder or hub.fetch(downloads_of(model)[-1])
    )
    config = _json(place / "config.json", model.vae or model)
    kind = _vae_class(config.get("_class_name", "of unknown kind"))
    return _whole(kind, place, torch_dtype=dtype), latent_factor(config)


def _vae_class(name: str) -> Any:
    import diffusers

    from smd_cli.starter.codec import PatchAutoencoder

    known = {
        "AutoencoderKL": diffusers.AutoencoderKL,
        "AutoencoderTiny": diffusers.AutoencoderTiny,
        "PatchAutoencoder": PatchAutoencoder,
    }
    if name not in known:
        raise UsageError(f"the autoencoder {name} is not supported", f"known: {', '.join(known)}")
    return known[name]


def _refuse_other_families(index: Mapping[str, Any], model: ModelRef) -> None:
    name = index.get("_class_name", "")
    if "text_encoder_2" in index or "unet" not in index or "text_encoder" not in index:
        raise UsageError(
            f"the model {model.name} is a {name or 'model of unknown kind'}, "
            "which is not supported yet: smd runs models of the Stable Diffusion 1 class"
        )


def _json(path: Path, model: ModelRef) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise UsageError(
            f"{model.name} is not a model folder: it has no {path.name}",
            "a model folder is what diffusers' save_pretrained writes",
        ) from missing
    except (OSError, ValueError) as broken:
        raise SmdError(f"cannot read {path}: {broken}") from broken
    if not isinstance(loaded, dict):
        raise SmdError(f"cannot read {path}: not a JSON object")
    return loaded
