"""`smd check`."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli.edge import edge, overrides_of
from smd_cli.cli.options import Changes, Debug, Model, Only, Quiet, Scenes, Size, Without
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def check(
    scenes: Scenes,
    change: Changes = None,
    only: Only = None,
    without: Without = None,
    size: Size = None,
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="SMD_JSON", help="One JSON object a scene.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check scenes without rendering: masks, coverage, slots, and what looks unintended."""
    from smd_cli.work.check import check_scene
    from smd_cli.work.request import Request, each, load, refuse_stdin_twice

    reporter = Reporter(quiet=quiet)  # of what is not wrong, the report tells scripts
    scripts = Reporter(quiet=quiet, as_json=as_json)
    with edge(scripts, debug):
        refuse_stdin_twice(scenes)
        overrides = overrides_of(change, {"size": size, "model": model})
        request = Request(scenes, (), overrides, only or (), without or ())

        def show(source: str) -> None:
            report = check_scene(load(source, request))
            if as_json:
                from smd_cli.report.reports import Checked

                scripts.report(Checked(report.as_json()))
            elif not quiet:
                print("\n".join(report.lines()))
            reporter.warnings(report.warnings)
            if report.doubtful:
                reporter.note(f"smd masks {source} shows what the engine sees of the masks")

        each(scenes, show)
