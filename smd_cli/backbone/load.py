"""From a model's name to a loaded backbone, with diffusers' and transformers' own loaders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone.contract import Backbone
from smd_cli.backbone.quiet import quiet
from smd_cli.backbone.sd import StableDiffusion
from smd_cli.errors import SmdError, UsageError
from smd_cli.models import ModelDefaults, latent_factor, read_defaults
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
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as missing:
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
        folder = model.folder or _download(model)
        index = _json(folder / "model_index.json", model)
        _refuse_other_families(index, model)
        try:
            return _load(model, folder, index, where, precision)
        except (OSError, ValueError, RuntimeError, KeyError) as broken:
            if isinstance(broken, torch.OutOfMemoryError):
                raise SmdError(
                    f"the model {model.name} does not fit into the memory of {where}",
                    "try --dtype fp16, a smaller model or --device cpu",
                ) from broken
            reason = " ".join(str(broken).split())
            raise SmdError(f"cannot load the model {model.name}: {reason}") from broken


def _load(
    model: ModelRef,
    folder: Path,
    index: Mapping[str, Any],
    device: torch.device,
    dtype: torch.dtype,
) -> Backbone:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    defaults = read_defaults(ModelRef(model.name, folder, model.revision, model.vae))
    vae, factor = _load_vae(model, folder, index, defaults)
    options = {"torch_dtype": dtype, "use_safetensors": True, "local_files_only": True}
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **options)
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
    text = CLIPTextModel.from_pretrained(
        folder / "text_encoder", dtype=dtype, use_safetensors=True, local_files_only=True
    )
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return StableDiffusion(
        unet=unet.to(device).eval(),
        text_encoder=text.to(device).eval(),
        tokenizer=tokenizer,
        vae=vae.to(device, dtype).eval(),
        factor=factor,
        scheduler=defaults.scheduler,
        consistency=defaults.consistency,
    )


def _load_vae(
    model: ModelRef, folder: Path, index: Mapping[str, Any], defaults: ModelDefaults
) -> tuple[Any, int]:
    """The autoencoder, of the class that its config names, and its canvas pixels per cell."""
    if model.vae is None:
        place, name, factor = folder / "vae", index["vae"][1], defaults.factor
    else:
        place = model.vae.folder or _download(model.vae)
        config = _json(place / "config.json", model.vae)
        name, factor = config["_class_name"], latent_factor(config)
    kind = _vae_class(name)
    return kind.from_pretrained(place, use_safetensors=True, local_files_only=True), factor


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


def _download(model: ModelRef) -> Path:
    """A hub model's folder in the hub cache, fetched where it is not there yet."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*/model.safetensors", "*diffusion_pytorch_model.safetensors"]
    try:
        return Path(snapshot_download(model.name, revision=model.revision, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as missing:
        raise SmdError(
            f"cannot get the model {model.name} from the Hugging Face hub",
            "check the name and the network, or give a local folder",
        ) from missing


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
    return dict(loaded)
