"""Painting what `work.again` has prepared, by the command that it was painted by."""

from __future__ import annotations

from smd_cli.report.reporter import Reporter
from smd_cli.work.again import Again
from smd_cli.work.compare import compare_job
from smd_cli.work.render import render_jobs


def paint_again(found: Again, reporter: Reporter, began: float, *, clobber: bool) -> None:
    """Paint a picture again. `began`: `time.perf_counter()` when the heavy imports started.

    Raises SmdError as `render_jobs` does.
    """
    if found.kind == "compare":
        compare_job(found.job, reporter=reporter, machine=found.machine, clobber=clobber)
        return
    render_jobs(
        [found.job],
        reporter=reporter,
        began=began,
        machine=found.machine,
        order=found.order,
        clobber=clobber,
    )
