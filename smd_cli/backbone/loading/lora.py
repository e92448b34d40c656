"""LoRAs: small trained differences to a model's layers, added to its weights once, for good."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smd_cli.backbone.loading.fetch import lora_file
from smd_cli.backbone.loading.files import named
from smd_cli.backbone.memory import is_full
from smd_cli.models.checkpoints import read_shapes
from smd_cli.models.families import Family
from smd_cli.models.lora_files import misfit, refuse_relatives
from smd_cli.models.ref import LoraRef, ModelRef

_NOT_NEEDED = ("safety_checker", "feature_extractor")
_OF_ENCODERS = ("text_encoder", "lora_te", "base_model.model.text_encoder")


def touch_encoders(loras: Iterable[LoraRef]) -> bool:
    """Whether any LoRA changes a text encoder, by the names of its layers."""
    files = map(lora_file, loras)
    return any(name.startswith(_OF_ENCODERS) for file in files for name in read_shapes(file))


def fuse_loras(model: ModelRef, family: Family, modules: Mapping[str, Any]) -> None:
    """Add a model's LoRAs, each times its weight, to the weights of its denoiser and text encoders.

    `modules`: the model's parts as the family's diffusers pipeline calls them. Raises UsageError
    for a LoRA that does not fit in every layer.
    """
    if not model.loras:
        return
    pipe = _pipeline(family, modules)
    names = [f"lora_{number}" for number in range(len(model.loras))]
    for name, lora in zip(names, model.loras, strict=True):
        _load(pipe, lora, name, model, family)
    pipe.set_adapters(names, [lora.weight for lora in model.loras])
    pipe.fuse_lora(components=pipe._lora_loadable_modules, adapter_names=names)
    pipe.unload_lora_weights()


def _pipeline(family: Family, modules: Mapping[str, Any]) -> Any:
    """diffusers' pipeline around the modules: it knows all the ways in which LoRAs are written."""
    from diffusers import DDIMScheduler

    kind = named(family.pipeline)
    wanted = inspect.signature(kind).parameters
    parts = {key: modules.get(key) for key in wanted if key in modules or key in _NOT_NEEDED}
    left_out = {part.name: None for part in (*family.encoders, *family.tokenizers)}
    return kind(**{**left_out, **parts, "scheduler": DDIMScheduler()})


def _load(pipe: Any, lora: LoraRef, name: str, model: ModelRef, family: Family) -> None:
    """Lay one LoRA beside the layers of the model, and see that all of it found its place."""
    file = lora_file(lora)
    refuse_relatives(lora.name, read_shapes(file))
    where = {"weight_name": file.name, "use_safetensors": True, "local_files_only": True}
    try:
        pipe.load_lora_weights(str(file.parent), adapter_name=name, **where)
        denoiser = getattr(pipe, family.denoiser.name)
        held = _held(pipe, denoiser, file.parent, where)
    except Exception as unfit:  # peft and diffusers raise all kinds for layers that do not fit
        if is_full(unfit):
            raise
        raise misfit(lora.name, model.name) from unfit
    if sorted(map(_mark, _laid(pipe, name, denoiser.dtype))) != sorted(map(_mark, held)):
        raise misfit(lora.name, model.name)


def _held(pipe: Any, denoiser: Any, folder: Path, where: Mapping[str, Any]) -> list[Tensor]:
    """The matrices of a LoRA file, in the model's precision."""
    about = {"unet_config": denoiser.config} if hasattr(pipe, "unet") else {}
    found = pipe.lora_state_dict(str(folder), **about, **where)
    state = found[0] if isinstance(found, tuple) else found
    return [
        matrix.to(denoiser.dtype)
        for key, matrix in state.items()
        if "lora" in key and key.endswith(".weight")
    ]


def _laid(pipe: Any, name: str, dtype: torch.dtype) -> Iterator[Tensor]:
    """The matrices that lie beside the model's layers under an adapter's name."""
    for part in pipe.components.values():
        if not isinstance(part, torch.nn.Module):
            continue
        for key, matrix in part.named_parameters():
            if f".{name}." in key and key.endswith(".weight"):
                yield matrix.detach().to(dtype)


def _mark(matrix: Tensor) -> tuple[int, float]:
    """What tells a matrix from others, whatever its name and shape have become."""
    return matrix.numel(), float(matrix.cpu().double().abs().sum().item())
