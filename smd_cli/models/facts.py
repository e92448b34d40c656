"""Which model a name means, and what its folder says about itself. Imports no torch.

A model folder is diffusers' layout. It may carry a file `smd.json` with the model's own defaults in
the words of the scene format::

    {"native_size": [256, 256], "consistency": false, "blur": 6,
     "sampler": {"timesteps": [999, 900], "guidance": {"type": "full", "scale": 3}},
     "learnt": {"timesteps": [800, 999], "smallest_px": 48, "largest_px": 192},
     "vocabulary": {"objects": ["fox"], "materials": ["grass"], "colours": ["red"]}}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.cache import (
    INDEX,
    Download,
    absent,
    downloads_of,
    model_download,
    snapshot,
    vae_download,
)
from smd_cli.models.checkpoints import CONSISTENCY_SCHEDULERS, refuse_pickle, trails
from smd_cli.models.configs import config_at
from smd_cli.models.families import (
    SCHEDULER,
    STAND_IN,
    Configs,
    Facts,
    Family,
    families,
    recognised,
)
from smd_cli.models.flow import Spacing, refuse_flow_scheduler
from smd_cli.models.names import address_hint
from smd_cli.models.presets import PRESETS, STARTER, ModelPreset
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.models.schedulers import SD_BETAS, refuse_scheduler, with_betas
from smd_cli.models.settings import refuse_odd
from smd_cli.models.single_file import layout_of
from smd_cli.units import MAX_SIDE_PX

__all__ = [
    "PRESETS",
    "REVISION_HINT",
    "STARTER",
    "ModelDefaults",
    "configs_of",
    "idle_revision",
    "pipeline_folder",
    "read_defaults",
    "resolve_lora",
    "resolve_model",
    "unread",
    "vae_folder",
]

REVISION_HINT = "models of the hub have revisions"

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_FILE = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:/(?P<file>[\w./ -]+\.safetensors))?")
_NO_PRESET = ModelPreset("", "", "")


@dataclass(frozen=True)
class ModelDefaults:
    """What a model's folder says about itself; the values of SD 1.5 where it says nothing.

    `scheduler` is the scheduler's config, `sampler` a mapping in the words of the scene's
    `sampler:`, `factor` the canvas pixels of a latent cell, `multiple` that of a canvas' sides in
    pixels (0 where that is not told), `known` whether all of its configs are here.
    `samples_as_stated`: the checkpoint says how it was distilled, so that the sampler is no guess;
    `embeds_guidance`: its network takes the guidance scale itself. `learnt_timesteps`: the least
    and the largest that it was trained for, None where that is not stated; `smallest_px` and
    `largest_px`: the smallest and the largest thing that it draws well, `window_px` the least side
    of a window that it draws well in, 0 where they are not stated; `text_layers`: of its shortest
    text encoder, those that `clip_skip` may leave out and one more, 0 where that is not known.
    `spacing`: how its family spaces its slots, None for a diffusion by betas.
    `ragged_prompts`: they have as many rows as tokens.
    """

    native_size: tuple[int, int] = (512, 512)
    factor: int = 8
    multiple: int = 0
    blur_px: float | None = None
    consistency: bool = True
    sampler: Mapping[str, Any] = field(default_factory=dict)
    scheduler: Mapping[str, Any] = field(default_factory=lambda: dict(SD_BETAS))
    objects: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    known: bool = False
    samples_as_stated: bool = True
    embeds_guidance: bool = False
    learnt_timesteps: tuple[int, int] | None = None
    smallest_px: int = 0
    largest_px: int = 0
    window_px: int = 0
    text_layers: int = 0
    spacing: Spacing | None = None
    ragged_prompts: bool = False


def resolve_model(
    name: str,
    base: Path,
    revision: str | None = None,
    *,
    presets: Mapping[str, ModelPreset] = PRESETS,
    what: str = "model",
) -> ModelRef:
    """Find what `name` means: a preset, an existing path from `base`, else a hub id.

    ``hub:`` and ``./`` force the last two. Raises UsageError for a name that is none of them, and
    for a pickle file; `what` says in it what was looked for.
    """
    if name in presets:
        return presets[name].ref(revision)
    if not name.strip():
        raise UsageError(f"the name of a {what} must not be empty")
    hub_id = name.removeprefix("hub:")
    path = _existing(name, base) if hub_id == name else None
    if path and path.is_dir():
        return ModelRef(name, path, revision)
    _refuse_no_file(name, path)
    if path:
        return ModelRef(name, None, revision, file=path)
    if _HUB_ID.fullmatch(hub_id) and not hub_id.startswith("."):
        return ModelRef(hub_id, None, revision)
    close = difflib.get_close_matches(name, presets, n=1, cutoff=0.5)
    known = address_hint(name) or (f"presets: {', '.join(presets)}" if presets else "")
    kinds = "neither a preset, an existing path" if presets else "neither an existing path"
    raise UsageError(
        f"no {what} {name!r}: {kinds} nor a hub id",
        f"did you mean {close[0]}?" if close else known,
    )


def resolve_lora(name: str, base: Path, revision: str | None = None) -> LoraRef:
    """Find what LoRA `name` means: an existing path from `base`, else a hub id.

    A hub id may end in one of its files: ``owner/name/file.safetensors``. Raises UsageError for a
    name that is none of them, and for a pickle file.
    """
    path = _existing(name, base)
    if path and path.is_dir():
        return LoraRef(name, path)
    hub = _HUB_FILE.fullmatch(name)
    if not (hub and hub["file"]):
        _refuse_no_file(name, path)
    if path:
        return LoraRef(name, path)
    if hub is None or name.startswith("."):
        raise UsageError(f"no lora {name!r}: neither an existing path nor a hub id")
    return LoraRef(hub["id"], file=hub["file"], revision=revision)


def _refuse_no_file(name: str, path: Path | None) -> None:
    """Raise UsageError for a name that is meant as a file and cannot be one that is loaded."""
    refuse_pickle(name)
    if name.lower().endswith(".gguf"):
        hint = "name the model's diffusers folder, its hub id or a preset"
        raise UsageError(f"{name} is a GGUF file, which is not supported", hint)
    is_weights = name.lower().endswith(".safetensors")
    if is_weights and path is None:
        raise UsageError(f"there is no file {name}")
    if path and not is_weights:
        raise UsageError(f"{name} is no model", "a folder or a .safetensors file is")


def _existing(name: str, base: Path) -> Path | None:
    """The path that `name` means from `base`, if there is one."""
    try:
        path = base / (Path(name).expanduser() if name.startswith("~") else name)
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such user, not a path at all
        return None


def pipeline_folder(model: ModelRef) -> Path | None:
    """The folder of a model's configs: its own, that of its single file's kind, the hub cache's.

    None where none of it is here. Raises UsageError for a single file of another architecture.
    """
    folder = model.config or model.folder
    if folder is None and model.file:
        folder = layout_of(model.file, model.name)
    elif folder is None:
        folder = snapshot(model_download(model))
    return folder if folder and (folder / INDEX).is_file() else None


def vae_folder(model: ModelRef) -> Path | None:
    """The folder of the autoencoder that a model is used with; None where it is not here."""
    if model.vae and not model.vae.file:
        return model.vae.folder or snapshot(vae_download(model.vae))
    return own_vae_folder(model)


def own_vae_folder(model: ModelRef) -> Path | None:
    """The folder of the autoencoder that belongs to a model; None where it is not here."""
    folder = pipeline_folder(model)
    return folder / _family_in(folder, model).autoencoder.name if folder else None


def _family_in(folder: Path | None, model: ModelRef) -> Family:
    """The family of a model's folder; that of its preset, or of SD 1.5, where it is not here."""
    found = recognised(_part(folder, INDEX)) if folder else None
    return found or preset_family(PRESETS.get(model.name))


def preset_family(preset: ModelPreset | None) -> Family:
    """The family that a preset says it is of; that of SD 1.5 by default."""
    wanted = preset.family if preset else ""
    return next((one for one in families() if one.name == wanted), STAND_IN)


def idle_revision(model: ModelRef) -> str:
    """A sentence where a model's revision says nothing, as its files lie here; else nothing."""
    here = bool(model.revision and (model.folder or model.file))
    return f"revision has no effect: the model {model.name} lies here" if here else ""


def unread(model: ModelRef) -> tuple[Download, ...]:
    """The downloads of a model whose configs are not here yet, so that it is planned as SD 1.5."""
    return tuple(
        wanted
        for wanted in downloads_of(model)
        if any(name == INDEX or name.endswith("config.json") for name in absent(wanted))
    )


def read_defaults(model: ModelRef) -> ModelDefaults:
    """A model's own defaults, from its configs, its preset, or the kind of its single file.

    Those of SD 1.5 where nothing of it is here. Raises UsageError for what cannot be read, and for
    a scheduler that is not supported.
    """
    folder = pipeline_folder(model)
    try:
        stated = _stated(model, folder, PRESETS.get(model.name, _NO_PRESET))
        return _plausible(stated)
    except (AttributeError, LookupError, TypeError, ValueError) as odd:
        raise UsageError(f"the model folder {folder} has odd settings: {odd}") from odd


def _stated(model: ModelRef, folder: Path | None, preset: ModelPreset) -> ModelDefaults:
    family = _family_in(folder, model)
    facts = family.facts(configs_of(model, folder, family))
    own = _part(folder, "smd.json")
    told = _part(folder, f"{SCHEDULER}/scheduler_config.json") or _named_scheduler(folder)
    if folder and recognised(_part(folder, INDEX)) is None:  # which is told of its pipeline
        told = dict(SD_BETAS)
    elif family.spacing:
        refuse_flow_scheduler(model.name, told, family.spacing.schedulers)
    else:
        refuse_scheduler(model.name, told)
    scheduler = {**(told if family.spacing else with_betas(told)), **preset.scheduler}
    trailing = not family.spacing and trails(scheduler)
    distilled = (
        facts.distilled or trailing or scheduler.get("_class_name") in CONSISTENCY_SCHEDULERS
    )
    words, learnt = own.get("vocabulary", {}), own.get("learnt", {})
    told_sampler = own.get("sampler") or preset.sampler or _implied_sampler(facts, trailing)
    return ModelDefaults(
        native_size=_native_size(own, preset, facts),
        factor=facts.factor,
        multiple=facts.multiple,
        blur_px=own.get("blur"),
        consistency=bool(own.get("consistency", preset.consistency is not False and not trailing))
        and not family.spacing,
        sampler={**facts.sampler, **told_sampler},
        scheduler=scheduler,
        objects=tuple(map(str, words.get("objects", ()))),
        materials=tuple(map(str, words.get("materials", ()))),
        colours=tuple(map(str, words.get("colours", ()))),
        known=folder is not None and not unread(model),
        samples_as_stated=folder is None or distilled or bool(own or model.loras),
        embeds_guidance=facts.embedded_guidance is not None,
        learnt_timesteps=_learnt_timesteps(learnt, preset, trailing),
        smallest_px=int(learnt.get("smallest_px", 0)),
        largest_px=int(learnt.get("largest_px", 0)),
        window_px=int(learnt.get("window_px", 0)),
        text_layers=facts.text_layers,
        spacing=family.spacing,
        ragged_prompts=family.ragged_prompts,
    )


def _plausible(stated: ModelDefaults) -> ModelDefaults:
    """The same defaults. Raises ValueError for a canvas or a latent cell that there cannot be."""
    width, height = stated.native_size
    if not all(1 <= side <= MAX_SIDE_PX for side in (width, height)):
        raise ValueError(f"a canvas of {width}x{height} px")
    if not 1 <= stated.factor <= MAX_SIDE_PX:
        raise ValueError(f"a latent cell of {stated.factor} px")
    return stated


def _named_scheduler(folder: Path | None) -> dict[str, Any]:
    """What an index tells of a scheduler without a config: its class, with SD's betas."""
    held = _part(folder, INDEX).get(SCHEDULER)
    name = held[1] if isinstance(held, list) and len(held) > 1 else None
    return {**SD_BETAS, **({"_class_name": name} if name else {})}


def _learnt_timesteps(
    learnt: Mapping[str, Any], preset: ModelPreset, trailing: bool
) -> tuple[int, int] | None:
    """From the least to the largest timestep that a model was trained for, where that is known.

    A preset that trails was distilled for its steps, which end as many equal parts of 1000.
    """
    if "timesteps" in learnt:
        least, largest = learnt["timesteps"]
        return int(least), int(largest)
    steps = preset.sampler.get("steps")
    return (1000 // steps - 1, 999) if trailing and steps else None


def configs_of(model: ModelRef, folder: Path | None, family: Family) -> Configs:
    """The configs of a model's parts; its autoencoder may lie elsewhere. Raises UsageError."""
    configs = {part.name: _part(folder, f"{part.name}/config.json") for part in family.modules}
    configs["model_index"] = _part(folder, INDEX)
    return {**configs, family.autoencoder.name: _part(vae_folder(model), "config.json")}


def _native_size(own: Mapping[str, Any], preset: ModelPreset, facts: Facts) -> tuple[int, int]:
    """The canvas (W, H) that a model was trained on: as stated, or by its latents' size."""
    width, height = facts.cells
    usual = preset.native_size or (width * facts.factor, height * facts.factor)
    native_width, native_height = own.get("native_size", usual)
    return int(native_width), int(native_height)


def _implied_sampler(facts: Facts, trailing: bool) -> Mapping[str, Any]:
    """What a checkpoint's configs imply for the scene's `sampler:`."""
    implied: dict[str, Any] = {"steps": 4} if trailing else {}
    if facts.embedded_guidance is not None:
        implied["guidance"] = {"type": "full", "scale": facts.embedded_guidance}
    return implied


def _part(folder: Path | None, path: str) -> dict[str, Any]:
    """A JSON file of a model folder; an empty mapping where there is none."""
    if folder is None:
        return {}
    settings = config_at(folder / path) or {}
    refuse_odd(folder, path, settings)
    return settings
