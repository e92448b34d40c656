"""Temporary names that tell whose they are, and the end of those whose owner is gone.

A run that is killed cannot remove what it was writing. The next one that writes into that folder
does: it removes files with a temporary name of ours, of this machine (or container) and of this
user, whose process is gone. Those of other machines it cannot judge, and leaves.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import stat
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

_SHOWN_NAME = 40  # characters of the name that the temporary name repeats
_OURS = re.compile(r"\..+\.smd-([0-9a-f]{8})-([0-9]{1,10})-[0-9a-f]{8}\.tmp", re.DOTALL)
_CLOCKS_APART_S = 2.0  # coarse file times


def temporary_name(name: str, token: str) -> str:
    """A hidden name for `name` in the making, which nothing else has: `token` is 8 hex digits."""
    return f".{name[:_SHOWN_NAME]}.smd-{_machine()}-{os.getpid()}-{token}.tmp"


def new_token() -> str:
    """What makes a temporary name the only one."""
    return secrets.token_hex(4)


@cache
def remove_ownerless(folder: Path) -> None:
    """Remove what killed runs left in a folder; looks once in a process, and never complains."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            owner = _OURS.fullmatch(entry.name)
            if owner and owner[1] == _machine() and _is_left(entry, int(owner[2])):
                with suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108


def _is_left(entry: os.DirEntry[str], pid: int) -> bool:
    """Whether this is a plain file of this user, and the process that began it is gone."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    ours = os.name == "nt" or status.st_uid == os.getuid()
    return ours and stat.S_ISREG(status.st_mode) and not _runs(pid, status.st_mtime)


def _runs(pid: int, changed_at: float) -> bool:
    """Whether the process runs that wrote at that time; its number may have another one by now."""
    import psutil

    try:
        began: float = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return began <= changed_at + _CLOCKS_APART_S


@cache
def _machine() -> str:
    """8 hex digits for this machine: within a container its own, as process numbers are."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/etc/machine-id").read_text(encoding="utf-8"))
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - no path
    return f"{zlib.crc32(' '.join(parts).encode()):08x}"
