"""The record by which ``--resume`` knows a picture again: what it was made of, as one digest.

Nothing in it tells of this machine or of a time, so that equal pictures stay equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from smd_cli.models.cache import downloads_of, snapshot
from smd_cli.models.ref import ModelRef

CHUNK = "smd:job"
_HOW = {"smd:schedule", "smd:frame", "smd:machine", CHUNK}  # not of what, or told apart
_WEIGHTS = (".safetensors", ".json", ".txt", ".model", ".bin", ".ckpt", ".pt", ".pth")
_WHOLE_BYTES = 1 << 20  # a file that is read whole; of a larger one samples
_SAMPLES, _SAMPLE_BYTES = 64, 4096


class Digests:
    """The contents of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, bytes] = {}

    def of(self, paths: Iterable[Path]) -> str:
        """The digest of some files in their order; empty where one cannot be read."""
        try:
            return hashlib.sha256(b"".join(map(self._file, paths))).hexdigest()
        except (OSError, ValueError):
            return ""

    def _file(self, path: Path) -> bytes:
        if path not in self._known:
            with path.open("rb") as file:
                self._known[path] = _digest(iter(lambda: file.read(1 << 20), b""))
        return self._known[path]


def record_of(text: Mapping[str, str], files: str, model: ModelRef) -> dict[str, str]:
    """The text chunk of a job: of its own text, its pictures' digest, and its model.

    `text` is that of any of its frames; nothing where the files or the model are not known.
    """
    weights = print_of(model)
    if not (files and weights):
        return {}
    told = {key: value for key, value in text.items() if key not in _HOW}
    whole = json.dumps([sorted(told.items()), files, weights])
    return {CHUNK: hashlib.sha256(whole.encode()).hexdigest()}


def print_of(model: ModelRef) -> str:
    """The fingerprint of a model's files; empty where one of its parts is not here.

    Of a file of more than 1 MiB its size and 64 samples of 4 KiB are taken: weights that were
    trained further differ everywhere.
    """
    places = _places(model)
    if any(place is None for place in places):
        return ""
    files = [one for place in places if place is not None for one in _below(place)]
    try:
        found = [
            (name, *_sampled(path, path.stat().st_size, path.stat().st_mtime_ns))
            for name, path in files
        ]
    except OSError:
        return ""
    return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else ""


def _places(model: ModelRef) -> list[Path | None]:
    """Where the model's parts lie, its autoencoder and LoRAs among them; None for what is away."""
    own = [place for place in (model.folder, model.file, model.config) if place is not None]
    loras = [lora.path for lora in model.loras if lora.path is not None]
    vae = [] if model.vae is None else [p for p in (model.vae.folder, model.vae.file) if p]
    return [*own, *vae, *loras, *map(snapshot, downloads_of(model))]


def _below(place: Path) -> list[tuple[str, Path]]:
    """A file, or the files of weights and configs in a folder, by their names in it."""
    if place.is_file():
        return [("", place)]
    paths = (Path(top, name) for top, _, names in os.walk(place) for name in names)
    found = (path for path in paths if path.suffix.lower() in _WEIGHTS)
    return sorted((path.relative_to(place).as_posix(), path) for path in found)


@lru_cache(maxsize=4096)
def _sampled(path: Path, size: int, changed_ns: int) -> tuple[int, str]:  # noqa: ARG001
    """Size and digest of a file: of all of it, or of samples that are spread evenly."""
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            return size, _digest([file.read()]).hex()
        parts = []
        for number in range(_SAMPLES):
            file.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            parts.append(file.read(_SAMPLE_BYTES))
        return size, _digest(parts).hex()


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
