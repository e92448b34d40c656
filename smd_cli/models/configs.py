"""The small JSON files of a model: the one place where they are read, each once for each state."""

from __future__ import annotations

import json
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError

_HELD = 128  # files of which the content is kept


def config_at(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no file.

    Every call gives a mapping of its own. Raises UsageError where it cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        loaded = json.loads(_content(path, state).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as broken:
        raise UsageError(f"cannot read {path}: {broken}") from broken
    if not isinstance(loaded, dict):
        raise UsageError(f"cannot read {path}: not a JSON object")
    return loaded


def json_of(path: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file that the model `name` must have. Raises UsageError."""
    loaded = config_at(path)
    if loaded is None:
        raise UsageError(
            f"{name} is not a model folder: it has no {path.name}",
            "a model folder is what diffusers' save_pretrained writes",
        )
    return loaded


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no such file or something else in it."""
    try:
        return config_at(path)
    except UsageError:
        return None


@lru_cache(maxsize=_HELD)
def _content(path: Path, state: tuple[int, ...]) -> bytes:  # noqa: ARG001
    """The bytes of a file, read once for each `state` of it."""
    return path.read_bytes()
