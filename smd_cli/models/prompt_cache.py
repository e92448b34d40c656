"""Where what text encoders said of prompts is kept from run to run. Imports no torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from smd_cli.units import counted, shown_bytes, without_home

SETTING = "SMD_PROMPT_CACHE"
ENDING = ".prompt"
UNFINISHED = ".unfinished"
MOST_BYTES = 2_000_000_000
"""So much is kept at most; of a prompt that is 2 to 8 MB. What was not used for longest goes."""


def prompt_cache() -> Path | None:
    """The folder of read prompts: SMD_PROMPT_CACHE, else in the user's cache folder.

    None where that says off, and where the user has no home.
    """
    asked = os.environ.get(SETTING, "").strip()
    if asked.lower() == "off":
        return None
    try:
        return Path(asked).expanduser() if asked else _user_cache() / "smd" / "prompts"
    except RuntimeError:
        return None


def _user_cache() -> Path:
    """Where a user's programs keep what they can make again, as the system has it."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def kept_prompts(folder: Path) -> list[tuple[int, int, Path]]:
    """Time of last use in ns, bytes and path of all that is kept, what was used last first."""
    return sorted(_stated(folder), reverse=True)


def described() -> str:
    """The place of read prompts, how many there are and what they take, for people."""
    folder = prompt_cache()
    if folder is None:
        return f"off, by {SETTING}" if os.environ.get(SETTING) else "off: there is no home folder"
    kept = kept_prompts(folder)
    size = shown_bytes(sum(size for _, size, _ in kept))
    most = shown_bytes(MOST_BYTES)
    return f"{without_home(str(folder))} ({counted(len(kept), 'prompt')}, {size} of {most} at most)"


def _stated(folder: Path) -> Iterator[tuple[int, int, Path]]:
    for ending in (ENDING, UNFINISHED):
        for path in folder.glob(f"*{ending}"):
            try:
                found = path.stat()
            except OSError:  # another run took it away
                continue
            yield found.st_mtime_ns, found.st_size, path
