"""What a person or a script hears of a running job: one voice for terminal, pipe and JSON.

stdout carries result paths only, or JSON events; everything else goes to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from smd_cli.errors import Problem, SceneError, SmdError, capped
from smd_cli.report.streams import OutputError
from smd_cli.units import shown_bytes, visible

_PLAIN_SECONDS = 10.0  # off a terminal: how often a long job says how far it is


@dataclass(frozen=True)
class Summary:
    """The figures of one rendered scene; seconds are wall clock, memory is the process' peak.

    `skipped`: how many of the frames are the one before, by the similarity filter.
    """

    scene: str
    frames: int
    seconds: float
    first_seconds: float
    load_seconds: float
    peak_bytes: int | None
    gpu_peak_bytes: int | None = None
    skipped: int = 0

    def __str__(self) -> str:
        rate = self.frames / self.seconds
        frames = f"{self.frames} frame{'s' if self.frames != 1 else ''}"
        frames += f" ({self.skipped} skipped as alike)" if self.skipped else ""
        parts = [
            f"{frames} in {self.seconds:.1f} s",
            f"{rate:.2f} frames/s",
            f"first frame after {self.first_seconds:.1f} s",
            f"model loaded in {self.load_seconds:.1f} s",
        ]
        if self.peak_bytes is not None:
            parts.append(f"peak memory {shown_bytes(self.peak_bytes)}")
        if self.gpu_peak_bytes is not None:
            parts.append(f"GPU {shown_bytes(self.gpu_peak_bytes)}")
        return f"{self.scene}: {', '.join(parts)}"


@dataclass(frozen=True)
class Picture:
    """A file that `smd watch` wrote: of which version of the scene, and so long after its save.

    `fresh`: there was no newer version when it was whole.
    """

    path: str
    version: int
    frame: int
    fresh: bool
    seconds: float

    def __str__(self) -> str:
        mark = "" if self.fresh else ", stale"
        return f"{self.path}: version {self.version} after {self.seconds:.2f} s{mark}"


class Reporter:
    """Tells what happens; silent about progress where `quiet`, in JSON events where `as_json`."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        as_json: bool = False,
        picture_on_stdout: bool = False,
        paths: bool = True,
    ) -> None:
        """`paths`: say which files `smd watch` wrote."""
        self._quiet, self._verbose, self._json = quiet, verbose, as_json
        self._paths_to = sys.stderr if picture_on_stdout else sys.stdout
        self._tells_paths = paths
        self._bar: _Bar | None = None
        self._screen: Callable[[str], None] | None = None
        self._finished: list[str] = []
        self._undelivered: OutputError | None = None
        self._reported_at = time.monotonic()

    def error(self, problem: SmdError) -> None:
        """Tell what ended the job; heard even where quiet."""
        if isinstance(problem, SceneError):
            self._tell(problem.problems, always=True)
            return
        self._say(str(problem), always=True)
        self._event("error", message=problem.message, hint=problem.hint)

    def warnings(self, problems: Iterable[Problem]) -> None:
        """Tell what is legal but hardly meant."""
        self._tell(problems)

    def _tell(self, problems: Iterable[Problem], *, always: bool = False) -> None:
        """Tell the first problems of many."""
        for problem in capped(problems):
            self._event(problem.severity, **_problem(problem))
            self._say(str(problem), always=always)

    def note(self, sentence: str, *, breaks: bool = False) -> None:
        """Tell one thing worth knowing; a command in it may have line `breaks`."""
        self._event("note", message=sentence)
        self._say(visible(f"note: {sentence}", breaks=breaks))

    def detail(self, sentence: str) -> None:
        """Tell what only `-v` wants to know."""
        if self._verbose:
            self._say(visible(sentence))

    def result(self, scene: str, path: str) -> None:
        """A file is whole: its path goes to stdout, or to stderr where a picture goes there."""
        if self._json:
            self._event("result", scene=scene, path=path)
        else:
            self._finished.append(path)
            if not (self._bar and self._paths_to.isatty()):  # a bar and a path want one line
                self._print_paths()

    def frame(self, scene: str, done: int, frames: int) -> None:
        """Another frame is finished."""
        self._event("frame", scene=scene, done=done, frames=frames)
        if self._bar:
            self._bar.frame(done)
        elif frames > 1 and time.monotonic() - self._reported_at >= _PLAIN_SECONDS:
            self._say(f"{visible(scene)}: {done} of {frames} frames")
            self._reported_at = time.monotonic()

    def shot(self, label: str, seconds: float, ratio: float, rows: int) -> None:
        """One column of a comparison."""
        self._event("variant", label=label, seconds=seconds, ratio=ratio, rows=rows)
        self._say(f"{visible(label)}: {seconds:.2f} s, {ratio:.1f}x as fast, {rows} network rows")

    def serving(self, url: str) -> None:
        """There is a page to look at."""
        self._event("serving", url=url)
        self._say(f"the page is at {url}")

    def change(self, version: int, files: str) -> None:
        """There is a new state of the scene."""
        self._event("change", version=version, files=files)

    def preview(self, version: int, frame: int, slots: str) -> None:
        """An estimate of a frame is shown, after so many slots ("1 of 4")."""
        self._event("preview", version=version, frame=frame, slots=slots)

    def fresh(self, picture: Picture, *, mute: bool = False) -> None:
        """A picture is whole; `mute`: only JSON hears of it."""
        self._event("picture", **asdict(picture))
        if not (mute or self._screen):
            self._say(visible(str(picture)))
            if self._tells_paths and not (self._json or self._paths_to.isatty()):
                self._deliver(picture.path, self._paths_to)

    def kept(self, path: str) -> None:
        """A picture was saved under a name of its own."""
        self._event("kept", path=path)
        self._say(f"kept: {visible(path)}")

    def recorded(self, path: str, frames: int) -> None:
        """A film of pictures is whole."""
        self._event("recorded", path=path, frames=frames)
        self._say(f"recorded: {visible(path)}, {frames} frames")

    def trouble(self, wrong: SmdError, *, stale: bool) -> None:
        """Something is wrong that may be mended while we wait; `stale`: an older picture stays."""
        if not self._screen:
            self.error(wrong)
        self._event("stale" if stale else "waiting")
        if not self._screen:
            stays = "the last good picture stays, now stale" if stale else "there is no picture yet"
            self._say(f"{stays}; waiting for a mended file")

    def aside(self, wrong: SmdError) -> None:
        """Something went wrong beside the picture, which is as fresh as before."""
        if not self._screen:
            self.error(wrong)

    def summary(self, summary: Summary) -> None:
        """The last line about a scene."""
        self._event("done", **asdict(summary))
        self._say(visible(str(summary)))

    @contextmanager
    def loading(self, model: str) -> Iterator[None]:
        """While a model loads."""
        self._event("loading", model=model)
        if not self.animated:
            self.detail(f"loading the model {model}")
        with self._waiting(f"loading the model {visible(model)} …"):
            yield

    @contextmanager
    def starting(self) -> Iterator[None]:
        """While the heavy libraries are imported, which takes seconds."""
        with self._waiting("starting …"):
            yield

    @contextmanager
    def _waiting(self, text: str) -> Iterator[None]:
        """On a terminal, show that something goes on for which there is no measure."""
        if not self.animated:
            yield
            return
        from rich.console import Console
        from rich.text import Text

        if self._screen:
            self._screen(text)
            yield
            return
        with Console(stderr=True).status(Text(text)):
            yield

    @contextmanager
    def rendering(self, scene: str, frames: int) -> Iterator[None]:
        """While a scene's frames are made: a progress bar on a terminal."""
        self._event("start", scene=scene, frames=frames)
        self._reported_at = time.monotonic()
        if not self.animated:
            yield
            return
        try:
            with _Bar.open(scene, frames) as self._bar:
                yield
        finally:
            self._bar = None
            self._print_paths()

    @contextmanager
    def downloading(self, title: str, total: int, here: int) -> Iterator[Callable[[int], None]]:
        """While `total` bytes come, of which `here` are here: call what it gives for all others."""
        alone = self.animated and not self._screen
        bar = _download_bar(title, total, here) if alone else None
        with bar or self._reported_at_times(title, total, here) as advance:
            yield advance

    @contextmanager
    def _reported_at_times(
        self, title: str, total: int, here: int
    ) -> Iterator[Callable[[int], None]]:
        self._reported_at, done = time.monotonic(), here

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._event("download", model=title, done=done, total=total)
            if time.monotonic() - self._reported_at >= _PLAIN_SECONDS:
                self._say(f"{visible(title)}: {shown_bytes(done)} of {shown_bytes(total)}")
                self._reported_at = time.monotonic()

        yield advance

    def _print_paths(self) -> None:
        for path in self._finished:
            self._deliver(path, self._paths_to)
        self._finished.clear()

    def path(self, path: str) -> None:
        """Print the path of a file that is whole on stdout, for scripts."""
        self._deliver(path, sys.stdout)

    def _deliver(self, text: str, stream: TextIO) -> None:
        """Print a result: as it is, but harmless where people read it.

        Where that fails the work goes on, and `end` tells of it.
        """
        text = visible(text) if stream is sys.stderr or stream.isatty() else text
        try:
            print(text, file=stream, flush=True)
        except OutputError as wrong:
            self._undelivered = wrong

    def end(self) -> None:
        """All is told. Raises OutputError where standard output did not take all of it."""
        if self._undelivered:
            raise self._undelivered

    @contextmanager
    def above(self, screen: Callable[[str], None]) -> Iterator[None]:
        """While a screen shows pictures and troubles: what else there is to say goes above it."""
        self._screen = screen
        try:
            yield
        finally:
            self._screen = None

    @property
    def animated(self) -> bool:
        """Whether a person looks at a terminal."""
        return sys.stderr.isatty() and not self._quiet and not self._json

    def _say(self, text: str, *, always: bool = False) -> None:
        if always or not self._quiet:
            text = visible(text, breaks=True)
            if self._bar:
                self._bar.say(text)
            elif self._screen:
                self._screen(text)
            else:
                print(text, file=sys.stderr, flush=True)

    def _event(self, event: str, **facts: Any) -> None:
        if self._json:
            line = json.dumps({"event": event, **facts}, ensure_ascii=False)
            self._deliver(line, sys.stdout)


class _Bar:
    """A rich progress bar with frames, frames a second and the time left."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress, self._task = progress, task

    @staticmethod
    @contextmanager
    def open(scene: str, frames: int) -> Iterator[_Bar]:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        with progress.Progress(
            *columns,
            console=console,
            transient=True,
            redirect_stdout=False,  # results go to stdout, wherever the bar is
            redirect_stderr=False,
        ) as bar:
            yield _Bar(bar, bar.add_task(visible(scene), total=frames, rate=""))

    def frame(self, done: int) -> None:
        task = self._progress.tasks[0]
        rate = f"{done / task.elapsed:.2f} frames/s" if task.elapsed else ""
        self._progress.update(self._task, completed=done, rate=rate)

    def say(self, text: str) -> None:
        self._progress.console.print(
            text, markup=False, emoji=False, highlight=False, soft_wrap=True
        )


@contextmanager
def _download_bar(title: str, total: int, here: int) -> Iterator[Callable[[int], None]]:
    """A rich progress bar with bytes, bytes a second and the time left."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(visible(title), total=total, completed=here)
        yield lambda count: bar.advance(task, count)


def _problem(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "message": problem.message,
        "hint": problem.hint,
    }
