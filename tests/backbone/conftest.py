"""Models of all families, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from smd_cli.backbone.quiet import quiet

from .tiny_flows import FLOWS
from .tiny_models import tiny_models


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny random model folder for each family, by name."""
    with quiet():
        return tiny_models(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of tiny flow-matching models, each made when it is first asked for."""
    folder = tmp_path_factory.mktemp("flows")

    class Made(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = FLOWS[name](folder / name)
            return self[name]

    return Made()
