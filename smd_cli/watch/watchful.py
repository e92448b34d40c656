"""A network that looks up before every call, so that a long step is left when it is stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor

from smd_cli.engine.contract import Backbone, Rows


def watchful(backbone: Backbone, look: Callable[[], object]) -> Backbone:
    """The same model; before each network call it calls `look`, which raises to leave the step."""
    return cast(Backbone, _Watchful(backbone, look))


class _Watchful:
    def __init__(self, backbone: Backbone, look: Callable[[], object]) -> None:
        self._backbone, self._look = backbone, look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def predict(self, rows: Rows) -> Tensor:
        self._look()
        return self._backbone.predict(rows)
