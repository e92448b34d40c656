"""What tells a file from any other in a moment, however large it is. Imports no torch.

A digest is 32 hexadecimal signs. It tells whether a file changed, and is no proof against malice.
Files up to 32 MB count whole. Of larger weights that is their header, and a piece of every tensor:
training changes all of a tensor's numbers. Of other large files, samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from smd_cli.errors import SmdError

_WHOLE_BYTES = 1 << 25
_SAMPLES, _SAMPLE_BYTES = 32, 1 << 18
_WEIGHTS = ".safetensors"
_SMALL = (".json", ".txt", ".model", ".jinja")
_PIECE_BYTES = 4096
_LENGTH_BYTES = 8  # of the number that a safetensors file begins with
_DIGITS = 32

Pieces = Iterator[tuple[int, int]]
"""Places in a file, and how many bytes there are."""


def fingerprint(folders: Iterable[Path]) -> str:
    """A digest of the configs, vocabularies and weights in these folders, one a part.

    Raises SmdError where one cannot be read.
    """
    made = hashlib.sha256()
    for folder in folders:
        try:
            held = sorted(path for path in folder.iterdir() if path.suffix in (_WEIGHTS, *_SMALL))
        except OSError as broken:
            raise SmdError(f"cannot read {folder}: {broken}") from broken
        for path in held:
            own = digest(path)
            if not own:
                raise SmdError(f"cannot read {path}")
            made.update(f"{folder.name}/{path.name}\0{own}\0".encode())
    return made.hexdigest()


def digest(path: Path) -> str:
    """A digest of a file's content; empty where there is no file that can be read."""
    try:
        status = path.stat()
        if not path.is_file():  # a pipe would be waited for
            return ""
        times = (status.st_mtime_ns, status.st_ctime_ns)
        return _digest(path, times, status.st_size, status.st_ino)
    except (OSError, ValueError):
        return ""


def digest_of(content: bytes) -> str:
    """The digest of a file with this content."""
    return _of_stream(BytesIO(content), len(content))


def joined(parts: object) -> str:
    """The digest of digests, with what they are of: anything that JSON can say."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]


@lru_cache(maxsize=4096)
def _digest(path: Path, times_ns: tuple[int, int], size: int, number: int) -> str:  # noqa: ARG001
    """The digest of a file in a state."""
    with path.open("rb") as file:
        return _of_stream(file, size)


def _of_stream(file: BinaryIO, size: int) -> str:
    """The digest of a stream of so many bytes: of its size, and of its content or pieces of it."""
    made = hashlib.sha256(f"{size} ".encode())
    pieces = iter([(0, size)]) if size <= _WHOLE_BYTES else _pieces(file, size)
    for place, length in pieces:
        file.seek(place)
        made.update(file.read(length))
    return made.hexdigest()[:_DIGITS]


def _pieces(file: BinaryIO, size: int) -> Pieces:
    """Those of a large file: its tensors' where it has any."""
    try:
        return iter(_of_tensors(file, size))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        places = ((size - _SAMPLE_BYTES) * place // (_SAMPLES - 1) for place in range(_SAMPLES))
        return ((place, _SAMPLE_BYTES) for place in places)


def _of_tensors(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """The header of a safetensors file, and the middle of each of its tensors.

    Raises ValueError and others for any other file.
    """
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > size:
        raise ValueError(length)
    begin = _LENGTH_BYTES + length
    entries = json.loads(file.read(length))
    entries.pop("__metadata__", None)
    pieces = [(0, begin)]
    for first, end in sorted(map(tuple, (one["data_offsets"] for one in entries.values()))):
        middle = max(first, (first + end - _PIECE_BYTES) // 2)
        pieces.append((begin + middle, max(0, min(_PIECE_BYTES, end - middle))))
    return pieces
