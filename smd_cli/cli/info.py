"""`smd info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smd_cli.cli.edge import edge
from smd_cli.cli.options import Debug
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def info(
    picture: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A PNG or APNG that smd wrote, or what has a sidecar."),
    ],
    folder: Annotated[
        Path | None,
        typer.Option("--in", metavar="FOLDER", help="Where the scene lies, if it moved."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="SMD_JSON", help="One JSON object.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Tell how a picture was made: scene, seed, model, masks, machine; and what differs today."""
    from smd_cli.report.reports import Known
    from smd_cli.work.info import info as read

    reporter = Reporter(as_json=as_json)
    with edge(reporter, debug):
        found = read(picture, folder)
        if as_json:
            reporter.report(Known(found.as_json()))
        else:
            print("\n".join(found.lines()))
