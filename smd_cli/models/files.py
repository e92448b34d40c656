"""What is wrong with a model's files, known before anything is loaded.

Only names, configs and the headers of weights are read: it takes milliseconds. What of a model is
not here yet is passed over. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from smd_cli.errors import KeyPath, SmdError, UsageError
from smd_cli.models.cache import INDEX
from smd_cli.models.checkpoints import (
    VAE_INPUT,
    described,
    read_shapes,
    refuse_pickle,
    width_in,
)
from smd_cli.models.configs import json_of, read_object
from smd_cli.models.facts import (
    PRESETS,
    configs_of,
    own_vae_folder,
    pipeline_folder,
    preset_family,
    vae_folder,
)
from smd_cli.models.families import (
    TRANSFORMER,
    Configs,
    Facts,
    Family,
    autoencoders,
    family_of,
    recognised,
)
from smd_cli.models.lora_files import no_loras, refuse_lora
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.models.single_file import refuse_single_file
from smd_cli.models.transformer_file import refuse_transformer

_STEMS = ("diffusion_pytorch_model", "model")  # how diffusers and transformers name weights
_VARIANTS = ("", ".fp16")
_SAME_SCALE = 0.01  # relative; SD's is 0.18215, that of SDXL 0.13025


def refuse_unfit(model: ModelRef) -> None:
    """Raise the first of a model's problems."""
    for _, wrong in problems_of(model):
        raise wrong


def problems_of(model: ModelRef) -> Iterator[tuple[KeyPath, SmdError]]:
    """What is wrong with a model, its autoencoder and its LoRAs.

    Each with the path, under the scene's ``model:``, of the key that names it.
    """
    for path, look in _looks(model):
        try:
            look()
        except SmdError as wrong:
            yield path, wrong
        except (AttributeError, LookupError, TypeError, ValueError) as odd:
            yield path, UsageError(f"the model {model.name} has odd settings: {odd}")


def _looks(model: ModelRef) -> Iterator[tuple[KeyPath, Callable[[], None]]]:
    known = PRESETS.get(model.name)
    own_loras = len(known.loras) if known else 0
    yield ("name",), partial(_refuse_pipeline, model)
    if model.transformer:
        yield (TRANSFORMER,), partial(_refuse_transformer, model, model.transformer)
    if model.vae:
        is_own = known and known.vae and model.vae.name == known.vae.name
        yield ("name" if is_own else "vae",), partial(_refuse_vae, model, model.vae)
    for number, lora in enumerate(model.loras):
        path: KeyPath = ("lora", number - own_loras) if number >= own_loras else ("name",)
        yield path, partial(_refuse_lora, model, lora)


def _refuse_lora(model: ModelRef, lora: LoraRef) -> None:
    """Raise for a LoRA that cannot belong to a model."""
    told, known = facts_of(model), PRESETS.get(model.name)
    width = told[1].text_width if told else None
    if told and told[0].no_lora:
        raise no_loras(model.name, told[0].no_lora)
    denoiser = told[0].denoiser.name if told else preset_family(known).denoiser.name
    refuse_lora(lora, model.name, width or (known.text_width if known else None), denoiser)


def facts_of(model: ModelRef) -> tuple[Family, Facts] | None:
    """A model's family with what its configs tell, as far as it is here, and is known."""
    try:
        folder = pipeline_folder(model)
        family = recognised(read_object(folder / INDEX) or {}) if folder else None
        return (family, family.facts(configs_of(model, folder, family))) if family else None
    except SmdError:  # told of the pipeline, or where its defaults are read
        return None


def _configs(folder: Path, family: Family) -> Configs:
    """The configs of the parts in a folder, those of them that can be read."""
    names = [part.name for part in family.modules]
    found = {name: read_object(folder / name / "config.json") or {} for name in names}
    return {**found, "model_index": read_object(folder / INDEX) or {}}


# --- The pipeline ---------------------------------------------------------------------------------


def _refuse_pipeline(model: ModelRef) -> None:
    folder = pipeline_folder(model)
    if model.file:
        _refuse_single_file(model, model.file, folder)
    if folder is None:
        if model.folder:
            json_of(model.folder / INDEX, model.name)
        return
    family = family_in(model, folder)
    family.refuse(model.name, _configs(folder, family))
    if model.file:
        return
    latents = family.autoencoder.name
    for part in (*family.modules, *family.tokenizers):
        if model.vae and part is family.autoencoder:
            continue
        if (folder / part.name).is_dir():
            if model.transformer and part is family.denoiser:
                json_of(folder / part.name / "config.json", model.name)
            elif part in family.modules:
                _refuse_part(model, folder / part.name)
        elif model.folder and not part.optional:
            raise SmdError(f"the model {model.name} is not whole: it has no folder {part.name}")
    if not model.vae and (model.folder or (folder / latents / "config.json").is_file()):
        config = json_of(folder / latents / "config.json", model.name)
        _refuse_autoencoder(model, config)
        _refuse_unlike(model, config)


def family_in(model: ModelRef, folder: Path) -> Family:
    """The family of a model whose index lies in a folder. Raises UsageError, SmdError."""
    family = family_of(model.name, json_of(folder / INDEX, model.name))
    config = folder / family.denoiser.name / "config.json"
    if config.is_file():
        json_of(config, model.name)
    return family


def _refuse_single_file(model: ModelRef, file: Path, folder: Path | None) -> None:
    """Raise UsageError for weights that are no whole checkpoint, or not that of their configs."""
    family = recognised(read_object(folder / INDEX) or {}) if folder else None
    configs = _configs(folder, family) if folder and family else {}
    refuse_single_file(model.name, file, model.config, family, configs)


def _refuse_transformer(model: ModelRef, file: Path) -> None:
    """Raise UsageError for a transformer beside a model that cannot be its own."""
    folder, told = pipeline_folder(model), facts_of(model)
    known = PRESETS.get(model.name)
    family = told[0] if told else preset_family(known) if known else None
    config = read_object(folder / TRANSFORMER / "config.json") if folder else None
    refuse_transformer(model.name, file, family, config or {})


def _refuse_part(model: ModelRef, place: Path) -> None:
    """Raise where a part's weights are not what its folder says."""
    if (place / "config.json").is_file():
        json_of(place / "config.json", model.name)
    _refuse_weights(f"the model {model.name}", place, must=model.folder is not None)


def _refuse_weights(whose: str, place: Path, *, must: bool) -> None:
    """Raise for weights in a folder that cannot be loaded; `must`: for none at all, too."""
    files = _weight_files(place)
    if not files:
        _refuse_pickles_alone(place)
        if must:
            raise SmdError(f"{whose} is not whole: {place} has no weights")
    for file in files:
        if file.is_file():
            read_shapes(file)
        elif must:
            raise SmdError(f"{whose} is not whole: it lacks {file}")


def _weight_files(place: Path) -> list[Path]:
    """The files of a part that are loaded: one, or the pieces that an index of pieces names."""
    for variant in _VARIANTS:
        for stem in _STEMS:
            one = place / f"{stem}{variant}.safetensors"
            pieces = place / f"{stem}.safetensors.index{variant}.json"
            if one.is_file():
                return [one]
            if pieces.is_file():
                weights = json_of(pieces, str(place)).get("weight_map", {})
                return sorted({place / str(piece) for piece in weights.values()})
    return []


def _refuse_pickles_alone(place: Path) -> None:
    """Raise UsageError for a part whose weights are here in pickle files and nothing else."""
    held = sorted(path for path in place.iterdir() if path.is_file())
    if not any(path.suffix == ".safetensors" for path in held):
        for path in held:
            refuse_pickle(path)


# --- The autoencoder ------------------------------------------------------------------------------


def _refuse_vae(model: ModelRef, vae: ModelRef) -> None:
    """Raise for an autoencoder beside a model that cannot be its own."""
    if vae.file:
        _refuse_vae_file(model, vae.file)
        return
    place = vae_folder(model)
    if place is None or not (vae.folder or (place / "config.json").is_file()):
        return
    config = json_of(place / "config.json", vae.name)
    _refuse_autoencoder(model, config)
    _refuse_weights(f"the vae {vae.name}", place, must=vae.folder is not None)
    _refuse_unlike(model, config)
    _refuse_other_scale(model, vae.name, config)


def _refuse_vae_file(model: ModelRef, file: Path) -> None:
    shapes = read_shapes(file)
    inputs = [shape for name, shape in shapes.items() if name.endswith(VAE_INPUT)]
    if not inputs:
        what = described(shapes)
        hint = "" if what else "a tiny autoencoder is named as a folder"
        raise UsageError(f"{file.name} is {what or 'no autoencoder of Stable Diffusion'}", hint)
    _refuse_unlike(model, {"latent_channels": width_in(inputs[0])})


def _refuse_autoencoder(model: ModelRef, config: Mapping[str, Any]) -> None:
    """Raise UsageError for an autoencoder of a kind that smd does not know, or not for a model."""
    kind, told = config.get("_class_name", "of unknown kind"), facts_of(model)
    if kind not in autoencoders():
        hint = f"known: {', '.join(autoencoders())}"
        raise UsageError(f"the autoencoder {kind} is not supported", hint)
    if told and kind not in told[0].autoencoder.loaders:
        raise UsageError(
            f"the model {model.name} does not fit: its autoencoder is an {kind}",
            f"models of {told[0].name} take {' or '.join(told[0].autoencoder.loaders)}",
        )


def _refuse_unlike(model: ModelRef, vae: Mapping[str, Any]) -> None:
    """Raise UsageError where denoiser and autoencoder differ in latent channels."""
    told = facts_of(model)
    takes, gives = told[1].channels if told else None, vae.get("latent_channels", 4)
    if takes is not None and takes != gives:
        raise UsageError(
            f"the model {model.name} does not fit: its network takes {takes} channels, its "
            f"autoencoder gives {gives}"
        )


def _refuse_other_scale(model: ModelRef, name: str, vae: Mapping[str, Any]) -> None:
    """Raise UsageError where an autoencoder scales its latents unlike the model's own."""
    folder = own_vae_folder(model)
    own = (read_object(folder / "config.json") if folder else None) or {}
    if not own.get("_class_name") == vae.get("_class_name") == "AutoencoderKL":
        return
    wanted, found = (float(config.get("scaling_factor", 0.18215)) for config in (own, vae))
    if abs(found / wanted - 1) > _SAME_SCALE:
        raise UsageError(
            f"the vae {name} does not fit the model {model.name}: it scales its latents by "
            f"{found:g}, the model's own by {wanted:g}",
            "take one that was made for the same family of models",
        )
