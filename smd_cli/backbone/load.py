"""From what a scene calls its model to a loaded backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone import files
from smd_cli.backbone.contract import Backbone
from smd_cli.backbone.families import Family, family_of
from smd_cli.backbone.fetch import model_folder
from smd_cli.backbone.lora import fuse_loras
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.quiet import quiet
from smd_cli.errors import SmdError, UsageError
from smd_cli.models import read_defaults
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
    """The precision by name; auto is fp16 on CUDA, fp32 elsewhere. Raises UsageError."""
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise UsageError(f"there is no precision {name!r}", f"one of auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def load_backbone(model: ModelRef, device: str = "auto", dtype: str = "auto") -> Backbone:
    """Load a model: a diffusers folder or a hub id, with the VAE that `model` names.

    Raises UsageError for another architecture, SmdError where files are missing or broken.
    """
    where = pick_device(device)
    precision = pick_dtype(dtype, where)
    with quiet():
        try:
            return _load(replace(model, folder=model_folder(model)), where, precision)
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


def _load(model: ModelRef, device: torch.device, dtype: torch.dtype) -> Backbone:
    assert model.folder is not None
    index = files.json_of(model.folder / "model_index.json", model.name)
    unet = model.folder / "unet" / "config.json"
    config = files.json_of(unet, model.name) if unet.is_file() else {}
    family = family_of(model.name, index, config)
    return family(_parts(model, model.folder, family, index, device, dtype))


def _parts(
    model: ModelRef,
    folder: Path,
    family: Family,
    index: dict[str, Any],
    device: torch.device,
    dtype: torch.dtype,
) -> Parts:
    needed = ("unet", *family.text_parts, *files.tokenizer_parts(family))
    files.refuse_missing(model.name, folder, needed if model.vae else (*needed, "vae"))
    defaults = read_defaults(model)
    vae, factor = files.load_vae(model, folder, dtype)
    unet = files.load_unet(folder, dtype)
    _refuse_unlike(model.name, unet.config.in_channels, vae.config.latent_channels)
    texts = tuple(text.to(device).eval() for text in files.load_texts(folder, family, dtype))
    tokenizers = files.load_tokenizers(folder, family)
    unet = unet.to(device).eval()
    modules = {
        "unet": unet,
        "vae": vae,
        **dict(zip(family.text_parts, texts, strict=True)),
        **dict(zip(files.tokenizer_parts(family), tokenizers, strict=True)),
    }
    fuse_loras(model, family, modules)
    return Parts(
        unet=unet,
        tokenizers=tokenizers,
        text_encoders=texts,
        vae=vae.to(device, vae_dtype(family, vae, dtype)).eval(),
        factor=factor,
        scheduler=defaults.scheduler,
        consistency=defaults.consistency,
        zero_empty=bool(index.get("force_zeros_for_empty_prompt", True)),
        clip_skip=model.clip_skip,
        device=device,
    )


def vae_dtype(family: Family, vae: Any, dtype: torch.dtype) -> torch.dtype:
    """The autoencoder's precision: fp32 where the family's is known to overflow in fp16."""
    overflows = family.vae_overflows and bool(vae.config.get("force_upcast", False))
    return torch.float32 if overflows and dtype == torch.float16 else dtype


def _refuse_unlike(name: str, unet: int, vae: int) -> None:
    """Raise UsageError where UNet and autoencoder differ in latent channels."""
    if unet != vae:
        raise UsageError(
            f"the model {name} does not fit: its UNet takes {unet} channels, "
            f"its autoencoder gives {vae}"
        )
