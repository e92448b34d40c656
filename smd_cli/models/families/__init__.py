"""Which families of models there are: one record each, a module that holds a `FAMILY`.

In: what an index says. Out: the record, which loading, the hub, `check` and doctor read.
A record names its adapter and its classes, and imports none of them: no torch in here.
"""

from __future__ import annotations

import importlib
import pkgutil

from smd_cli.models.families import sd
from smd_cli.models.families.record import (
    SCHEDULER,
    TRANSFORMER,
    Configs,
    Facts,
    Family,
    Part,
    SingleFile,
    TransformerFile,
)
from smd_cli.models.families.registry import (
    autoencoders,
    families,
    family_of,
    part_names,
    recognised,
    register,
    supported,
)

__all__ = [
    "SCHEDULER",
    "STAND_IN",
    "TRANSFORMER",
    "Configs",
    "Facts",
    "Family",
    "Part",
    "SingleFile",
    "TransformerFile",
    "autoencoders",
    "families",
    "family_of",
    "part_names",
    "recognised",
    "register",
    "supported",
]

STAND_IN = sd.FAMILY
"""What a model is taken for while nothing of it is here."""

for _module in pkgutil.iter_modules(__path__):
    _found = getattr(importlib.import_module(f"{__name__}.{_module.name}"), "FAMILY", None)
    if _found is not None:
        register(_found)
