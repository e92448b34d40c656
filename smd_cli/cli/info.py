"""`smd info`."""

from __future__ import annotations

import json
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
    from smd_cli.work.info import info as read

    with edge(Reporter(), debug):
        found = read(picture, folder)
        told = json.dumps(found.as_json(), ensure_ascii=False) if as_json else found.lines()
        print(told if isinstance(told, str) else "\n".join(told))
