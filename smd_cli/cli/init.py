"""`smd init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smd_cli.cli.edge import edge, refuse_gone_folder
from smd_cli.cli.options import AsJson, Debug, Quiet
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; it is made where it is not there.")
    ] = Path(),
    painting: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A brush for each layer of an .ora, .kra or .psd, each flat colour of a painting, "
            "each palette that the published demo exported (.json).",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a commented scene with two brushes and their masks, ready to render; replaces nothing.

    With --from: one brush for each layer of a document, whose masks are those layers: paint on
    there. Or one for each flat colour of a painting; soft borders go to the nearer colour. What was
    found is listed.
    """
    from smd_cli.work.init import init_scene

    reporter = Reporter(quiet=quiet, as_json=as_json)
    with edge(reporter, debug):
        refuse_gone_folder()
        init_scene(folder, painting, reporter)
