"""The families that are known, and which of them a model belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.families.record import Family, parts_of

_known: dict[str, Family] = {}


def register(family: Family) -> None:
    """Have a family known from here on, whatever comes to be loaded, checked or listed.

    Raises ValueError where another one has its name, and where LoRAs or single files would be
    read by a pipeline that it does not name.
    """
    if family.name in _known:
        raise ValueError(f"there is a family {family.name} already")
    if not family.pipeline and (family.single_file or not family.no_lora):
        raise ValueError(f"the family {family.name} names no pipeline to read LoRAs or files by")
    _known[family.name] = family


def families() -> tuple[Family, ...]:
    """All families, in the order in which they were registered."""
    return tuple(_known.values())


def supported() -> str:
    """The sentence on what smd runs, which is the hint for everything else."""
    oldest = sorted(families(), key=lambda one: one.spacing is not None)
    return f"smd runs {'; '.join(one.covers for one in oldest if one.covers)}"


def part_names() -> tuple[str, ...]:
    """The folders that models of any family have; a safety checker, say, is none of them.

    Those with weights come first, the denoisers before all.
    """
    every = families()
    modules = zip_longest(*(one.modules for one in every))
    names = [part.name for alike in modules for part in alike if part]
    return tuple(dict.fromkeys([*names, *(name for one in every for name in one.part_names)]))


def autoencoders() -> Mapping[str, str]:
    """All classes of autoencoders as "module:Class", by what a config calls them."""
    return {name: spec for one in families() for name, spec in one.autoencoder.loaders.items()}


def recognised(index: Mapping[str, Any]) -> Family | None:
    """The family of the folder with this index; None for any other architecture."""
    return next((one for one in families() if one.fits(index)), None)


def family_of(name: str, index: Mapping[str, Any]) -> Family:
    """The same. Raises UsageError, with one sentence on what the model `name` is."""
    family = recognised(index)
    if family is None:
        raise UsageError(
            f"the model {name} is {_kind(index)}, which is not supported: {supported()}"
        )
    return family


def _kind(index: Mapping[str, Any]) -> str:
    """What a model is that fits no family."""
    parts = parts_of(index)
    if "unet" in parts and {"text_encoder", "text_encoder_2"} & set(parts) == {"text_encoder_2"}:
        return "the refiner of Stable Diffusion XL"
    name = index.get("_class_name")
    return f"a {name}" if name else "a model of unknown kind"
