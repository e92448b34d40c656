"""`smd check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from smd_cli.cli.edge import edge, overrides_of
from smd_cli.cli.options import Changes, Debug, Model, Only, Quiet, Scenes, Size, Without
from smd_cli.errors import UsageError
from smd_cli.report.reporter import Reporter

if TYPE_CHECKING:
    from smd_cli.work.request import Request

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def show_resolved(scenes: Sequence[str], request: Request, as_json: bool) -> None:
    """Print a scene with all defaults, as YAML or JSON, which is YAML too."""
    from smd_cli.scene.full import as_yaml
    from smd_cli.work.request import load
    from smd_cli.work.resolved import resolved_scene

    if len(scenes) > 1:
        raise UsageError("--resolved prints one scene", "call it once for each")
    whole = resolved_scene(load(scenes[0], request))
    print(json.dumps(whole, ensure_ascii=False) if as_json else as_yaml(whole).rstrip())


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
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved", help="Print the scene with all defaults instead: it renders the same."
        ),
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

        if resolved:
            show_resolved(scenes, request, as_json)
            return

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
