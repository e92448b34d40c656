"""Reading a checkpoint from one safetensors file in the original layout, without any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.tokenizer import clip_tokenizer
from smd_cli.models.families import Family
from smd_cli.models.files import family_in
from smd_cli.models.ref import ModelRef
from smd_cli.models.single_file import layout_of


def load_file(model: ModelRef, file: Path, dtype: torch.dtype) -> tuple[Family, dict[str, Any]]:
    """A checkpoint's family, and its modules and tokenizers by the names of their parts.

    Its configs and tokenizers are those of the folder `model.config`, or else the ones that come
    with smd. Raises UsageError for another architecture, SmdError for a file that lacks weights.
    """
    folder = model.config or layout_of(file)
    family = family_in(model, folder)
    files.import_classes(family)
    given = _tokenizers(model, family)
    if model.vae or files.vae_dtype(dtype) != dtype:
        given[family.autoencoder.name] = files.load_vae(model, family, folder, dtype)
    return family, {**_converted(family, file, folder, dtype, given), **given}


def _tokenizers(model: ModelRef, family: Family) -> dict[str, Any]:
    if model.config:
        return files.load_tokenizers(model.config, family)
    return plain_tokenizers(family)


def plain_tokenizers(family: Family) -> dict[str, Any]:
    """The tokenizers that come with smd, by their names; none where the family has no such file."""
    pads = family.single_file.pads if family.single_file else ()
    names = [part.name for part in family.tokenizers]
    return dict(zip(names, map(clip_tokenizer, pads), strict=bool(pads)))


def _converted(
    family: Family, file: Path, folder: Path, dtype: torch.dtype, given: dict[str, Any]
) -> dict[str, Any]:
    """The parts that the file holds, as diffusers converts them."""
    pipe = files.named(family.pipeline).from_single_file(
        str(file), config=str(folder), local_files_only=True, torch_dtype=dtype, **given
    )
    modules = {part.name: getattr(pipe, part.name) for part in family.modules}
    for name, module in modules.items():
        files.refuse_absent(file, name, module)
    return modules
