"""Reading the scene's text, from a file or standard input."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from smd_cli.errors import Place, Problem, SceneError, UsageError

MAX_BYTES = 1 << 20
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A scene's text: `file` as messages show it, `folder` where its relative paths start."""

    file: str
    name: str
    folder: Path
    text: str


def read_source(source: str, stdin: IO[bytes] | None = None) -> Source:
    """Read a scene file, or standard input for ``-``. Raises SceneError about the whole file."""
    if not source:
        raise UsageError("a scene's name is empty")
    if source == STDIN:
        content = (stdin or sys.stdin.buffer).read(MAX_BYTES + 1)
        return Source("<stdin>", "stdin", Path(), _decoded(content, "<stdin>"))
    path = Path(source)
    return Source(source, path.stem, path.parent, _decoded(_content(path, source), source))


def _content(path: Path, file: str) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(file, "there is no such file", _neighbour(path)) from None
    except IsADirectoryError:
        raise _error(file, "this is a folder, not a scene file") from None
    except (OSError, ValueError) as error:
        if path.is_dir():  # Windows says "permission denied"
            raise _error(file, "this is a folder, not a scene file") from None
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _error(file, f"cannot be read: {reason}") from None


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise _error(file, f"a scene file must not be larger than {MAX_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise _error(file, f"this is not UTF-8 text (byte 0x{byte:02X} in line {line})") from None


def _neighbour(path: Path) -> str:
    """A hint: the scene file beside it with the most similar name."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix.lower() in {".yaml", ".yml"}]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else ""


def _error(file: str, message: str, hint: str = "") -> SceneError:
    return SceneError([Problem(Place(file), message, hint)])
