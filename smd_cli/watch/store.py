"""Painted frames of films, kept on disk while `smd watch` runs, by what they were made of.

An edit that leaves a frame as it was, such as one of a later key, finds it here.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from smd_cli.output.atomic import sentences
from smd_cli.scene.paint.photo import Photo

MOST_BYTES = 2**30
"""So much is kept at most; what was painted first goes first."""

_LEVEL = 1  # of zlib: the quickest


class FrameStore:
    """Pictures by name, in a folder of its own that goes when the block is left.

    They are those of one `owner`, a planner: another one's may differ, and find nothing here.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._folder = tempfile.TemporaryDirectory(prefix="smd-watch-", ignore_cleanup_errors=True)
        self._owner: object = None
        self._known: dict[str, tuple[Photo, int]] = {}  # all but the levels, and how many bytes

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def belong(self, owner: object) -> None:
        """Forget the frames of any other owner."""
        if owner is not self._owner:
            self._drop(list(self._known))
            self._owner = owner

    def get(self, name: str) -> Photo | None:
        """A frame that was kept; None for one that was not, or that somebody removed."""
        if name not in self._known:
            return None
        like, _ = self._known[name]
        try:
            raw = zlib.decompress(self._path(name).read_bytes())
        except (OSError, zlib.error):
            self._drop([name])
            return None
        return replace(
            like, levels=np.frombuffer(raw, like.levels.dtype).reshape(like.levels.shape)
        )

    def put(self, name: str, photo: Photo) -> None:
        """Keep a frame, and no more than there is room for. Raises SmdError."""
        data = zlib.compress(photo.levels.tobytes(), _LEVEL)
        with sentences(self._path(name)):
            self._path(name).write_bytes(data)
        # One element stands for the levels: it takes no memory, and tells their shape and kind.
        shape = np.broadcast_to(np.zeros((), photo.levels.dtype), photo.levels.shape)
        self._known[name] = (replace(photo, levels=shape), len(data))
        total = sum(size for _, size in self._known.values())
        for old, (_, size) in list(self._known.items()):
            if total <= self._most_bytes:
                break
            self._drop([old])
            total -= size

    def _drop(self, names: list[str]) -> None:
        for name in names:
            del self._known[name]
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / hashlib.sha256(name.encode()).hexdigest()
