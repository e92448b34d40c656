"""What tells the files of a model's parts from any others, in a moment, however large they are.

Small files count whole. Of weights that is their header, and a piece of every tensor: training
changes all of a tensor's numbers. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from smd_cli.errors import SmdError

_WEIGHTS = ".safetensors"
_SMALL = (".json", ".txt", ".model", ".jinja")
_PIECE_BYTES = 4096
_LENGTH_BYTES = 8  # of the number that a safetensors file begins with


def fingerprint(folders: Iterable[Path]) -> str:
    """A digest of the configs, vocabularies and weights in these folders, one a part.

    Raises SmdError where one cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for folder in folders:
            for path in sorted(folder.iterdir()):
                if path.suffix in (_WEIGHTS, *_SMALL):
                    own = hashlib.sha256()
                    for part in _weights(path) if path.suffix == _WEIGHTS else (path.read_bytes(),):
                        own.update(part)
                    digest.update(f"{folder.name}/{path.name}".encode() + own.digest())
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as broken:
        raise SmdError(f"cannot read {folder}: {broken}") from broken
    return digest.hexdigest()


def _weights(path: Path) -> Iterator[bytes]:
    """Size, time and header of a safetensors file, and the middle of each of its tensors."""
    found = path.stat()
    yield f"{found.st_size} {found.st_mtime_ns}".encode()
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = file.read(length)
        yield header
        entries = json.loads(header)
        for name in sorted(entries.keys() - {"__metadata__"}):
            begin, end = entries[name]["data_offsets"]
            middle = max(begin, (begin + end - _PIECE_BYTES) // 2)
            file.seek(_LENGTH_BYTES + length + middle)
            yield file.read(min(_PIECE_BYTES, end - middle))
