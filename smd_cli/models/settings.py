"""What the settings of a model's files may be, so far as smd reads them itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.units import shown

Rule = tuple[str, Callable[[Any], bool]]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _are_counts(value: Any, length: int | None = None) -> bool:
    fits = isinstance(value, list) and len(value) == (length or len(value))
    return fits and all(map(_is_count, value))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_pair(value: Any) -> bool:
    two = isinstance(value, list) and len(value) == 2
    return two and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)


_COUNT: Rule = ("a whole number from 1 on", _is_count)
_SIDES: Rule = (
    "a whole number from 1 on, or a list of two",
    lambda value: value is None or _is_count(value) or _are_counts(value, 2),
)
_PATCH: Rule = ("a whole number from 1 on", lambda value: _is_count(value) or _are_counts(value, 2))
_COUNTS: Rule = (
    "a list of whole numbers from 1 on",
    lambda value: value is None or _are_counts(value),
)
_PAIR: Rule = ("a list of two numbers", _is_pair)
_MAPPING: Rule = ("a mapping", lambda value: isinstance(value, dict))
_LIST: Rule = ("a list", lambda value: value is None or isinstance(value, list))
_TEXT: Rule = ("a text", lambda value: isinstance(value, str))
_TEXTS: Rule = ("a list of texts", _are_texts)

# By the folder and name of a file; what is not here is checked where it is used, or not used.
_TEXT_ENCODER = {"num_hidden_layers": _COUNT, "hidden_size": _COUNT}
_RULES: Mapping[str, Mapping[str, Rule]] = {
    "unet/config.json": {"sample_size": _SIDES, "in_channels": _COUNT},
    "text_encoder/config.json": _TEXT_ENCODER,
    "text_encoder_2/config.json": _TEXT_ENCODER,
    "scheduler/scheduler_config.json": {"trained_betas": _LIST, "_class_name": _TEXT},
    "config.json": {
        "block_out_channels": _COUNTS,
        "encoder_block_out_channels": _COUNTS,
        "patch_size": _PATCH,
    },
    "smd.json": {"native_size": _PAIR, "vocabulary": _MAPPING, "learnt": _MAPPING},
    "smd.json: vocabulary": {"objects": _TEXTS, "materials": _TEXTS, "colours": _TEXTS},
    "smd.json: learnt": {
        "timesteps": _PAIR,
        "smallest_px": _COUNT,
        "largest_px": _COUNT,
        "window_px": _COUNT,
    },
}


def refuse_odd(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Raise UsageError for a setting in a model's file, `name` in `folder`, that cannot be."""
    for key, (what, fits) in _RULES.get(name, {}).items():
        if key in settings and not fits(settings[key]):
            found = shown(json.dumps(settings[key], ensure_ascii=False), quote=False)
            raise UsageError(f"the model file {folder / name}: {key} must be {what}, not {found}")
        inner = f"{name}: {key}"
        if inner in _RULES and key in settings:
            refuse_odd(folder, inner, settings[key])
