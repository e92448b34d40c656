"""Reading a checkpoint's parts with diffusers' and transformers' own loaders, from files here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from smd_cli.backbone.loading.fetch import vae_folder
from smd_cli.errors import SmdError
from smd_cli.models.cache import INDEX
from smd_cli.models.configs import json_of
from smd_cli.models.facts import latent_factor
from smd_cli.models.families import STARTER_UNET, Family
from smd_cli.models.files import family_in
from smd_cli.models.ref import ModelRef


def load_unet(folder: Path, dtype: torch.dtype) -> Any:
    """The UNet of a model folder."""
    from diffusers import UNet2DConditionModel

    from smd_cli.backbone.families.denoiser import PlacedUNet

    name = json_of(folder / "unet" / "config.json", str(folder)).get("_class_name")
    kind = PlacedUNet if name == STARTER_UNET else UNet2DConditionModel
    return _whole(kind, folder / "unet", torch_dtype=dtype)


def load_texts(folder: Path, family: Family, dtype: torch.dtype) -> tuple[Any, ...]:
    """The text encoders of a model folder."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    return tuple(_whole(kinds[part], folder / part, dtype=dtype) for part in family.text_parts)


def load_tokenizers(folder: Path, family: Family) -> tuple[Any, ...]:
    """The tokenizers of a model folder."""
    from transformers import CLIPTokenizer

    return tuple(
        CLIPTokenizer.from_pretrained(folder / name, local_files_only=True)
        for name in family.tokenizer_parts
    )


def load_vae(model: ModelRef, folder: Path, dtype: torch.dtype) -> tuple[Any, int]:
    """The autoencoder, of the class that its config names, and its canvas pixels per cell.

    A single file in the original layout takes its config from the model's `folder`.
    """
    if model.vae and model.vae.file:
        return _vae_file(model.vae, folder, dtype), factor_of(folder / "vae", model.name)
    place = vae_folder(model.vae) if model.vae else folder / "vae"
    config = json_of(place / "config.json", (model.vae or model).name)
    kind = _vae_class(config["_class_name"])
    return _whole(kind, place, torch_dtype=dtype), latent_factor(config)


def factor_of(place: Path, name: str) -> int:
    """Canvas pixels per latent cell of the autoencoder in a folder of the model `name`."""
    return latent_factor(json_of(place / "config.json", name))


def _vae_file(vae: ModelRef, folder: Path, dtype: torch.dtype) -> Any:
    from diffusers import AutoencoderKL

    assert vae.file is not None
    where = {"config": str(folder), "subfolder": "vae", "local_files_only": True}
    loaded = AutoencoderKL.from_single_file(str(vae.file), torch_dtype=dtype, **where)
    refuse_absent(vae.file, "autoencoder", loaded)
    return loaded


def refuse_absent(file: Path, part: str, module: Any) -> None:
    """Raise SmdError where a module's weights were not all in the file."""
    absent = [name for name, weight in module.named_parameters() if weight.is_meta]
    if absent:
        raise SmdError(f"{file} lacks weights of the {part}, such as {min(absent)}")


def load_folder(
    model: ModelRef, folder: Path, dtype: torch.dtype
) -> tuple[Family, dict[str, Any], dict[str, Any], int]:
    """A model folder's family, index, modules and factor."""
    family = family_in(model, folder)
    vae, factor = load_vae(model, folder, dtype)
    modules = {
        "vae": vae,
        "unet": load_unet(folder, dtype),
        **dict(zip(family.tokenizer_parts, load_tokenizers(folder, family), strict=True)),
        **dict(zip(family.text_parts, load_texts(folder, family, dtype), strict=True)),
    }
    return family, json_of(folder / INDEX, model.name), modules, factor


def _vae_class(name: str) -> Any:
    import diffusers

    from smd_cli.backbone.families.codec import PatchAutoencoder

    return PatchAutoencoder if name == PatchAutoencoder.__name__ else getattr(diffusers, name)


def _whole(kind: Any, place: Path, **options: Any) -> Any:
    """A part of a model with all of its weights: the loaders make up those that are missing."""
    part, info = kind.from_pretrained(
        place,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        variant=_variant(place),
        **options,
    )
    if info["missing_keys"]:
        raise SmdError(f"{place} lacks weights, such as {min(info['missing_keys'])}")
    return part


def _variant(place: Path) -> str | None:
    """fp16 where a part's weights are here in that variant alone."""
    held = [path.name for path in place.glob("*.safetensors")]
    return "fp16" if held and all(".fp16." in name for name in held) else None
