"""Bundles: a scene with all its files inside a picture, so that it can be painted again.

A kept PNG holds a zip of the scene file and of the pictures that it names, in one text chunk.
"""

from __future__ import annotations

import base64
import io
import re
import shlex
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from PIL import Image, PngImagePlugin

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.atomic import write_whole
from smd_cli.scene.model import SceneFile

CHUNK = "smd:bundle"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same files make the same bytes
_MOST_BYTES = 2**30


def bundle_text(file: SceneFile, contents: Mapping[Path, bytes]) -> str:
    """The text chunk of a scene with its files.

    A file beside or below the scene keeps its place; one from elsewhere comes into ``elsewhere/``,
    and the scene's text names it there.
    """
    names = _names(file, Path(file.file).parent)
    text = _renamed(file.text, _moved(file))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(zipfile.ZipInfo(f"{file.name}.yaml", _WHEN), text)
        for path, name in names.items():
            if path in contents:
                bundle.writestr(zipfile.ZipInfo(name, _WHEN), contents[path])
    return base64.b64encode(stream.getvalue()).decode("ascii")


def bundled_overrides(file: SceneFile, told: str) -> str:
    """The changes to a scene, a line each as in `told`, with its files as the bundle names them."""
    moved = _moved(file)
    lines = zip(file.overrides, told.split("\n"), strict=False)
    changes = ((full, _renamed(full, moved), line) for full, line in lines)
    return "\n".join(line if named == full else named for full, named, line in changes)


def unpack(picture: Path, folder: Path) -> tuple[list[Path], Mapping[str, str]]:
    """Write the files of a kept picture into a folder; their paths, the scene's first, and the text
    chunks that tell how it was painted.

    Raises UsageError where the picture holds no bundle or a file stands in the way, and for names
    that would leave the folder.
    """
    chunks = _chunks(picture)
    if CHUNK not in chunks:
        raise UsageError(
            f"{picture} holds no scene",
            "smd watch --keep, or its key k, saves pictures that do",
        )
    try:
        members = _members(base64.b64decode(chunks[CHUNK], validate=True))
    except (ValueError, zipfile.BadZipFile) as broken:
        raise SmdError(f"{picture}: its bundle is broken: {broken}") from broken
    paths = [folder / name for name in members]
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} exists already", "choose another folder with -o")
    for path, content in zip(paths, members.values(), strict=True):
        write_whole(path, content, clobber=False, make_folder=True)
    return paths, chunks


def again(paths: Sequence[Path], chunks: Mapping[str, str]) -> str:
    """The command that paints a kept picture again from its files as `unpack` gives them."""
    scene, *pictures = paths
    frame, of = (int(n) for n in chunks.get("smd:frame", "0 of 1").split(" of "))
    count = max(frame + 1, of)
    names = {path.relative_to(scene.parent).as_posix(): path.as_posix() for path in pictures}
    told = _renamed(chunks.get("smd:overrides", ""), names)
    changes = [line for line in told.split("\n") if line]
    own = {change.partition("=")[0] for change in changes}
    changes = [change for change in changes if not change.startswith("frames=")]
    changes += [] if "seed" in own else [f"seed={chunks.get('smd:seed', '0')}"]
    command = ["smd", "render", str(scene), "--schedule", chunks.get("smd:schedule", "auto")]
    for change in changes:
        command += ["--set", change]
    out = "again.png" if count == 1 else "again-%04d.png"
    return shlex.join([*command, "-n", str(count), "-o", out])


def _moved(file: SceneFile) -> dict[str, str]:
    """The bundle's names of the pictures that a scene names otherwise."""
    names, written = _names(file, Path(file.file).parent), file.scene.pictures
    return {w: names[p] for p, w in written.items() if names[p] != PurePosixPath(w).as_posix()}


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """A scene's text with other names for its files; a name inside a longer one is left alone."""
    if not names:
        return text
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w./\\-])({either})(?!\.?[\w/\\-])", lambda hit: names[hit[1]], text)


def _names(file: SceneFile, folder: Path) -> dict[Path, str]:
    """Every picture's name in the bundle."""
    names = {}
    for number, path in enumerate(file.scene.pictures, start=1):
        try:
            inside = path.resolve().relative_to(folder.resolve())
        except ValueError:
            inside = Path("elsewhere") / f"{number}-{path.name}"
        names[path] = inside.as_posix()
    return names


def _chunks(picture: Path) -> dict[str, str]:
    try:
        with _long_texts(), Image.open(picture) as opened:
            opened.load()
            return {k: v for k, v in opened.info.items() if isinstance(v, str)}
    except FileNotFoundError as missing:
        raise UsageError(f"there is no file {picture}") from missing
    except (OSError, ValueError, SyntaxError) as broken:
        raise UsageError(f"{picture} is not a picture that can be read") from broken


@contextmanager
def _long_texts() -> Iterator[None]:
    """Pillow refuses pictures with more than 64 MiB of text; masks may be more."""
    before = PngImagePlugin.MAX_TEXT_MEMORY
    PngImagePlugin.MAX_TEXT_MEMORY = 2 * _MOST_BYTES
    try:
        yield
    finally:
        PngImagePlugin.MAX_TEXT_MEMORY = before


def _members(content: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Raises ValueError for names that lead out of the folder."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        if sum(info.file_size for info in bundle.infolist()) > _MOST_BYTES:
            raise ValueError("it is too large")
        for info in bundle.infolist():
            name = PurePosixPath(info.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in info.filename:
                raise ValueError(f"{info.filename!r} leads out of the folder")
            found[info.filename] = bundle.read(info)
    return found
