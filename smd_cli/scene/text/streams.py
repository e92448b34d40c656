"""Scenes that come through a pipe or an open file of a program, as from ``smd check <(cat s)``."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.units import visible

PATIENCE_S = 10.0
"""How long a named pipe is waited for to which nobody writes."""

_LOOK_S = 0.05
_MOST_LINKS = 40
_OPEN = re.compile(
    r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/(self|thread-self|\d+)(/task/\d+)?/fd/\d+"
)


def is_open_stream(path: Path) -> bool:
    """Whether a name is, or leads through links to, an open file of some process (/dev/stdout)."""
    try:
        name = os.path.abspath(path)  # noqa: PTH100 - links stay
    except OSError:  # the current folder is gone, and no stream is named from there
        return False
    for _ in range(_MOST_LINKS):
        folder, last = os.path.split(name)
        name = os.path.join(os.path.realpath(folder), last)  # noqa: PTH118
        if _OPEN.fullmatch(name):
            return True
        if not os.path.islink(name):  # noqa: PTH114 - may not raise
            return False
        name = os.path.join(os.path.dirname(name), os.readlink(name))  # noqa: PTH115, PTH118, PTH120
    return False


def folder_of(file: str) -> Path:
    """Where a scene's relative paths start: the current folder for what lies in none."""
    path = Path(file)
    return Path() if is_open_stream(path) else path.parent


def read_at_most(path: Path, count: int) -> bytes:
    """The first `count` bytes of a file or pipe; all where there are fewer.

    Raises OSError, and TimeoutError for a named pipe to which nobody writes for PATIENCE_S.
    """
    if not stat.S_ISFIFO(path.stat().st_mode) or is_open_stream(path):
        with path.open("rb") as file:
            return file.read(count)
    begun = time.monotonic()
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe:  # noqa: PTH123
        while True:
            first = pipe.read(count)  # None: somebody is about to write; empty: nobody is there
            if first is None or first:
                break
            if time.monotonic() - begun > PATIENCE_S:
                raise TimeoutError(f"nobody has written into this pipe for {PATIENCE_S:g} s")
            time.sleep(_LOOK_S)
        os.set_blocking(pipe.fileno(), True)
        return _rest(pipe.read, first or b"", count)


def _rest(read: Callable[[int], bytes | None], begin: bytes, count: int) -> bytes:
    parts, left = [begin], count - len(begin)
    while left > 0 and (part := read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def refuse_twice(scenes: Sequence[str], stdin: str) -> None:
    """Raise UsageError where two scenes come from what can be read once only.

    `stdin` is the name of standard input, which names such as /dev/stdin may mean as well.
    """
    names: dict[tuple[int, int], str] = {}
    if scenes.count(stdin) > 1:
        raise UsageError(f"standard input can be read once only, but {stdin} is given twice")
    for scene in scenes:
        key = _stream_key(scene, stdin)
        other = names.setdefault(key, scene) if key else scene
        if key and (other != scene or scenes.count(scene) > 1):
            both = f"{visible(scene)} is given twice" if other == scene else ""
            both = both or f"{visible(other)} and {visible(scene)} are the same"
            raise UsageError(f"a pipe can be read once only, but {both}")


def _stream_key(scene: str, stdin: str) -> tuple[int, int] | None:
    """What is the same for all names of a stream; None for what can be read again."""
    try:
        status = os.fstat(0) if scene == stdin else os.stat(scene)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return None
    return status.st_dev, status.st_ino
