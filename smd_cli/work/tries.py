"""Many jobs in one call, of which one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from smd_cli.errors import SmdError, unforeseen
from smd_cli.report.reporter import Reporter
from smd_cli.report.streams import OutputError
from smd_cli.units import counted
from smd_cli.work.job import Job

T = TypeVar("T")


class Tries:
    """Tells of every job that fails, and at the end of all. One that is alone simply fails."""

    def __init__(self, jobs: int, reporter: Reporter) -> None:
        self._jobs, self._reporter = jobs, reporter
        self._failed = 0

    def of(self, job: Job, work: Callable[[], T]) -> T | None:
        """What the work on a job gives; None where it failed, which is told.

        Where nobody can be told any more, on a closed standard output, the others stop as well.
        """
        try:
            return work()
        except Exception as wrong:
            if self._jobs == 1 or isinstance(wrong, OutputError | BrokenPipeError):
                raise
            told = wrong if isinstance(wrong, SmdError) else unforeseen(wrong)
            self._reporter.error(told, job.title)
            self._reporter.note(f"{job.title} failed")
            self._failed += 1
            return None

    def end(self) -> None:
        """Raise SmdError where jobs have failed."""
        if self._failed:
            raise SmdError(f"{self._failed} of {counted(self._jobs, 'job')} failed")
