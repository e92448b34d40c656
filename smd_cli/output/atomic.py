"""Files that appear whole or not at all: a temporary name in the same folder, then a rename.

What is no file, a FIFO or a device, is never renamed over: the finished bytes are written into it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from smd_cli.errors import SmdError
from smd_cli.output.conflicts import clobber_error
from smd_cli.output.places import is_stream, status_of
from smd_cli.output.unfinished import new_token, remove_ownerless, temporary_name

_HINTS = {
    errno.ENOSPC: "free some space and try again",
    errno.EMFILE: "close other programs, or raise the limit: ulimit -n 1024",
}
_REPLACE_TRIES = 10
_REPLACE_PAUSE_S = 0.2


@contextmanager
def sentences(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` of the block into a sentence about `path`."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        reason = error.strerror or str(error)
        raise SmdError(f"{path} could not be written: {reason}", hint) from error


class AtomicFile:
    """A file in the making. `stream` writes to the temporary name; `commit` makes it visible.

    A link is followed: what it points at is replaced, and keeps its permissions; those of a new
    file are by the umask. Without `clobber` a file that stands at `path` by the time of `commit`
    is left alone.
    """

    def __init__(self, path: Path, *, clobber: bool = True, make_folder: bool = False) -> None:
        self.path = path
        self._goal = Path(os.path.realpath(path))
        self._clobber = clobber
        self._token = new_token()
        with sentences(path):
            self._is_stream = is_stream(status_of(self._goal))
            if make_folder:
                self._goal.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.gettempdir()) if self._is_stream else self._goal.parent
            remove_ownerless(folder)
            self.temporary = folder / temporary_name(self._goal.name, self._token)
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
        if not self._clobber:
            self._appear()
        elif self._is_stream:
            self._pour()
        else:
            self._replace()

    def _pour(self) -> None:
        """Write the finished bytes into a FIFO or a device; a FIFO waits for its reader."""
        into = os.open(self._goal, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        with os.fdopen(into, "wb") as goal, self.temporary.open("rb") as finished:
            shutil.copyfileobj(finished, goal)

    def _appear(self) -> None:
        try:
            publish_new(self.temporary, self._goal)
        except FileExistsError as error:
            raise clobber_error(self.path) from error

    def _replace(self) -> None:
        """Rename over what is there; Windows refuses while another program holds it open."""
        self._keep_manners()
        for attempt in range(_REPLACE_TRIES):
            try:
                self.temporary.replace(self._goal)
                return
            except PermissionError:
                time.sleep(_REPLACE_PAUSE_S if attempt + 1 < _REPLACE_TRIES else 0)
        self._rescue()

    def _keep_manners(self) -> None:
        """Take the permissions of the file that is replaced, and its owner where we may."""
        there = status_of(self._goal)
        if there is None or os.name == "nt":
            return
        if not stat.S_ISREG(there.st_mode):
            raise SmdError(f"{self.path} is no file any more: it is left as it is")
        ours = self.temporary.stat()
        if (there.st_uid, there.st_gid) != (ours.st_uid, ours.st_gid):
            with suppress(OSError):
                os.chown(self.temporary, there.st_uid, there.st_gid)
        self.temporary.chmod(stat.S_IMODE(there.st_mode) & 0o777)

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
