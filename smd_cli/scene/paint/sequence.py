"""Numbered files and folders of pictures as reels."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

from smd_cli.scene.paint.errors import PictureError, dimensions, quote
from smd_cli.scene.paint.opening import opened
from smd_cli.scene.paint.pictures import picture_size
from smd_cli.scene.paint.pixels import Source
from smd_cli.scene.paint.reel import Reel

_NUMBER = re.compile(r"%0?(\d{0,2})d")
_DIGITS = re.compile(r"(\d+)")
_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".tga", ".psd"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"),
)
_CONSECUTIVE = "the numbers of a sequence follow each other without a gap"


def is_sequence(path: Path) -> bool:
    """Whether a path means several files: a folder, or a name with a number such as ``%04d``."""
    try:
        return path.is_dir() or (bool(_NUMBER.search(path.name)) and not path.is_file())
    except (OSError, ValueError):
        return False


def sequence_files(path: Path) -> tuple[Path, ...]:
    """The files that a sequence has now, in order; none where there is no such folder."""
    try:
        if path.is_dir():
            found = (one for one in path.iterdir() if _is_picture(one))
            return tuple(sorted(found, key=lambda one: _natural(one.name)))
        numbers = (_number(path.name, one.name) for one in path.parent.iterdir())
        names = (_named(path.name, one) for one in sorted(n for n in numbers if n is not None))
        return tuple(path.with_name(name) for name in names)
    except (OSError, ValueError):
        return ()


class FileSequence(Reel):
    """Files whose names count up, from whatever number on, or all pictures of a folder by name."""

    rate = None

    def __init__(self, path: Path, written: str) -> None:
        """Raises PictureError for a gap, and where there is nothing."""
        self.written, self._files = written, sequence_files(path)
        if not self._files:
            raise _nothing(path, written)
        names = [file.name for file in self._files]
        _refuse_gap(names, written)
        base = written.rstrip("/\\") if path.is_dir() else os.path.dirname(written)  # noqa: PTH120
        self._names = [f"{base}/{name}" if base else name for name in names]
        self.count = len(names)
        self.size = picture_size(self._files[0], self._names[0])
        self._known = 1

    def opened(self, number: int) -> AbstractContextManager[Source]:
        """One of its pictures, opened as a single one is."""
        return opened(self._files[number], self._names[number])

    def refuse_unread(self, frames: int) -> None:
        """Raise PictureError for a file that is no picture, or of another size than the first."""
        for number in range(self._known, min(frames, self.count)):
            name, size = self._names[number], picture_size(self._files[number], self._names[number])
            if size != self.size:
                message = f"{quote(name)} measures {dimensions(size)}, and the first of the "
                message += f"sequence {quote(self.written)} {dimensions(self.size)}"
                raise PictureError(message, "the pictures of a sequence have one size")
            self._known = number + 1


def _is_picture(path: Path) -> bool:
    visible = not path.name.startswith(".")
    return visible and path.suffix.lower() in _ENDINGS and path.is_file()


def _natural(name: str) -> tuple[object, ...]:
    """By which names of a folder are sorted: their numbers by value."""
    parts = _DIGITS.split(name.casefold())
    return (*((n % 2, int(p) if n % 2 else p) for n, p in enumerate(parts)), name)


def _named(template: str, number: int) -> str:
    """The name of a number: ``fox-0007.png`` of ``fox-%04d.png``."""
    return _NUMBER.sub(lambda hit: hit[0] % number, template, count=1)


def _number(template: str, name: str) -> int | None:
    """The number of a file's name; None of one that is not of the template."""
    hit = _NUMBER.search(template)
    before, after = (template[: hit.start()], template[hit.end() :]) if hit else (template, "")
    inner = name[len(before) : len(name) - len(after)]
    if not re.fullmatch(r" *[0-9]{1,9}", inner):
        return None
    return int(inner) if _named(template, int(inner)) == name else None


def _refuse_gap(names: Sequence[str], written: str) -> None:
    """Raise PictureError where names that differ in one number alone leave one out."""
    split = [_DIGITS.split(name) for name in names]
    differ = {n for one in split for n, (a, b) in enumerate(zip(split[0], one)) if a != b}  # noqa: B905
    if len(differ) != 1 or len({len(one) for one in split}) != 1 or not min(differ) % 2:
        return
    at = min(differ)
    for before, after in pairwise(split):
        missing = int(before[at]) + 1
        if int(after[at]) > missing:
            name = "".join([*before[:at], str(missing).zfill(len(before[at])), *before[at + 1 :]])
            message = f"{quote(name)} is missing: {quote(written)} goes from "
            message += f"{quote(''.join(before))} to {quote(''.join(after))}"
            raise PictureError(message, _CONSECUTIVE)


def _nothing(path: Path, written: str) -> PictureError:
    """The error of a sequence without a file, with what is there instead."""
    if path.is_dir():
        return PictureError(f"the folder {quote(written)} holds no pictures")
    message = f"there is no file of the sequence {quote(written)}"
    if not path.parent.is_dir():
        return PictureError(message, f"there is no folder {quote(str(Path(written).parent))}")
    loose = _NUMBER.sub("%d", path.name, count=1)
    others = sorted(one.name for one in path.parent.iterdir() if _like(loose, one.name))
    if not others:
        return PictureError(message, f"as in {quote(_named(path.name, 0))}")
    hit = _NUMBER.search(path.name)
    assert hit is not None
    digits = len(others[0]) - len(path.name) + len(hit[0])
    meant = _NUMBER.sub(f"%0{digits}d", path.name, count=1)
    return PictureError(message, f"{quote(others[0])} is there: did you mean {quote(meant)}?")


def _like(loose: str, name: str) -> bool:
    """Whether a name is of a template with a number of any length."""
    before, _, after = loose.partition("%d")
    inner = name[len(before) : len(name) - len(after)]
    return name == f"{before}{inner}{after}" and inner.isdecimal()
