"""From what a scene calls its model to a loaded backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch

from smd_cli.backbone.compiling import compile_blocks
from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.failures import loading
from smd_cli.backbone.loading.fetch import model_folder, vae_folder
from smd_cli.backbone.loading.lora import fuse_loras, touch_encoders
from smd_cli.backbone.loading.single_file import load_file
from smd_cli.backbone.loading.staged import Coming, network_config, readers_in
from smd_cli.backbone.memory import keep_freed, place
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompt_store import PromptStore
from smd_cli.backbone.stages import Stages
from smd_cli.engine.contract import Backbone
from smd_cli.errors import UsageError
from smd_cli.models.cache import INDEX
from smd_cli.models.configs import read_object
from smd_cli.models.facts import pipeline_folder, read_defaults
from smd_cli.models.families import Family
from smd_cli.models.files import facts_of, family_in, refuse_unfit
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


def precision_of(model: ModelRef, name: str, device: torch.device) -> torch.dtype:
    """The precision by name that a model, which is here, is loaded in. Raises UsageError."""
    told = facts_of(model)
    return pick_dtype(name, device, DTYPES[told[0].half if told else "fp16"])


def pick_dtype(name: str, device: torch.device, half: torch.dtype = torch.float16) -> torch.dtype:
    """The precision by name. Raises UsageError.

    auto is `half` on CUDA, bf16 on a CPU that computes in it, fp32 elsewhere.
    """
    if name == "auto":
        if device.type == "cuda":
            return half
        halves = device.type == "cpu" and _cpu_computes_in_bf16()
        return torch.bfloat16 if halves else torch.float32
    if name not in DTYPES:
        raise UsageError(f"there is no precision {name!r}", f"one of auto, {', '.join(DTYPES)}")
    try:
        square = torch.ones(2, 2, dtype=DTYPES[name], device=device)
        (square @ square).sum().item()
    except (RuntimeError, TypeError, AssertionError) as unfit:
        raise UsageError(f"{device} cannot work in {name}", "try --dtype fp32") from unfit
    return DTYPES[name]


def _cpu_computes_in_bf16() -> bool:
    """Whether the CPU multiplies in bf16 itself, and torch has the library that has it do so.

    Others imitate it, many times slower than fp32; an older torch cannot tell.
    """
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    known = any(told.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return known and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def load_backbone(
    model: ModelRef,
    device: str = "auto",
    dtype: str = "auto",
    *,
    low_memory: bool = False,
    compiled: bool = False,
    lost: Callable[[str], object] = str,
) -> Backbone:
    """Load a model: a diffusers folder, a hub id or a single file, with its VAE and LoRAs.

    `low_memory` keeps only the part that works on the device, and decodes pictures in tiles;
    `compiled` has the network's blocks compiled when they first work; `lost` hears why what large
    text encoders read cannot be kept on the disk, as it may come. Raises UsageError for another
    architecture, or where nothing can be compiled, SmdError where files are missing or broken.
    """
    where = pick_device(device)
    pick_dtype(dtype, where)  # told before anything is fetched
    keep_freed()
    with loading(model.name, where):
        model = _here(model)
        precision = precision_of(model, dtype, where)
        return _load(model, where, precision, low_memory, compiled, lost)


def _load(
    model: ModelRef,
    device: torch.device,
    dtype: torch.dtype,
    low_memory: bool,
    compiled: bool,
    lost: Callable[[str], object],
) -> Backbone:
    refuse_unfit(model)
    if model.file:
        family, modules = load_file(model, model.file, dtype)
    else:
        assert model.folder is not None
        family = family_in(model, model.folder)
        if family.large_encoders and not touch_encoders(model.loras):
            return _staged(model, family, device, dtype, low_memory, compiled, lost)
        family, modules = files.load_folder(model, model.folder, dtype)
    _settle(model, family, modules, dtype, device, low_memory)
    if compiled:
        compile_blocks(modules[family.denoiser.name], device, stays=not low_memory)
    parts = parts_of(model, family, modules, device)
    if family.large_encoders:
        parts = replace(parts, stages=_all_at_once(model, family, modules), prompts=_unkept())
    return _adapted(family, parts)


def _staged(
    model: ModelRef,
    family: Family,
    device: torch.device,
    dtype: torch.dtype,
    low_memory: bool,
    compiled: bool,
    lost: Callable[[str], object],
) -> Backbone:
    """A model of which the autoencoder is loaded, and all else when it is to work."""
    folder = model.folder
    assert folder is not None
    files.import_classes(family)
    vae = files.load_vae(model, family, folder, dtype)
    places = place((), vae.to(_vae_dtype(family, vae, dtype)), device, low_memory)
    coming = Coming(model, folder, family, vae, dtype, device, places, low_memory, compiled, lost)
    parts = parts_of(model, family, {family.autoencoder.name: vae}, device)
    return _adapted(family, replace(parts, stages=coming.stages(), prompts=coming.prompts()))


def _all_at_once(model: ModelRef, family: Family, modules: Mapping[str, Any]) -> Stages:
    """Large text encoders that LoRAs were added to: they stay beside the network."""
    folder = pipeline_folder(model)
    assert folder is not None
    readers, network = readers_in(family, modules), modules[family.denoiser.name]
    return Stages(network_config(family, folder), lambda: readers, lambda: network, None)


def _unkept() -> PromptStore:
    return PromptStore(None, "")


def _adapted(family: Family, parts: Parts) -> Backbone:
    return cast(Backbone, files.named(family.adapter)(parts))


def _settle(
    model: ModelRef,
    family: Family,
    modules: Mapping[str, Any],
    dtype: torch.dtype,
    device: torch.device,
    low_memory: bool,
) -> None:
    """Add the LoRAs, and put all modules where they are to run."""
    named_parts = (*family.encoders, family.denoiser)
    parts = [modules[part.name] for part in named_parts if part.name in modules]
    if not low_memory:  # fusing is quicker there
        for part in parts:
            part.to(device)
    fuse_loras(model, family, modules)
    vae = modules[family.autoencoder.name]
    place(parts, vae.to(_vae_dtype(family, vae, dtype)), device, low_memory)


def parts_of(
    model: ModelRef, family: Family, modules: Mapping[str, Any], device: torch.device
) -> Parts:
    """The modules with what the model's configs say of them."""
    defaults = read_defaults(model)
    native_px = max(defaults.native_size)
    return Parts(
        denoiser=modules.get(family.denoiser.name),
        tokenizers=tuple(modules.get(part.name) for part in family.tokenizers),
        text_encoders=tuple(modules.get(part.name) for part in family.encoders),
        vae=modules[family.autoencoder.name],
        factor=defaults.factor,
        window_px=defaults.window_px or native_px,
        native_px=native_px,
        scheduler=defaults.scheduler,
        consistency=defaults.consistency,
        zero_empty=_zero_empty(model),
        clip_skip=model.clip_skip,
        device=device,
        spacing=defaults.spacing,
    )


def _zero_empty(model: ModelRef) -> bool:
    """Whether an empty prompt is all zeros, as the model's index says."""
    folder = pipeline_folder(model)
    index = (read_object(folder / INDEX) if folder else None) or {}
    return bool(index.get("force_zeros_for_empty_prompt", True))


def _here(model: ModelRef) -> ModelRef:
    """The model with folders of the hub cache in the place of hub ids; fetches what lacks."""
    vae = model.vae
    if vae and not vae.file:
        vae = replace(vae, folder=vae_folder(vae))
    return replace(model, vae=vae, folder=None if model.file else model_folder(model))


def _vae_dtype(family: Family, vae: Any, dtype: torch.dtype) -> torch.dtype:
    """The autoencoder's precision: fp32 where it is known to overflow in fp16, and for bf16."""
    overflows = family.vae_overflows and bool(vae.config.get("force_upcast", False))
    unfit = overflows and dtype == torch.float16
    return torch.float32 if unfit else files.vae_dtype(dtype)
