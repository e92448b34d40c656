"""`smd unpack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smd_cli.cli.edge import edge
from smd_cli.cli.options import AsJson, Debug, Quiet
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def unpack(
    picture: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURE", help="A PNG or APNG that smd wrote, or what has a sidecar."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Where to. Without: PICTURE's name."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Take the scene out of a picture, to paint it again or go on from it; of a kept one all masks.

    Says which files are not inside, and the command that paints the picture again.
    """
    from smd_cli.work.unpack import unpack as take_out

    reporter = Reporter(quiet=quiet, as_json=as_json)
    with edge(reporter, debug):
        unpacked = take_out(picture, out)
        for path in unpacked.paths:
            reporter.result(picture.stem, str(path))
        for note in unpacked.notes:
            reporter.note(note, breaks=True)
