"""Tells when files change: a thread that listens to the folders in which they lie.

Editors save by writing a new file and renaming it, so it is the folders that are watched. Changes
that follow each other are told once, when there was none for a while or after a longest wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from watchfiles import Change, watch

QUIET_MS = 100
LONGEST_MS = 500


class Watcher:
    """Sets `changed`, and `wake`, whenever one of the files that it follows may have changed."""

    def __init__(
        self,
        wake: threading.Event,
        *,
        polling: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`polling` asks again and again, where a file system (a network's) tells nothing; `say`
        hears where there is no other way.
        """
        self._say, self._reported = say, False
        self.changed = threading.Event()
        self._wake = wake
        self._polling = polling
        self._names: frozenset[str] = frozenset()
        self._folders: frozenset[str] = frozenset()
        self._lost = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def follow(self, files: Collection[Path]) -> None:
        """Follow these files, and no others, from now on; they need not exist yet.

        Where this takes another set of folders, `changed` is set: a save may have been missed.
        """
        places = {place for file in files for place in _places(file)}
        folders = frozenset(_existing(str(Path(place).parent)) for place in places)
        folders |= {_existing(str(Path(folder).parent)) for folder in folders}
        self._names = frozenset(map(_first_missing, places)) | places
        if folders == self._folders and not self._lost:
            return
        self.close()
        self._folders, self._lost = folders, False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="watcher", daemon=True)
        self._thread.start()
        self.changed.set()

    def close(self) -> None:
        """Stop listening; no thread is left."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        self._thread, self._folders = None, frozenset()

    def _listen(self) -> None:
        """Where the system has no listener to give, or a folder went just now, ask instead."""
        try:
            self._hear(polling=self._polling)
            return
        except FileNotFoundError:
            pass
        except (OSError, RuntimeError) as wrong:
            self._tell(wrong)
        with suppress(OSError, RuntimeError):
            self._hear(polling=True)

    def _tell(self, wrong: Exception) -> None:
        """Say once that the system tells nothing of changes."""
        if not self._reported:
            self._reported = True
            reason = getattr(wrong, "strerror", None) or str(wrong)
            self._say(
                f"the system does not tell of changed files ({reason}): smd asks for changes "
                "instead, as with --poll"
            )

    def _hear(self, *, polling: bool) -> None:
        for _ in watch(
            *sorted(self._folders),
            watch_filter=self._concerns,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            stop_event=self._stop,
            recursive=False,
            raise_interrupt=False,
            force_polling=polling or None,
            poll_delay_ms=QUIET_MS,
        ):
            self.changed.set()
            self._wake.set()

    def _concerns(self, change: Change, path: str) -> bool:
        if path not in self._folders:
            return path in self._names
        moved = change != Change.modified
        self._lost |= moved  # a folder came or went: listen to the new one
        return moved


def _places(file: Path) -> set[str]:
    """The full names under which changes of a file are told: its own, and what it links to."""
    own = Path(os.path.realpath(file.parent)) / file.name
    return {str(own), os.path.realpath(file)}


def _first_missing(place: str) -> str:
    """The outermost folder on the way to a place that is not there yet; else the place itself."""
    folders = Path(place).parents
    missing = [str(folder) for folder in folders if not _is_folder(folder)]
    return missing[-1] if missing else place


def _existing(folder: str) -> str:
    """The folder, or the nearest one around it that exists."""
    place = Path(folder)
    while not _is_folder(place) and place != place.parent:
        place = place.parent
    return str(place)


def _is_folder(place: Path) -> bool:
    """Whether it is a folder, as far as we may see."""
    try:
        return place.is_dir()
    except OSError:
        return False
