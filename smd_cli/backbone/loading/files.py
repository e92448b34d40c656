"""Reading a checkpoint's parts with diffusers' and transformers' own loaders, from files here."""

from __future__ import annotations

import importlib
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from smd_cli.backbone.loading.fetch import vae_folder
from smd_cli.backbone.memory import look_for_garbage
from smd_cli.errors import SmdError
from smd_cli.models.configs import json_of
from smd_cli.models.families import Family, Part, autoencoders
from smd_cli.models.files import family_in
from smd_cli.models.ref import ModelRef
from smd_cli.models.transformer_file import inside


def named(spec: str) -> Any:
    """The class that "module:Class" names."""
    module, _, name = spec.partition(":")
    return getattr(importlib.import_module(module), name)


def import_classes(family: Family) -> None:
    """Import what a family's models are loaded with and run by, before any of them is loaded.

    Nobody looks for garbage until then: imports make none, and models do.
    """
    for spec in (family.adapter, *(part.classes[0] for part in family.modules)):
        named(spec)
    look_for_garbage()


def load_part(part: Part, folder: Path, dtype: torch.dtype) -> Any:
    """A part of a model folder with its weights, of the class that its config names."""
    config = json_of(folder / part.name / "config.json", str(folder))
    return _complete(part.loader(config), folder / part.name, dtype)


def load_denoiser(model: ModelRef, family: Family, folder: Path, dtype: torch.dtype) -> Any:
    """The network of a model folder, or the transformer in the file that stands in for it."""
    if model.transformer is None:
        return load_part(family.denoiser, folder, dtype)
    return _transformer(model.transformer, family, folder, dtype)


def _transformer(file: Path, family: Family, folder: Path, dtype: torch.dtype) -> Any:
    """A file's transformer by the config in the folder, as diffusers converts it.

    Raises SmdError where weights lack, and where one has no place in it.
    """
    part, own = family.denoiser, family.transformer_file
    kind = named(part.loader(json_of(folder / part.name / "config.json", str(folder))))
    held = inside(load_file(file))
    numbers = sum(held[name].numel() for name in held if not own or name not in own.dropped)
    where = {"config": str(folder), "subfolder": part.name, "local_files_only": True}
    made = kind.from_single_file(held, torch_dtype=dtype, **where)
    refuse_absent(file, part.name, made)
    if numbers != sum(weight.numel() for weight in made.state_dict().values()):
        raise SmdError(f"{file} holds weights that have no place in the model's transformer")
    return made


def load_tokenizers(folder: Path, family: Family) -> dict[str, Any]:
    """The tokenizers of a model folder, by their names."""
    return {
        part.name: named(part.classes[0]).from_pretrained(folder / part.name, local_files_only=True)
        for part in family.tokenizers
        if not _left_out(part, folder)
    }


def vae_dtype(dtype: torch.dtype) -> torch.dtype:
    """The precision in which the autoencoder of a model in `dtype` is read.

    fp32 for bf16, whose 8 bits cannot tell all 256 levels of a picture from -1 to 1 apart.
    """
    return torch.float32 if dtype == torch.bfloat16 else dtype


def _left_out(part: Part, folder: Path) -> bool:
    """Whether a model does without a part that it may do without."""
    return part.optional and not (folder / part.name).is_dir()


def load_vae(model: ModelRef, family: Family, folder: Path, dtype: torch.dtype) -> Any:
    """The autoencoder that a model in `dtype` is used with, of the class that its config names.

    A single file in the original layout takes its config from the model's `folder`.
    """
    own, dtype, file = family.autoencoder, vae_dtype(dtype), (model.vae or model).file
    if file:
        return _vae_file(file, own, folder, dtype)
    place = vae_folder(model.vae) if model.vae else folder / own.name
    config = json_of(place / "config.json", (model.vae or model).name)
    return _complete(autoencoders()[config["_class_name"]], place, dtype)


def _vae_file(file: Path, part: Part, folder: Path, dtype: torch.dtype) -> Any:
    where = {"config": str(folder), "subfolder": part.name, "local_files_only": True}
    loaded = named(part.classes[0]).from_single_file(str(file), torch_dtype=dtype, **where)
    refuse_absent(file, "autoencoder", loaded)
    return loaded


def refuse_absent(file: Path, part: str, module: Any) -> None:
    """Raise SmdError where a module's weights were not all in the file."""
    absent = [name for name, weight in module.named_parameters() if weight.is_meta]
    if absent:
        raise SmdError(f"{file} lacks weights of the {part}, such as {min(absent)}")


def load_folder(model: ModelRef, folder: Path, dtype: torch.dtype) -> tuple[Family, dict[str, Any]]:
    """A model folder's family, and its modules and tokenizers by the names of their parts."""
    family = family_in(model, folder)
    import_classes(family)
    loaded = {
        family.autoencoder.name: load_vae(model, family, folder, dtype),
        family.denoiser.name: load_denoiser(model, family, folder, dtype),
    }
    read = {**load_encoders(family, folder, dtype), **load_tokenizers(folder, family)}
    return family, {**loaded, **read}


def load_encoders(family: Family, folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The text encoders of a model folder, by their names."""
    return {
        part.name: load_part(part, folder, dtype)
        for part in family.encoders
        if not _left_out(part, folder)
    }


def library_versions() -> tuple[str, ...]:
    """The versions of what loads and runs a model's parts."""
    return tuple(map(metadata.version, ("diffusers", "transformers")))


def _complete(spec: str, place: Path, dtype: torch.dtype) -> Any:
    """A part of a model with all of its weights: the loaders make up those that are missing."""
    precision = "dtype" if spec.startswith("transformers:") else "torch_dtype"
    part, info = named(spec).from_pretrained(
        place,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        variant=_variant(place),
        **{precision: dtype},
    )
    if info["missing_keys"]:
        raise SmdError(f"{place} lacks weights, such as {min(info['missing_keys'])}")
    return part


def _variant(place: Path) -> str | None:
    """fp16 where a part's weights are here in that variant alone."""
    held = [path.name for path in place.glob("*.safetensors")]
    return "fp16" if held and all(".fp16." in name for name in held) else None
