"""Reading a checkpoint from one safetensors file in the original layout, without any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.tokenizer import END, clip_tokenizer
from smd_cli.models.cache import INDEX
from smd_cli.models.checkpoints import layout_of
from smd_cli.models.configs import json_of
from smd_cli.models.families import Family
from smd_cli.models.files import family_in
from smd_cli.models.ref import ModelRef


def load_file(
    model: ModelRef, file: Path, dtype: torch.dtype
) -> tuple[Family, dict[str, Any], dict[str, Any], int]:
    """A checkpoint's family, index, modules and factor.

    Its configs and tokenizers are those of the folder `model.config`, or else the ones that come
    with smd. Raises UsageError for another architecture, SmdError for a file that lacks weights.
    """
    folder = model.config or layout_of(file)
    index = json_of(folder / INDEX, model.name)
    family = family_in(model, folder)
    tokenizers = _tokenizers(model, family)
    given: dict[str, Any] = dict(zip(family.tokenizer_parts, tokenizers, strict=True))
    factor = files.factor_of(folder / "vae", model.name)
    if model.vae:
        given["vae"], factor = files.load_vae(model, folder, dtype)
    modules = {**_converted(family, file, folder, dtype, given), **given}
    return family, index, modules, factor


def _tokenizers(model: ModelRef, family: Family) -> tuple[Any, ...]:
    if model.config:
        return files.load_tokenizers(model.config, family)
    return tuple(clip_tokenizer(pad) for pad in (END, "!")[: len(family.text_parts)])


def _converted(
    family: Family, file: Path, folder: Path, dtype: torch.dtype, given: dict[str, Any]
) -> dict[str, Any]:
    """The parts that the file holds, as diffusers converts them."""
    import diffusers

    pipe = getattr(diffusers, family.pipeline).from_single_file(
        str(file), config=str(folder), local_files_only=True, torch_dtype=dtype, **given
    )
    modules = {part: getattr(pipe, part) for part in ("unet", "vae", *family.text_parts)}
    for part, module in modules.items():
        files.refuse_absent(file, part, module)
    return modules
