"""What stands where a result is to go. Files are replaced; streams and devices are written into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.output.unfinished import new_token, temporary_name
from smd_cli.scene.text.streams import is_open_stream
from smd_cli.units import shown

Identity = tuple[int, int]
"""Device and number of a file: equal for all its names, by links or by the letters' case."""

_LONGEST_NAME, _LONGEST_PATH = 255, 32_767  # of systems that tell nothing


def status_of(path: Path | str) -> os.stat_result | None:
    """What the system tells of whatever `path` leads to; None where there is nothing."""
    try:
        return os.stat(path)  # noqa: PTH116 - may be a text
    except (FileNotFoundError, NotADirectoryError):
        return None


def identity(path: Path | str) -> Identity | None:
    """Which file stands at `path`, links followed; None where there is none that can be asked."""
    try:
        status = status_of(path)
    except (OSError, ValueError):
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def is_stream(status: os.stat_result | None) -> bool:
    """Whether bytes can only be written into it: a FIFO, or a device such as /dev/null."""
    return status is not None and (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode))


def is_file_or_nothing(path: Path) -> bool:
    """Whether a name is free, or a plain file's that no program holds open as a stream."""
    try:
        status = status_of(path)
    except OSError:
        return True
    return status is None or (stat.S_ISREG(status.st_mode) and not is_open_stream(path))


def refuse_long(path: Path, written: str, hint: str = "choose a shorter one") -> None:
    """Raise `UsageError` where a name on the way to `path`, or the whole path, is too long.

    The system counts bytes, and only when it meets the name; here that is known before any work.
    """
    most, most_in_all = _longest(path)
    for part in path.parts:
        if _length(part) > most:
            message = f"{written}: the name {shown(part)} has {_length(part)} bytes"
            raise UsageError(f"{message}, and {most} are allowed", hint)
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    unfinished = os.path.join(folder, temporary_name(name, new_token()))  # noqa: PTH118
    length = max(map(_length, (real, unfinished)))
    if length >= most_in_all:
        raise UsageError(
            f"{written}: the path has {length} bytes, and fewer than {most_in_all} are allowed",
            hint,
        )


def _length(name: str) -> int:
    """How long a name is as the system counts."""
    return len(name) if os.name == "nt" else len(os.fsencode(name))


def _longest(path: Path) -> tuple[int, int]:
    """How long a name may be where a path leads, and how long a whole path must not be."""
    folder = next((str(place) for place in path.parents if os.path.exists(place)), ".")  # noqa: PTH110
    try:
        return os.pathconf(folder, "PC_NAME_MAX"), os.pathconf(folder, "PC_PATH_MAX")
    except (AttributeError, OSError, ValueError):
        return _LONGEST_NAME, _LONGEST_PATH


def refuse_place(path: Path, written: str) -> bool:
    """Raise `UsageError` where a result cannot go to `path`; gives whether a stream is there."""
    if is_open_stream(path):
        hint = "-o - writes a PNG picture to standard output"
        raise UsageError(f"{written} leads to an open stream of a program, not to a file", hint)
    try:
        status = status_of(path)
    except OSError as error:
        raise UsageError(f"{written}: {error.strerror or error}") from error
    if status is None or stat.S_ISREG(status.st_mode):
        return False
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is a folder", f"write {path}/ to fill it with pictures")
    if not is_stream(status):
        kind = "block device" if stat.S_ISBLK(status.st_mode) else "socket"
        raise UsageError(f"{path} leads to a {kind}, which takes no picture")
    _refuse_closed(path, status)
    return True


def _refuse_closed(path: Path, status: os.stat_result) -> None:
    if not os.access(path, os.W_OK):
        raise UsageError(f"{path}: no permission to write into it")
    if stat.S_ISCHR(status.st_mode) and _is_terminal(path):
        raise UsageError(f"{path} leads to a terminal, which a picture would fill with signs")


def _is_terminal(device: Path) -> bool:
    try:
        opened = os.open(device, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | _NO_TERMINAL)
    except OSError:
        return False
    try:
        return os.isatty(opened)
    finally:
        os.close(opened)


_NO_TERMINAL = getattr(os, "O_NOCTTY", 0)
