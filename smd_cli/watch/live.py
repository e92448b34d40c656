"""The live loop: a picture of the scene as its files are now, again after every save.

A newer save overtakes work on an older one, between two network calls. What cannot be read is
tried again for a while, since editors write in pieces, and only then told; the last good picture
stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smd_cli.backbone.contract import Backbone
from smd_cli.engine.plan import Plan, Planner
from smd_cli.engine.stream import Frame, picture, single
from smd_cli.errors import SceneError, SmdError
from smd_cli.jobs import Job, announce, picture_text
from smd_cli.output.writers import open_outputs
from smd_cli.render import Models, memory_sentence
from smd_cli.report import Reporter
from smd_cli.request import Request
from smd_cli.watch.sources import Digests, digest, read
from smd_cli.watch.watcher import Watcher

RETRY_S = 0.15
"""How long after a failed reading the next one is."""

PATIENCE_S = 1.5
"""How long something unreadable is tried again before it is told."""


@dataclass(frozen=True, eq=False)
class Version:
    """A state of the scene that can be painted. `since`: when it was noticed (monotonic, s)."""

    number: int
    job: Job
    digests: Digests
    since: float


class Follower:
    """Keeps up with the scene's files; `version` is the newest state that can be painted."""

    def __init__(self, request: Request, watcher: Watcher, reporter: Reporter) -> None:
        self._request, self._watcher, self._reporter = request, watcher, reporter
        self._files: tuple[Path, ...] = ()
        self._troubled_since: float | None = None
        self._told = ""
        self._read_at = 0.0
        self.version: Version | None = None

    def look(self) -> None:
        """Read the files where they may have changed, or where reading them failed just now."""
        if self._watcher.changed.is_set():
            self._watcher.changed.clear()
        elif self._troubled_since is None or time.monotonic() - self._read_at < RETRY_S:
            return
        self._read_at = noticed = time.monotonic()
        if self._unchanged():
            self._watcher.follow(self._files)
            return
        found = read(self._request, self._files)
        self._files = tuple(found.digests)
        self._watcher.follow(self._files)
        if found.job is None:
            self._trouble(found.wrong)
            return
        good = self.version
        if good is None or found.digests != good.digests:
            number = good.number + 1 if good else 1
            self.version = Version(number, found.job, found.digests, noticed)
            announce(found.job, self._reporter)
        elif self._told:
            self._reporter.note("the files are as they were: the picture is fresh again")
        self._troubled_since, self._told = None, ""

    def _unchanged(self) -> bool:
        """Whether the files are those of `version`, and nothing else was told since."""
        settled = self._troubled_since is None and not self._told
        return self.version is not None and settled and digest(self._files) == self.version.digests

    def moved_on(self) -> bool:
        """Look again, and tell whether there is a newer version than before."""
        before = self.version
        self.look()
        return self.version is not before

    def wait(self) -> None:
        """Until there may be something to look at."""
        pause = RETRY_S if self._troubled_since is not None else 1.0
        self._watcher.changed.wait(pause)

    def _trouble(self, wrong: SmdError | None) -> None:
        """Tell what is wrong, once, when it has been so for a while.

        Raises it where it is the command, and not a file, that is wrong from the start.
        """
        if self.version is None and wrong and not isinstance(wrong, SceneError):
            raise wrong
        now = time.monotonic()
        if self._troubled_since is None:
            self._troubled_since = now
        if now - self._troubled_since < PATIENCE_S:
            return
        self._troubled_since = None
        if wrong and str(wrong) != self._told:
            self._told = str(wrong)
            self._reporter.trouble(wrong, stale=self.version is not None)


class Painter:
    """Paints versions; model and planner stay warm between them."""

    def __init__(self, models: Models, reporter: Reporter) -> None:
        self._models, self._reporter = models, reporter
        self._backbone: Backbone | None = None
        self._planner: Planner | None = None

    def paint(self, version: Version, overtaken: Callable[[], bool]) -> None:
        """Paint all frames of a version, or as many as are done when a newer one overtakes it.

        A movie that is not whole by then never appears.
        """
        job = version.job
        scene, painted = job.scene_file.scene, job.painted
        with suppress(OvertakenError), memory_sentence(job):
            backbone, planner = self._warm(job)
            plan = planner.plan(scene, painted.brushes, painted.size, painted.picture)
            with open_outputs(job.targets, size=painted.size, output=scene.output) as outputs:
                for frame in frames(plan, backbone, scene.frames, overtaken):
                    text = picture_text(job, frame.index, "single")
                    self._tell(version, outputs.add(frame.index, picture(frame, backbone), text))
                self._tell(version, outputs.finish())

    def _warm(self, job: Job) -> tuple[Backbone, Planner]:
        backbone = self._models.get(job.scene_file.scene.model)
        if self._planner is None or backbone is not self._backbone:
            self._backbone, self._planner = backbone, Planner(backbone)
        return backbone, self._planner

    def _tell(self, version: Version, paths: tuple[str, ...]) -> None:
        seconds = time.monotonic() - version.since
        for path in paths:
            self._reporter.fresh(path, version.number, seconds)


class OvertakenError(Exception):
    """There is a newer version: work on this one ends."""


def frames(
    plan: Plan, backbone: Backbone, count: int, overtaken: Callable[[], bool]
) -> Iterator[Frame]:
    """Frames one after the other; raises OvertakenError, between two network calls."""

    def latest() -> Plan:
        if overtaken():
            raise OvertakenError
        return plan

    return single(latest, backbone, count)


def follow(request: Request, *, reporter: Reporter, device: str, dtype: str, polling: bool) -> None:
    """Paint the scene, and again whenever it changes, until interrupted."""
    painter = Painter(Models(device, dtype, reporter), reporter)
    with Watcher(polling=polling) as watcher:
        watcher.changed.set()
        follower = Follower(request, watcher, reporter)
        tried: Version | None = None
        while True:
            follower.look()
            if follower.version is None or follower.version is tried:
                follower.wait()
                continue
            tried = follower.version
            try:
                painter.paint(tried, follower.moved_on)
            except SmdError as wrong:
                reporter.trouble(wrong, stale=tried.number > 1)
