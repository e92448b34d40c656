"""Of what a picture was made: versions, the model's files, masks; and what is different by now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from smd_cli import __version__
from smd_cli.models.fingerprint import digest, digest_of, joined
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.reels import files_of
from smd_cli.scene.paint.sequence import is_sequence
from smd_cli.scene.types import SceneFile
from smd_cli.units import shown
from smd_cli.work.changes import without_folder
from smd_cli.work.inputs import model_files

VERSIONS, MODEL, FILES = "smd:versions", "smd:model", "smd:files"
MADE_OF = ("Software", VERSIONS, MODEL, FILES)
UNKNOWN = "-"
"""What stands for the digest of a model that has no files here."""

FORMS = {
    VERSIONS: r"[^\n]{0,500}",
    MODEL: r"([0-9a-f]{32}|-) [^\n]{1,500}",
}
_LIBRARIES = ("torch", "diffusers", "transformers", "numpy")
_WEIGHTS = (".safetensors", ".json", ".txt", ".model")

Contents = Mapping[Path, bytes]
Named = tuple[str, str]
"""A file as the scene writes it, and its digest; empty where it cannot be read."""


def provenance(file: SceneFile, read: Contents | None = None) -> dict[str, str]:
    """The text chunks that tell of what a scene's pictures are made, as all of it is now.

    `read`: what is in those of its files that have been read; these are not read again.
    """
    return {
        VERSIONS: ", ".join(f"{library} {number}" for library, number in _versions().items()),
        MODEL: model_told(file),
        FILES: json.dumps(named_digests(file, read or {})),
    }


def named_digests(file: SceneFile, read: Contents) -> list[Named]:
    """The pictures that a scene names, in its order, with their digests."""

    def now(path: Path) -> str:
        if path in read:
            return digest_of(read[path])
        return _of_sequence(path) if is_sequence(path) else digest(path)

    return [(without_folder(name), now(path)) for path, name in file.scene.pictures.items()]


def _of_sequence(path: Path) -> str:
    """The digest of the names and contents of all files of a sequence; empty as of one."""
    found = [(one.name, digest(one)) for one in files_of(path)]
    return joined(found) if found and all(content for _, content in found) else ""


def model_told(file: SceneFile) -> str:
    """A digest of the files of a scene's model, and what the scene calls it."""
    name = without_folder(file.scene.model.name)
    return f"{model_digest(file.scene.model)} {' '.join(name.split())}"


def model_in(texts: Mapping[str, str]) -> str:
    """The digest of the model's files that a picture tells; UNKNOWN where it tells none."""
    return texts.get(MODEL, UNKNOWN).split(" ", 1)[0]


def model_digest(model: ModelRef) -> str:
    """A digest of a model's files by their names below its folders.

    UNKNOWN where no weights are here, as before a download.
    """
    files = [(name, path) for name, path in model_files(model) if path.suffix in _WEIGHTS]
    if not any(path.suffix == _WEIGHTS[0] for _, path in files):
        return UNKNOWN
    return joined(sorted((name, digest(path)) for name, path in files))


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """The libraries that the last bits of a picture hang on; none of them is imported."""
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # put there by other means than an installer
            continue
    return found


def named_in(texts: Mapping[str, str]) -> list[Named]:
    """The files that a picture tells, with their digests. Raises ValueError for anything else."""
    try:
        found = [(name, digest) for name, digest in json.loads(texts.get(FILES, "[]"))]
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"{FILES} says {shown(texts[FILES])}") from None
    if not all(isinstance(part, str) for pair in found for part in pair):
        raise ValueError(f"{FILES} says {shown(texts[FILES])}")
    return found


def differences(
    texts: Mapping[str, str], today: Mapping[str, str], files: Sequence[str]
) -> Iterator[str]:
    """Sentences about what was another when a picture was painted than it is `today`.

    `files` are today's digests of the files that the picture tells, in its order. What a picture
    does not tell is not compared.
    """
    made_by = texts.get("Software", "")
    if made_by and made_by != f"smd {__version__}":
        yield f"it was painted by {shown(made_by, quote=False)}, and this is smd {__version__}"
    if VERSIONS in texts:
        was, now = (dict(_pairs(one[VERSIONS])) for one in (texts, today))
        for library in [library for library in was if was[library] != now.get(library)]:
            there = now.get(library, "none")
            yield f"{library} was {was[library]}, and is {there}"
    models = {model_in(texts), model_in(today)}
    if len(models) == 2 and UNKNOWN not in models:
        yield f"the files of the model {today[MODEL].split(' ', 1)[1]} are others than then"
    for (name, was_digest), now_digest in zip(named_in(texts), files, strict=False):
        if was_digest and was_digest != now_digest:
            what = "has changed since" if now_digest else "is no file that can be read any more"
            yield f"{shown(name, quote=False)} {what}"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(", "):
        name, _, number = part.partition(" ")
        if name and number:
            yield shown(name, quote=False), shown(number, quote=False)
