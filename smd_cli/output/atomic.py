"""Files that appear whole or not at all: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from smd_cli.errors import SmdError
from smd_cli.output.targets import clobber_error

_REPLACE_TRIES = 10
_REPLACE_PAUSE_S = 0.2
_SHOWN_NAME = 40  # characters of the name that the temporary name repeats


@contextmanager
def sentences(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` of the block into a sentence about `path`."""
    try:
        yield
    except OSError as error:
        hint = "free some space and try again" if error.errno == errno.ENOSPC else ""
        reason = error.strerror or str(error)
        raise SmdError(f"{path} could not be written: {reason}", hint) from error


class AtomicFile:
    """A file in the making. `stream` writes to the temporary name; `commit` makes it visible.

    A link is followed: what it points at is replaced. Permissions are those of a new file (umask).
    Without `clobber` a file that stands at `path` by the time of `commit` is left alone.
    """

    def __init__(self, path: Path, *, clobber: bool = True, make_folder: bool = False) -> None:
        self.path = path
        self._goal = Path(os.path.realpath(path))
        self._clobber = clobber
        self._token = secrets.token_hex(4)
        name = f".{self._goal.name[:_SHOWN_NAME]}.{self._token}.tmp"
        self.temporary = self._goal.with_name(name)
        with sentences(path):
            if make_folder:
                self._goal.parent.mkdir(parents=True, exist_ok=True)
            self.stream: BinaryIO = self.temporary.open("x+b")

    def commit(self) -> None:
        """Close the stream and give the file its name."""
        try:
            with sentences(self.path):
                self.stream.close()
                self._publish()
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the temporary file; nothing after `commit`."""
        with suppress(OSError):
            self.stream.close()
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)

    def _publish(self) -> None:
        if self._clobber:
            self._replace()
            return
        try:
            publish_new(self.temporary, self._goal)
        except FileExistsError as error:
            raise clobber_error(self.path) from error

    def _replace(self) -> None:
        """Rename over what is there; Windows refuses while another program holds it open."""
        for attempt in range(_REPLACE_TRIES):
            try:
                self.temporary.replace(self._goal)
                return
            except PermissionError:
                time.sleep(_REPLACE_PAUSE_S if attempt + 1 < _REPLACE_TRIES else 0)
        self._rescue()

    def _rescue(self) -> None:
        """Keep finished work that cannot have its name under a name beside it, and say so."""
        kept = self.path.with_name(f"{self.path.stem}-{self._token}{self.path.suffix}")
        self.temporary.rename(self._goal.with_name(kept.name))
        raise SmdError(
            f"{self.path} could not be replaced: it may be open in another program",
            f"the new file is kept as {kept}",
        )


def write_whole(path: Path, data: bytes, *, clobber: bool, make_folder: bool) -> None:
    """A file with this content, there at once or not at all; options as for `AtomicFile`."""
    file = AtomicFile(path, clobber=clobber, make_folder=make_folder)
    try:
        with sentences(path):
            file.stream.write(data)
        file.commit()
    finally:
        file.discard()


def publish_new(temporary: Path, goal: Path) -> None:
    """Give `temporary` the name `goal` in one step; `FileExistsError` if something stands there."""
    try:
        os.link(temporary, goal)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system: hold the name first, then fill it
        goal.open("xb").close()
        try:
            temporary.replace(goal)
        except BaseException:
            goal.unlink()
            raise
