"""Which model a name means, and what its folder says about itself. Imports no torch.

A model folder is diffusers' layout. It may carry a file `smd.json` with the model's own defaults in
the words of the scene format::

    {"native_size": [256, 256], "consistency": false, "blur": 6,
     "sampler": {"timesteps": [999, 900], "guidance": {"type": "full", "scale": 3}},
     "vocabulary": {"objects": ["fox"], "materials": ["grass"]}}
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.scene.model import ModelRef

STARTER = Path(__file__).parent / "starter" / "weights"
PRESETS: Mapping[str, Path] = {"starter": STARTER}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_SD15_BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


@dataclass(frozen=True)
class ModelDefaults:
    """What a model's folder says about itself; the values of SD 1.5 where it says nothing.

    `scheduler` is the scheduler's config, `sampler` a mapping in the words of the scene's
    `sampler:`, `factor` the canvas pixels of a latent cell, `known` whether a folder was read.
    """

    native_size: tuple[int, int] = (512, 512)
    factor: int = 8
    blur_px: float | None = None
    consistency: bool = True
    sampler: Mapping[str, Any] = field(default_factory=dict)
    scheduler: Mapping[str, Any] = field(default_factory=lambda: dict(_SD15_BETAS))
    objects: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    known: bool = False


def resolve_model(
    name: str,
    base: Path,
    revision: str | None = None,
    *,
    presets: Mapping[str, Path] = PRESETS,
    what: str = "model",
) -> ModelRef:
    """Find what `name` means: a preset, an existing path from `base`, else a hub id.

    ``hub:`` and ``./`` force the last two. Raises UsageError for a name that is none of them;
    `what` says in it what was looked for.
    """
    if name in presets:
        return ModelRef(name, presets[name], revision)
    hub_id = name.removeprefix("hub:")
    path = _existing(name, base) if hub_id == name else None
    if path:
        return ModelRef(name, path, revision)
    if _HUB_ID.fullmatch(hub_id) and not hub_id.startswith("."):
        return ModelRef(hub_id, None, revision)
    close = difflib.get_close_matches(name, presets, n=1, cutoff=0.5)
    known = f"presets: {', '.join(presets)}" if presets else ""
    kinds = "neither a preset, an existing path" if presets else "neither an existing path"
    raise UsageError(
        f"no {what} {name!r}: {kinds} nor a hub id",
        f"did you mean {close[0]}?" if close else known,
    )


def _existing(name: str, base: Path) -> Path | None:
    """The path that `name` means from `base`, if there is one."""
    try:
        path = base / Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such user, not a path at all
        return None


def read_defaults(model: ModelRef) -> ModelDefaults:
    """Read a model folder's own defaults; those of SD 1.5 for a hub id or a single file."""
    if model.folder is None or not (model.folder / "model_index.json").is_file():
        return ModelDefaults()
    try:
        return _stated(model, model.folder)
    except (AttributeError, TypeError, ValueError) as odd:
        raise UsageError(f"the model folder {model.folder} has odd settings: {odd}") from odd


def _stated(model: ModelRef, folder: Path) -> ModelDefaults:
    own = _read_json(folder / "smd.json")
    vae_folder = model.vae.folder if model.vae else folder / "vae"
    factor = latent_factor(_read_json(vae_folder / "config.json")) if vae_folder else 8
    sample = _read_json(folder / "unet" / "config.json").get("sample_size", 64)
    height, width = (sample, sample) if isinstance(sample, int) else sample
    native_width, native_height = own.get("native_size", (width * factor, height * factor))
    words = own.get("vocabulary", {})
    return ModelDefaults(
        native_size=(int(native_width), int(native_height)),
        factor=factor,
        blur_px=own.get("blur"),
        consistency=bool(own.get("consistency", True)),
        sampler=own.get("sampler", {}),
        scheduler=_read_json(folder / "scheduler" / "scheduler_config.json") or _SD15_BETAS,
        objects=tuple(words.get("objects", ())),
        materials=tuple(words.get("materials", ())),
        known=True,
    )


def latent_factor(vae_config: Mapping[str, Any]) -> int:
    """Canvas pixels per latent cell of an autoencoder, from its config (8 where it is silent)."""
    if "patch_size" in vae_config:
        return int(vae_config["patch_size"])
    blocks = vae_config.get("block_out_channels") or vae_config.get("encoder_block_out_channels")
    return int(2 ** (len(blocks) - 1)) if blocks else 8


def _read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file, or an empty one where there is no such file."""
    if not path.is_file():
        return {}
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as broken:
        raise UsageError(f"cannot read the model file {path}: {broken}") from broken
    if not isinstance(loaded, dict):
        raise UsageError(f"cannot read the model file {path}: not a JSON object")
    return loaded
