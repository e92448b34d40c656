"""What goes wrong while a model is loaded, as a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from smd_cli.backbone.memory import is_full, look_for_garbage
from smd_cli.backbone.quiet import quiet
from smd_cli.errors import SmdError


@contextmanager
def loading(name: str, where: torch.device) -> Iterator[None]:
    """Load a model, or a part of it, in here: libraries keep quiet.

    `name`: what the user calls the model. Raises SmdError for all that they raise.
    """
    with quiet():
        try:
            yield
        except SmdError:
            raise
        except Exception as broken:  # the loaders raise all kinds for a broken folder
            if is_full(broken):
                raise SmdError(
                    f"the model {name} does not fit into the memory of {where}",
                    "try --dtype fp16, a smaller model or --device cpu",
                ) from broken
            reason = " ".join(str(broken).split()).split(". ")[0]
            raise SmdError(f"cannot load the model {name}: {reason}") from broken
        finally:
            look_for_garbage()
