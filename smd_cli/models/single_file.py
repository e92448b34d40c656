"""Whole models in one file of weights: which configs belong to it, and whether it fits them."""

from __future__ import annotations

from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import described, read_shapes
from smd_cli.models.families import Configs, Family, families, supported
from smd_cli.models.families.unets import refuse_without_layout


def layout_of(path: Path) -> Path:
    """The folder of configs that fits a single-file checkpoint in its original layout.

    Raises UsageError for what smd has no configs for.
    """
    shapes = read_shapes(path)
    for own in (family.single_file for family in families()):
        folder = own.layout(shapes) if own else None
        if own and folder:
            own.refuse(path.name, shapes, {})
            return folder
    refuse_without_layout(path.name, shapes)
    what = described(shapes)
    if "diffusers folder" in what:
        raise UsageError(f"{path.name} is {what}", "name its folder, its hub id or a preset")
    what = what or "no whole Stable Diffusion checkpoint in the original layout"
    raise UsageError(f"{path.name} is {what}", supported())


def refuse_single_file(name: str, file: Path, family: Family | None, configs: Configs) -> None:
    """Raise UsageError for weights that are no whole model of a family with these configs.

    None stands for a family that is not known: its configs are told of elsewhere.
    """
    shapes = read_shapes(file)
    own = family.single_file if family else None
    if family and own is None:
        raise UsageError(
            f"{name} cannot be read with the configs of {family.name}: such models are folders",
            "name the folder itself as the model",
        )
    if own and own.sign in shapes:
        own.refuse(name, shapes, configs)
        return
    what = described(shapes)
    if what:
        raise UsageError(f"{name} is {what}")
