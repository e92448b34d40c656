"""Unpacking: the scene, and what else is in there, out of a picture that smd wrote.

The picture may come from anyone: its files are looked at first, all of them, and are written all or
not at all, into the folder asked for and nowhere else.
"""

from __future__ import annotations

import base64
import io
import os
import stat
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.atomic import sentences, write_whole
from smd_cli.output.origin import SCENE
from smd_cli.output.places import refuse_long
from smd_cli.scene.text.source import MAX_BYTES
from smd_cli.units import shown
from smd_cli.work.bundle import CHUNK, most_bytes, scene_name
from smd_cli.work.portable import Taken, flaw
from smd_cli.work.recipe import Recipe
from smd_cli.work.recorded import Recorded, read_recorded
from smd_cli.work.recorded import shown_path as _name

_MOST_FILES = 10_000
_PART = 1 << 20


class RefusedError(ValueError):
    """A bundle is not such as smd writes."""


@dataclass(frozen=True)
class Unpacked:
    """The paths of what was written, the scene's first, and sentences about it."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def unpack(picture: Path, folder: Path | None = None) -> Unpacked:
    """Write the scene of a picture, and the files that are in there, into a folder.

    `folder` None: the picture's name without its suffix. Raises UsageError where the picture holds
    no scene or a file stands in the way, SmdError for a broken or hostile one.
    """
    recorded = read_recorded(picture)
    folder = folder or _folder_of(recorded.picture)
    recipe, files = recipe_in(recorded, folder)
    return Unpacked(put(folder, files), recipe.notes())


def put(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write the files of a picture into a folder, all or none; gives their paths.

    Raises UsageError where one stands in the way, or a link would lead elsewhere.
    """
    paths = tuple(folder / name for name in files)
    for path in paths:
        _refuse_place(folder, path)
    _write(dict(zip(paths, files.values(), strict=True)))
    return paths


def recipe_in(recorded: Recorded, folder: Path, scene: str = "") -> tuple[Recipe, dict[str, bytes]]:
    """How a picture is painted again once its files, the scene's first, lie in a folder.

    Gives the files as well. `scene`: what the scene's file is called where it is inside alone;
    empty for the picture's name. Raises SmdError for a broken or hostile record.
    """
    try:
        files = _files(recorded, scene or scene_name(recorded.picture.stem))
        told, suffix = recorded.texts, recorded.picture.suffix
        recipe = Recipe.of(told, recorded.pictures, files, folder, suffix, recorded.origin)
    except ValueError as broken:
        message = f"{_name(recorded.file)}: what it holds is broken: {broken}"
        raise SmdError(message) from broken
    return recipe, {**files, recipe.scene: recipe.text.encode()}


def _folder_of(picture: Path) -> Path:
    """The folder that a picture is unpacked into where no other is named."""
    return picture.with_name(picture.stem if picture.suffix else f"{picture.name}-unpacked")


def _files(recorded: Recorded, scene: str) -> dict[str, bytes]:
    """The files of a picture by name, the scene's first. Raises ValueError for a broken bundle."""
    if recorded.embeds:
        return _members(base64.b64decode(recorded.texts[CHUNK], validate=True))
    return {scene: recorded.texts[SCENE].encode()}


def _members(packed: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Raises RefusedError for any that cannot be written safely."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
            infos = bundle.infolist()
            _refuse_entries(infos, most_bytes(len(packed)))
            return {info.filename: _content(bundle, info) for info in infos}
    except RefusedError:
        raise
    except Exception as broken:  # zipfile raises anything on damaged data
        raise RefusedError("its zip is damaged") from broken


def _refuse_entries(infos: list[zipfile.ZipInfo], most: int) -> None:
    """Raise RefusedError for entries that are not what `bundle_chunks` writes."""
    if not infos:
        raise RefusedError("it is empty")
    if len(infos) > _MOST_FILES:
        raise RefusedError(f"it has {len(infos)} files; at most {_MOST_FILES} are unpacked")
    taken = Taken()
    for info in infos:
        what = flaw(info.orig_filename) or _flaw(info)
        if what or not taken.add(info.filename):
            raise RefusedError(f"{shown(info.orig_filename)} {what or 'is in there twice'}")
    total = sum(info.file_size for info in infos)
    if total > most:
        raise RefusedError(
            f"it unpacks to {total >> 20} MiB; at most {most >> 20} MiB are unpacked"
        )
    if not infos[0].filename.endswith(".yaml"):
        raise RefusedError("it begins with no scene")
    if infos[0].file_size > MAX_BYTES:
        raise RefusedError(f"its scene has more than {MAX_BYTES >> 10} KiB")


def _flaw(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by an unknown method"
    kind = stat.S_IFMT(info.external_attr >> 16)
    return "" if kind in (0, stat.S_IFREG) else "is no regular file"


def _content(bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """What is in a file; never more than its entry says."""
    content = io.BytesIO()
    with bundle.open(info) as file:
        while part := file.read(_PART):
            content.write(part)
            if content.tell() > info.file_size:
                raise RefusedError(f"{shown(info.filename)} is larger than it says")
    if content.tell() != info.file_size:
        raise RefusedError(f"{shown(info.filename)} is cut off")
    return content.getvalue()


def _refuse_place(folder: Path, path: Path) -> None:
    """Raise where something stands in a file's way, or a link would lead out of the folder."""
    refuse_long(path, _name(folder))
    with sentences(_name(path)):
        if os.path.lexists(path):
            raise UsageError(f"{_name(path)} exists already", "choose another folder with -o")
        above = [*reversed(path.relative_to(folder).parents)]
        for place in (folder / part for part in above):
            if os.path.normcase(os.path.realpath(place)) != _straight(folder, place):
                raise UsageError(f"{_name(place)} leads elsewhere", "choose another folder with -o")
            if os.path.lexists(place) and not place.is_dir():
                raise UsageError(f"{_name(place)} is no folder", "choose another folder with -o")


def _straight(folder: Path, place: Path) -> str:
    """Where a place below the folder lies if no link is on the way."""
    return os.path.normcase(Path(os.path.realpath(folder)) / place.relative_to(folder))


def _write(files: Mapping[Path, bytes]) -> None:
    """Write all files; where one fails none is left, nor a folder that was made for them."""
    with ExitStack() as undo:
        for path, content in files.items():
            missing = [place for place in path.parents if not place.exists()]
            for place in reversed(missing):
                undo.callback(_remove_folder, place)
            write_whole(path, content, clobber=False, make_folder=True)
            undo.callback(path.unlink, missing_ok=True)
        undo.pop_all()


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
