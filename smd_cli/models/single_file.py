"""Whole models in one file of weights: which configs belong to it, and whether it fits them."""

from __future__ import annotations

from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import described, read_shapes
from smd_cli.models.families import Configs, Family, families, supported
from smd_cli.models.families.unets import refuse_without_layout
from smd_cli.models.transformer_file import refuse_alone


def layout_of(path: Path, name: str = "") -> Path:
    """The folder of configs that fits a single-file checkpoint in its original layout.

    `name`: what the user calls it.

    Raises UsageError for what smd has no configs for.
    """
    shapes = read_shapes(path)
    for own in (family.single_file for family in families()):
        folder = own.layout(shapes) if own else None
        if own and folder:
            own.refuse(path.name, shapes, {})
            return folder
    refuse_without_layout(path.name, shapes)
    refuse_alone(name or path.name, path)
    what = described(shapes) or "no whole Stable Diffusion checkpoint in the original layout"
    raise UsageError(f"{path.name} is {what}", supported())


def refuse_single_file(
    name: str, file: Path, config: Path | None, family: Family | None, configs: Configs
) -> None:
    """Raise UsageError for weights that are no whole model of a family with these configs.

    None stands for a family that is not known: its configs are told of elsewhere. `config`: their
    folder, where the scene names one.
    """
    shapes = read_shapes(file)
    refuse_alone(name, file, str(config) if config else "")
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
