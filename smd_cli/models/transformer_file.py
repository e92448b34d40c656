"""A transformer in a file by itself, as people share them: whose it is, and whether it fits.

Text encoders, autoencoder, tokenizers and scheduler come from the model that it is named beside. Of
a file that holds some of these as well, the transformer alone is read. Headers only; no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import Shapes, described, read_kinds, read_shapes, width_in
from smd_cli.models.families import TRANSFORMER, Family, TransformerFile, families

PREFIX = "model.diffusion_model."
"""What the names of a transformer's weights begin with in files that hold more, and in many others.
"""
_READ = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
_SCALES = ("scaled_fp8", "scale_weight", "weight_scale", "scale_input", "input_scale")
"""How names end that hold what weights of 8 bits are to be multiplied by."""


def inside(names: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to the transformer in a mapping by names of weights, without their prefix."""
    own = {name.removeprefix(PREFIX): names[name] for name in names if name.startswith(PREFIX)}
    return own or dict(names)


def refuse_alone(name: str, file: Path, rest: str = "") -> None:
    """Raise UsageError where a file that is named as a whole model is a transformer.

    It tells what to write, with the `rest` of the model where that is known.
    """
    shapes = read_shapes(file)
    found = inside(shapes)
    family, own = _told(found)
    if family is None or own is None:
        return
    _refuse_layout(name, found, family)
    what = f"a transformer of {family.name} without text encoders and autoencoder"
    if len(found) < len(shapes):
        what = f"a checkpoint of {family.name}, of which smd reads the transformer alone"
    rest = rest or own.preset(found) or "MODEL"
    hint = f"write model: {{name: {rest}, {TRANSFORMER}: {name}}}"
    where = f"; MODEL: the folder or hub id that has the rest of {family.name}"
    raise UsageError(f"{name} is {what}", hint + where * (rest == "MODEL"))


def refuse_transformer(
    model: str, file: Path, family: Family | None, config: Mapping[str, Any]
) -> None:
    """Raise UsageError for a file that cannot be the transformer of a `model` with this config.

    None stands for a family that is not known, as nothing of it is here; `config` may be empty.
    """
    shapes, kinds = inside(read_shapes(file)), inside(read_kinds(file))
    told, own = _told(shapes)
    if family and not family.transformer_file:
        raise UsageError(f"the model {model} has no transformer, but a {family.denoiser.name}")
    _refuse_layout(file.name, shapes, family or told)
    if told is None or own is None:
        what = described(shapes) or f"no transformer of {family.name if family else 'any model'}"
        raise UsageError(f"{file.name} is {what}")
    if family and told is not family:
        raise UsageError(
            f"{file.name} is a transformer of {told.name}, and the model {model} is of another "
            f"family: {family.name}"
        )
    _refuse_quantised(file.name, kinds)
    wrong = _unlike(shapes, own, config)
    if wrong:
        raise UsageError(f"{file.name} does not fit the model {model}: {wrong}")


def _told(shapes: Mapping[str, Any]) -> tuple[Family | None, TransformerFile | None]:
    """The family of a transformer with these weights, and how that tells it; None for no such."""
    for family in families():
        own = family.transformer_file
        if own and (any(sign in shapes for sign in own.signs) or own.unread in shapes):
            return family, own
    return None, None


def _refuse_layout(name: str, shapes: Shapes, family: Family | None) -> None:
    """Raise UsageError for an original layout that diffusers does not read."""
    own = family.transformer_file if family else None
    if family and own and own.unread and own.unread in shapes:
        raise UsageError(
            f"{name} is in an original layout that diffusers does not convert for {family.name}",
            "take the file in diffusers' layout: that in the model's folder transformer",
        )


def _refuse_quantised(name: str, kinds: Mapping[str, str]) -> None:
    """Raise UsageError for weights that are more than numbers of another precision."""
    odd = {kind for kind in kinds.values() if kind not in _READ}
    if any(name.endswith(_SCALES) for name in kinds):
        odd |= {kind for kind in kinds.values() if kind.startswith("F8")}
    if odd:
        what = ", ".join(sorted(odd))
        raise UsageError(
            f"{name} holds quantised weights ({what}), which are not supported",
            "take the file in bf16 or fp16, or in fp8 without scales",
        )


def _unlike(shapes: Shapes, own: TransformerFile, config: Mapping[str, Any]) -> str:
    """In what a transformer is unlike the one that a config tells of; empty where in nothing."""
    for what, key, names in own.widths:
        takes = next((width_in(shapes[name]) for name in names if name in shapes), 0)
        if takes and config.get(key, takes) != takes:
            return f"it takes {what} of width {takes}, the model's own transformer {config[key]}"
    for start, key in own.blocks.items():
        count = len({name.split(".")[1] for name in shapes if name.startswith(f"{start}.")})
        if count and config.get(key, count) != count:
            return f"it has {count} {start}, the model's own transformer {config[key]}"
    for key, names in own.switches.items():
        has = any(name in shapes for name in names)
        if config and has != bool(config.get(key)):
            own_has = "none" if has else "has"
            return (
                f"it has {'' if has else 'no '}weights for {key}, the model's own transformer "
                + own_has
            )
    return ""
