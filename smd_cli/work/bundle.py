"""Bundles: a scene with all its pictures inside a picture, so that it can be painted again.

A kept PNG holds a zip of the scene file and of the pictures that it names, in one text chunk.
`smd_cli.unpack` takes them out.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from smd_cli.errors import SmdError
from smd_cli.scene.named import NamedFile, renamed
from smd_cli.scene.types import Brush, SceneFile
from smd_cli.work.changes import CHUNK as CHANGES
from smd_cli.work.changes import changes_of, one_a_line, to_json
from smd_cli.work.portable import Taken, flaw, portable_name

CHUNK = "smd:bundle"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same files make the same bytes
_PLENTY, _MOST = 2**28, 2**30  # bytes that may be unpacked: always, and of a large bundle
_DENSEST = 100  # bytes that may be unpacked for each that is packed, beyond _PLENTY


def bundle_chunks(
    file: SceneFile, contents: Mapping[Path, bytes], painted: Sequence[Brush] = ()
) -> dict[str, str]:
    """The text chunks of a scene with its pictures, and of what options changed in it.

    `painted` are its brushes as they were painted, for the channels of their masks.

    A picture beside or below the scene keeps its place; one from elsewhere, or by a name that not
    every system takes, comes into ``elsewhere/``, and the scene's text names it there. What is not
    in `contents`, such as a film, stays where it is, by its name. Raises SmdError where they are
    more than can be unpacked.
    """
    names = {path: name for path, name in _names(file).items() if path in contents}

    def name(one: NamedFile) -> str:
        inside = one.kind == "picture" and one.path in names
        if not inside or names[one.path] == PurePosixPath(one.written).as_posix():
            return one.written
        return names[one.path] if names[one.path][0] != "~" else f"./{names[one.path]}"

    held = {name: contents[path] for path, name in names.items()}
    members = {scene_name(file.name): renamed(file.text, file.named, name).encode(), **held}
    chunks = {CHUNK: base64.b64encode(_packed(file, members)).decode("ascii")}
    changes = changes_of(file, names, painted)
    if changes:
        chunks |= {CHANGES: to_json(changes), "smd:overrides": one_a_line(changes)}
    return chunks


def most_bytes(packed: int) -> int:
    """How many bytes a bundle of `packed` bytes may hold."""
    return max(_PLENTY, min(packed * _DENSEST, _MOST))


def scene_name(stem: str) -> str:
    """The name of a scene's file in the bundle."""
    return f"{stem}.yaml" if not flaw(f"{stem}.yaml") and "/" not in stem else "scene.yaml"


def _packed(file: SceneFile, members: Mapping[str, bytes]) -> bytes:
    """A zip that may be unpacked: less dense where its files shrink to next to nothing."""
    total = sum(map(len, members.values()))
    for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        packed = _zipped(members, how)
        if total <= most_bytes(len(packed)):
            return packed
    raise SmdError(
        f"the masks of {file.name} have {total >> 20} MiB; a picture keeps {_MOST >> 20} MiB",
        "save them as PNG",
    )


def _zipped(members: Mapping[str, bytes], how: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(zipfile.ZipInfo(name, _WHEN), content, how)
    return stream.getvalue()


def _names(file: SceneFile) -> dict[Path, str]:
    """Every picture's name in the bundle."""
    paths = dict.fromkeys(one.path for one in file.named if one.kind == "picture")
    inside = {path: _below(path, file.folder) for path in paths}
    taken = Taken()
    taken.add(scene_name(file.name))
    names = {path: name for path, name in inside.items() if name and taken.add(name)}
    for number, path in enumerate(paths, start=1):
        if path not in names:
            safe = portable_name(path.name) if flaw(f"{number}-{path.name}") else path.name
            free = (
                f"elsewhere{again}/{number}-{safe}" for again in ("", *range(2, len(paths) + 3))
            )
            names[path] = next(name for name in free if taken.add(name))
    return names


def _below(path: Path, folder: Path) -> str:
    """A picture's name as seen from the scene's folder; empty where it cannot keep that."""
    try:
        inside = path.resolve().relative_to(folder.resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):
        return ""
    return "" if flaw(inside) else inside
