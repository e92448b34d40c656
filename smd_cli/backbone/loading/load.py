"""From what a scene calls its model to a loaded backbone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from smd_cli.backbone.families.adapters import ADAPTERS
from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.fetch import model_folder, vae_folder
from smd_cli.backbone.loading.lora import fuse_loras
from smd_cli.backbone.loading.single_file import load_file
from smd_cli.backbone.memory import is_full, keep_freed, place
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.quiet import quiet
from smd_cli.engine.contract import Backbone
from smd_cli.errors import SmdError, UsageError
from smd_cli.models.facts import read_defaults
from smd_cli.models.families import Family
from smd_cli.models.files import refuse_unfit
from smd_cli.models.ref import ModelRef

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
    try:
        square = torch.ones(2, 2, dtype=DTYPES[name], device=device)
        (square @ square).sum().item()
    except (RuntimeError, TypeError, AssertionError) as unfit:
        raise UsageError(f"{device} cannot work in {name}", "try --dtype fp32") from unfit
    return DTYPES[name]


def load_backbone(
    model: ModelRef, device: str = "auto", dtype: str = "auto", *, low_memory: bool = False
) -> Backbone:
    """Load a model: a diffusers folder, a hub id or a single file, with its VAE and LoRAs.

    `low_memory` keeps only the part that works on the device, and decodes pictures in tiles.
    Raises UsageError for another architecture, SmdError where files are missing or broken.
    """
    where = pick_device(device)
    precision = pick_dtype(dtype, where)
    keep_freed()
    with quiet():
        try:
            return _load(model, where, precision, low_memory)
        except SmdError:
            raise
        except Exception as broken:  # the loaders raise all kinds for a broken folder
            if is_full(broken):
                raise SmdError(
                    f"the model {model.name} does not fit into the memory of {where}",
                    "try --dtype fp16, a smaller model or --device cpu",
                ) from broken
            reason = " ".join(str(broken).split()).split(". ")[0]
            raise SmdError(f"cannot load the model {model.name}: {reason}") from broken


def _load(model: ModelRef, device: torch.device, dtype: torch.dtype, low_memory: bool) -> Backbone:
    model = _here(model)
    refuse_unfit(model)
    if model.file:
        family, index, modules, factor = load_file(model, model.file, dtype)
    else:
        assert model.folder is not None
        family, index, modules, factor = files.load_folder(model, model.folder, dtype)
    unet, vae, defaults = modules["unet"], modules["vae"], read_defaults(model)
    parts = [modules[part] for part in (*family.text_parts, "unet")]
    native_px = max(defaults.native_size)
    if not low_memory:  # fusing is quicker there
        for part in parts:
            part.to(device)
    fuse_loras(model, family, modules)
    place(parts, vae.to(_vae_dtype(family, vae, dtype)), device, low_memory)
    return ADAPTERS[family](
        Parts(
            unet=unet,
            tokenizers=tuple(modules[part] for part in family.tokenizer_parts),
            text_encoders=tuple(modules[part] for part in family.text_parts),
            vae=vae,
            factor=factor,
            window_px=defaults.window_px or native_px,
            native_px=native_px,
            scheduler=defaults.scheduler,
            consistency=defaults.consistency,
            zero_empty=bool(index.get("force_zeros_for_empty_prompt", True)),
            clip_skip=model.clip_skip,
            device=device,
        )
    )


def _here(model: ModelRef) -> ModelRef:
    """The model with folders of the hub cache in the place of hub ids; fetches what lacks."""
    vae = model.vae
    if vae and not vae.file:
        vae = replace(vae, folder=vae_folder(vae))
    return replace(model, vae=vae, folder=None if model.file else model_folder(model))


def _vae_dtype(family: Family, vae: Any, dtype: torch.dtype) -> torch.dtype:
    """The autoencoder's precision: fp32 where the family's is known to overflow in fp16."""
    overflows = family.vae_overflows and bool(vae.config.get("force_upcast", False))
    return torch.float32 if overflows and dtype == torch.float16 else dtype
