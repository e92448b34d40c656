"""What is recorded of a picture: in a PNG's own text, or in the sidecar beside another file."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.origin import FROM, SCENE
from smd_cli.output.ping_pong import way_there
from smd_cli.output.png_text import DamagedError, read_text
from smd_cli.output.sidecars import read_sidecar, sidecar_of
from smd_cli.units import visible
from smd_cli.work.bundle import CHUNK as BUNDLE

_OTHERS = (b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x1aE\xdf\xa3")  # JPEG, GIF, WebP, WebM
_PNG_ONLY = "smd writes the scene into PNG and APNG pictures alone, beside others with --sidecar"


@dataclass(frozen=True)
class Recorded:
    """The texts that tell of a picture by their names, and how many frames were painted for it.

    `picture` is the file that was asked about, `file` the one that tells: itself or its sidecar.
    """

    picture: Path
    file: Path
    texts: Mapping[str, str]
    pictures: int

    @property
    def folder(self) -> Path:
        """Where the picture lies."""
        return self.picture.parent

    @property
    def origin(self) -> Path | None:
        """Where its scene lay, seen from where the picture lies now; None where that is not told.

        Whether it still does nobody knows.
        """
        way = self.texts.get(FROM)
        return self.folder / Path(way).parent if way else None

    @property
    def embeds(self) -> bool:
        """Whether the scene's pictures are inside."""
        return BUNDLE in self.texts


def read_recorded(picture: Path) -> Recorded:
    """Read what is recorded of a picture, given itself or its sidecar; no pixel is decoded.

    Raises UsageError where nothing is, SmdError where that is damaged.
    """
    _refuse_file(picture)
    file = picture
    try:
        texts, count = _texts(picture)
        if not texts and sidecar_of(picture).is_file():
            file = sidecar_of(picture)
            texts, count = read_sidecar(file)
    except DamagedError as damaged:
        message = f"{shown_path(picture)}: {damaged.message}"
        raise SmdError(message, "copy the picture again") from None
    except OSError as denied:
        message = f"{shown_path(picture)} cannot be opened: {denied.strerror}"
        raise UsageError(message) from denied
    if texts is None:
        raise _unreadable(picture)
    if SCENE not in texts and BUNDLE not in texts:
        hint = "pictures that smd rendered as PNG do, and those that smd watch kept hold masks too"
        raise UsageError(f"{shown_path(picture)} holds no scene", hint)
    if file is picture and file == sidecar_of(picture):
        picture = picture.with_suffix("")
    return Recorded(picture, file, texts, count)


def shown_path(path: Path) -> str:
    """A path in a message, harmless for a terminal."""
    return visible(str(path))


def _texts(picture: Path) -> tuple[dict[str, str] | None, int]:
    """The texts of a PNG, or of a sidecar itself; None for what is neither."""
    if sidecar_of(picture) == picture:
        return read_sidecar(picture)
    try:
        texts, count = read_text(picture)
    except ValueError:
        return None, 1
    return texts, way_there(count, texts)


def _unreadable(picture: Path) -> UsageError:
    """That a file is of a format that holds no text, or no picture."""
    with picture.open("rb") as file:
        head = file.read(12)
    if head.startswith(_OTHERS) or head[4:8] == b"ftyp":
        return UsageError(f"{shown_path(picture)} holds no scene", _PNG_ONLY)
    return UsageError(f"{shown_path(picture)} is not a picture that can be read", _PNG_ONLY)


def _refuse_file(picture: Path) -> None:
    """Raise for a path behind which there is no file."""
    name = shown_path(picture)
    try:
        mode = picture.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as missing:
        hint = "name a PNG that smd wrote, or another picture that has a sidecar beside it"
        raise UsageError(f"there is no file {name}", hint) from missing
    except (OSError, ValueError) as odd:
        reason = odd.strerror if isinstance(odd, OSError) else str(odd)
        raise UsageError(f"{name} cannot be opened: {reason}") from odd
    if stat.S_ISDIR(mode):
        raise UsageError(f"{name} is a folder, not a picture", "name a PNG of smd's")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{name} is not a regular file")
