"""Keeps up with a scene's files: which state of them is the newest that can be painted."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli.errors import SceneError, SmdError
from smd_cli.scene.overrides import Override
from smd_cli.scene.paint.reels import files_of
from smd_cli.watch.sources import Contents, Digests, Reading, SceneReader, Stamps, stamps
from smd_cli.watch.tell import Teller
from smd_cli.watch.watcher import Watcher
from smd_cli.work.job import Job
from smd_cli.work.request import Request

RETRY_S = 0.15
"""How long after a failed reading the next one is."""

PATIENCE_S = 1.5
"""How long something unreadable is tried again, as it stands, before it is told."""

WRITING_S = 10.0
"""How long files that change from look to look count as still being written."""

SLOW_RETRY_S = 1.0
"""How often files are looked at though nobody told of a save: none is missed for longer."""

SEEDS = 2**32


@dataclass(frozen=True, eq=False)
class Version:
    """A state of the scene that can be painted.

    `contents` are its files as they were; `since`: when what is new in it was saved (monotonic, s);
    `change`: the names of the files that were.
    """

    number: int
    job: Job
    digests: Digests
    contents: Contents
    request: Request
    since: float
    change: str = ""


class Follower:
    """`version` is the newest state of the files that can be painted, None before there is one."""

    def __init__(
        self, reader: SceneReader, request: Request, watcher: Watcher, teller: Teller
    ) -> None:
        self._reader, self._request = reader, request
        self._watcher, self._teller = watcher, teller
        self._files: tuple[Path, ...] = ()
        self._stamps: Stamps = {}
        self._troubled_since: float | None = None
        self._changed_at = 0.0
        self._reported: SmdError | None = None
        self._read_at = self._looked_at = 0.0
        self.version: Version | None = None

    @property
    def settled(self) -> bool:
        """Whether the files are those of `version`, as far as they have been read."""
        return self._troubled_since is None and self._reported is None

    def reseed(self) -> int:
        """Paint with a seed drawn now, whatever the scene says; the seed."""
        drawn = secrets.randbelow(SEEDS)
        seed = str(drawn)
        ours = Override("seed", seed, f"--seed {seed}", Path())
        others = [change for change in self._request.overrides if change.key != "seed"]
        self._request = replace(self._request, overrides=[*others, ours])
        self._watcher.changed.set()
        return drawn

    def look(self) -> None:
        """Read the files where they may have changed, or where reading them failed just now."""
        if not self._due():
            return
        noticed, self._read_at = time.time(), time.monotonic()
        if self._unchanged():
            self._follow(self._files)
            return
        found = self._reader.read(self._request, self._files)
        before = self._stamps
        self._follow(tuple(found.digests))
        if self._stamps != before:
            self._changed_at = time.monotonic()
        if found.job is None:
            self._trouble(found)
            return
        good = self.version
        troubled, reported = not self.settled, self._reported is not None
        self._troubled_since, self._reported = None, None
        if good is None or found.digests != good.digests or self._request is not good.request:
            self._new(found, found.job, noticed)
        elif troubled:
            self._teller.mended(reported=reported)

    def _follow(self, files: tuple[Path, ...]) -> None:
        self._files, self._stamps = files, stamps(files)
        self._watcher.follow([one for file in files for one in (file, *files_of(file))])

    def _due(self) -> bool:
        if self._watcher.changed.is_set():
            self._watcher.changed.clear()
            return True
        now = time.monotonic()
        if self._troubled_since is not None:
            return now - self._read_at >= RETRY_S
        if now - self._looked_at < SLOW_RETRY_S:
            return False
        self._looked_at = now
        return self._lost_place or stamps(self._files) != self._stamps

    @property
    def _lost_place(self) -> bool:
        """Whether something was told that no scene file mends: an output's folder is gone."""
        return self._reported is not None and not isinstance(self._reported, SceneError)

    def _new(self, found: Reading, job: Job, noticed: float) -> None:
        before, digests = self.version, found.digests
        changed = [p for p in digests if before and digests[p] != before.digests.get(p)]
        self.version = Version(
            before.number + 1 if before else 1,
            job,
            digests,
            found.contents,
            self._request,
            self._read_at - _delay(changed, noticed),
            ", ".join(path.name for path in changed),
        )
        self._teller.version(self.version)

    def _unchanged(self) -> bool:
        """Whether the files are those of `version`, and nothing else was told since."""
        good = self.version
        if good is None or not self.settled or self._request is not good.request:
            return False
        return self._reader.look(self._files) == good.digests

    def _trouble(self, found: Reading) -> None:
        """Tell what is wrong, once, when it has been so for a while.

        Raises it where it is the command, and not a file, that is wrong from the start.
        """
        wrong = found.wrong
        if self.version is None and wrong and found.for_good:
            raise wrong
        now = time.monotonic()
        if self._troubled_since is None:
            self._troubled_since = now
            self._teller.unsettled()
        writing = now - self._troubled_since < WRITING_S
        since = self._changed_at if writing else self._troubled_since
        if wrong is None or now - max(since, self._troubled_since) < PATIENCE_S:
            return
        self._troubled_since = None
        if str(wrong) != str(self._reported):
            self._teller.trouble(wrong)
        self._reported = wrong


def _delay(changed: list[Path], now: float) -> float:
    """How many seconds before `now` (wall clock) the last of the files was saved.

    0 where their times say nothing sensible: copied files keep old times, and clocks jump.
    """
    saved = []
    for path in changed:
        try:
            saved.append(path.stat().st_mtime)
        except OSError:
            continue
    delay = now - max(saved, default=now)
    return delay if 0 <= delay < PATIENCE_S else 0.0


def pause_s(follower: Follower) -> float:
    """How long there may be nothing to look at."""
    return SLOW_RETRY_S if follower.settled else RETRY_S


def wait(follower: Follower, wake: threading.Event) -> None:
    """Until there may be something to look at."""
    wake.wait(pause_s(follower))
    wake.clear()
