"""What surrounds the rendering of many jobs: those that are done are spared, a sheet shows all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from smd_cli.errors import SmdError
from smd_cli.output.stills import Pixels
from smd_cli.report.reporter import Reporter
from smd_cli.work.grid import Grid, sheet_target
from smd_cli.work.job import Job, announce
from smd_cli.work.request import Machine, Request
from smd_cli.work.resume import is_done, tell_done, unrecorded


@dataclass(frozen=True)
class Left:
    """The jobs that are left to do, and who looks at their first frames, if anybody."""

    jobs: Sequence[Job]
    look: Callable[[Job, Pixels], None] | None


@contextmanager
def batch(
    jobs: Sequence[Job],
    request: Request,
    machine: Machine,
    reporter: Reporter,
    *,
    sheet: str | None = None,
    resume: bool = False,
) -> Iterator[Left]:
    """Announce jobs and give what is left of them; then draw the `sheet`, where one is wanted.

    It is drawn where some jobs have failed, too. Raises UsageError before anything is announced.
    """
    target = sheet_target(sheet, jobs, clobber=request.clobber) if sheet else None
    done = [job for job in jobs if resume and is_done(job, request.order, machine)]
    left = [job for job in jobs if job not in done]
    _announce(left, reporter, resume=resume)
    tell_done(done, len(jobs), request.order, reporter)
    grid = Grid(jobs) if target else None
    if grid:
        for job in done:
            grid.take_file(job)
    failed = None
    try:
        yield Left(left, grid.take if grid else None)
    except SmdError as wrong:
        failed = wrong
    if grid and target:
        grid.write(target, reporter, clobber=request.clobber)
    if failed:
        raise failed


def _announce(jobs: Sequence[Job], reporter: Reporter, *, resume: bool) -> None:
    """Tell what there is to say about jobs, what several have in common once."""
    told: set[str] = set()
    for job in jobs:
        told |= announce(job, reporter, told)
    for sentence in unrecorded(jobs) if resume else ():
        reporter.note(sentence)
