"""Which names of a scene are reels, and of which files those are made."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from smd_cli.scene.paint.animation import animation
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.film import Film, is_film
from smd_cli.scene.paint.pictures import picture_size
from smd_cli.scene.paint.reel import Reel
from smd_cli.scene.paint.sequence import FileSequence, is_sequence, sequence_files


def reel_of(path: Path, written: str, content: bytes | None = None) -> Reel | None:
    """The reel behind a name; None where it is a single picture, or nothing that is there.

    `content`, where the file has been read already, is what counts of it. Raises PictureError for
    a film or a sequence that cannot serve.
    """
    if is_sequence(path):
        return FileSequence(path, written)
    return Film(path, written) if is_film(path) else animation(path, written, content)


def size_of(path: Path, written: str) -> Size:
    """Width and height of a picture, or of the first of a reel. Raises PictureError."""
    reel = reel_of(path, written) if stays_on_disk(path) else None
    return picture_size(path, written) if reel is None else reel.size


def stays_on_disk(path: Path) -> bool:
    """Whether a name is a film's or a sequence's, which are never read into memory as a whole."""
    return is_sequence(path) or is_film(path)


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a name means: all of a sequence, else the one."""
    return sequence_files(path) if is_sequence(path) else (path,)


def fingerprint(path: Path) -> bytes | None:
    """What changes whenever a file of a film or a sequence is saved, comes or goes.

    None where there is none.
    """
    seen = hashlib.sha256()
    files = files_of(path)
    for file in files:
        with suppress(OSError, ValueError):
            status = file.stat()
            stamp = (file.name, status.st_mtime_ns, status.st_size, status.st_ino)
            seen.update(repr(stamp).encode("utf-8", "surrogateescape"))
            continue
        return None
    return seen.digest() if files else None
