"""A folder to write in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; no test may leave a temporary file in it."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not [p.name for p in tmp_path.rglob("*.tmp")]
