"""``smd render --jobs``: a job a line, an answer a line, in order, by one model that stays."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from smd_cli.errors import SceneError, SmdError, UsageError, unforeseen
from smd_cli.report.events import Answer, Caution, Event, Failure, Result
from smd_cli.report.reporter import Reporter
from smd_cli.report.streams import OutputError
from smd_cli.scene.text.source import STDIN
from smd_cli.units import counted
from smd_cli.work.job import Job, announce, prepare
from smd_cli.work.job_lines import JobLine, Line, lines_of, read_job
from smd_cli.work.request import Machine, Request

if TYPE_CHECKING:
    from smd_cli.work.render import ModelHolder


class JobServer:
    """Answers jobs. `base`: what the options say, for jobs that say nothing else.

    Torch is imported, and a model loaded, when the first job asks for them; both stay.
    """

    def __init__(self, base: Request, machine: Machine, *, quiet: bool, verbose: bool) -> None:
        self._base, self._machine = base, machine
        self._reporter = Reporter(quiet=quiet, verbose=verbose, hear=lambda event: self.hear(event))
        self._heard: list[Event] = []
        self._models: ModelHolder | None = None

    def answer(self, line: Line) -> Answer:
        """Do the job in a line, and tell what became of it; what fails is in the answer."""
        self._heard = []
        began = time.perf_counter()
        read: JobLine | None = None
        job: Job | None = None
        try:
            read = read_job(line, self._base)
            job = self._prepared(read)
            self._render(job, read, began)
        except (OutputError, BrokenPipeError):
            raise
        except Exception as wrong:
            self._reporter.error(wrong if isinstance(wrong, SmdError) else unforeseen(wrong))
        return self._answer(line, read, job, time.perf_counter() - began)

    def end(self, failed: int) -> None:
        """There are no more jobs, of which so many failed."""
        if failed:
            self._reporter.note(f"{counted(failed, 'job')} failed")

    def _prepared(self, read: JobLine) -> Job:
        """The job, with its paint. Raises SmdError, at places in the line."""
        try:
            [job] = prepare(read.request, read.texts)
        except SceneError as wrong:
            raise _shifted(wrong, read) from wrong
        if any(target.kind == "stdout" for target in job.targets):
            raise UsageError("standard output carries the answers", "write the picture to a file")
        moved = tuple(replace(one, place=read.shifted(one.place)) for one in job.warnings)
        lies = str(read.inline.folder / read.inline.name) if read.inline else None
        targets = (replace(one, scene_file=lies or one.scene_file) for one in job.targets)
        return replace(job, warnings=moved, targets=tuple(targets))

    def _render(self, job: Job, read: JobLine, began: float) -> None:
        announce(job, self._reporter)
        from smd_cli.backbone.quiet import quiet as hushed

        with self._reporter.starting(), hushed():
            from smd_cli.work.render import ModelHolder, render_job, with_caption
        with hushed():
            self._models = self._models or ModelHolder(self._machine, self._reporter)
            job = with_caption(job, self._models, self._reporter)
            request = read.request
            render_job(job, self._models, request.order, began, self._reporter, request.clobber)

    def hear(self, event: Event) -> None:
        """Keep what the answer to the job will tell."""
        if isinstance(event, Failure | Result):  # a caution is a failure's like
            self._heard.append(event)

    def _answer(self, line: Line, read: JobLine | None, job: Job | None, seconds: float) -> Answer:
        cautions = [asdict(one) for one in self._heard if isinstance(one, Caution)]
        failures = [asdict(one) for one in self._heard if type(one) is Failure]
        return Answer(
            line.number,
            not failures,
            read.id if read else None,
            job.scene_file.name if job else None,
            job.scene_file.scene.seed if job else None,
            [one.path for one in self._heard if isinstance(one, Result)],
            seconds,
            failures,
            cautions,
        )


def _shifted(wrong: SceneError, read: JobLine) -> SceneError:
    """The same error, told where it stands in the line."""
    problems = (replace(one, place=read.shifted(one.place)) for one in wrong.problems)
    return SceneError(problems)


def serve(server: JobServer, lines: Iterable[Line]) -> int:
    """Answer all lines on standard output, each as soon as it is done; gives how many failed."""
    failed = 0
    for line in lines:
        answer = server.answer(line)
        failed += not answer.ok
        print(answer.as_line(), flush=True)
    server.end(failed)
    return failed


def serve_file(file: str, base: Request, machine: Machine, *, quiet: bool, verbose: bool) -> int:
    """Answer the jobs of a file, or of standard input (-); gives how many failed."""
    server = JobServer(base, machine, quiet=quiet, verbose=verbose)
    try:
        with _opened(file) as stream:
            return serve(server, lines_of("<stdin>" if file == STDIN else file, stream))
    except OSError as wrong:
        if isinstance(wrong, BrokenPipeError):
            raise
        raise UsageError(f"{file} cannot be read: {wrong.strerror or wrong}") from wrong


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == STDIN:
        return nullcontext(sys.stdin.buffer)
    return Path(file).open("rb")


def refuse_beside_jobs(request: Request, *, sheet: str | None, resume: bool) -> None:
    """Raise UsageError for what has no meaning beside ``--jobs``."""
    asked = {
        "a scene": bool(request.scenes),
        "--each and --seeds": bool(request.axes),
        "--sheet": sheet is not None,
        "--resume": resume,
    }
    for name, is_asked in asked.items():
        if is_asked:
            raise UsageError(f"--jobs does not go with {name}", "every job names its own scene")
