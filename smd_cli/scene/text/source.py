"""Reading the scene's text, from a file or standard input."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from smd_cli.errors import Place, Problem, SceneError, UsageError
from smd_cli.scene.text.nodes import Lines
from smd_cli.scene.text.streams import folder_of, read_at_most
from smd_cli.units import closest_name

MAX_BYTES = 1 << 20
STDIN = "-"
# How a file begins → its encoding, as YAML 1.2 tells them apart.
_ENCODINGS: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xfe\0\0|[^\0]\0\0\0", "utf-32-le"),
    (rb"\0\0\xfe\xff|\0\0\0[^\0]", "utf-32-be"),
    (rb"\xff\xfe|[^\0]\0", "utf-16-le"),
    (rb"\xfe\xff|\0[^\0]", "utf-16-be"),
    (rb"", "utf-8"),
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"8BPS")


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
        content = _from_stdin(stdin or sys.stdin.buffer)
        return Source("<stdin>", "stdin", Path(), _decoded(content, "<stdin>"))
    return source_of(source, _content(Path(source), source))


def source_of(source: str, content: bytes) -> Source:
    """A scene file whose content has been read. Raises SceneError about the whole file."""
    path = Path(source)
    return Source(source, path.stem, folder_of(source), _decoded(content, source))


def _from_stdin(stdin: IO[bytes]) -> bytes:
    try:
        return stdin.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error("<stdin>", f"cannot be read: {error.strerror or error}") from None


def _content(path: Path, file: str) -> bytes:
    try:
        return read_at_most(path, MAX_BYTES + 1)
    except TimeoutError as silence:
        raise _error(file, str(silence), "name a file, or write the scene into it") from None
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
    """The text of a scene file: UTF-8, or UTF-16 or UTF-32 by their mark or zero bytes."""
    if content.startswith(_PICTURES):
        hint = "smd unpack takes the scene out of a picture that smd made"
        raise _error(file, "this is a picture, not a scene file", hint)
    if len(content) > MAX_BYTES:
        raise _error(file, f"a scene file must not be larger than {MAX_BYTES // 1024} KiB")
    encoding = next((name for sign, name in _ENCODINGS if re.match(sign, content, re.DOTALL)))
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _undecodable(content, encoding, error.start, file) from None


def _undecodable(content: bytes, encoding: str, at: int, file: str) -> SceneError:
    """That the byte at an index fits no text of the encoding."""
    text = content.decode(encoding, errors="replace").removeprefix("\ufeff")
    before = content[:at].decode(encoding).removeprefix("\ufeff")
    message = f"this is not {encoding.upper()} text: byte 0x{content[at]:02X}"
    hint = "save the file as UTF-8, as every text editor can"
    return SceneError([Problem(Lines(file, text).place(len(before)), message, hint)])


def _neighbour(path: Path) -> str:
    """A hint: the scene file beside it with a similar name, or the only one that there is."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix.lower() in {".yaml", ".yml"}]
    except OSError:
        return ""
    close = closest_name(path.name, names) or (names[0] if len(names) == 1 else "")
    return f"did you mean {path.parent / close}?" if close else ""


def _error(file: str, message: str, hint: str = "") -> SceneError:
    return SceneError([Problem(Place(file), message, hint)])
