"""`smd rerun`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from smd_cli.cli.edge import edge, keep_off_the_network, refuse_gone_folder, refuse_two_on_stdout
from smd_cli.cli.environment import from_environment
from smd_cli.cli.options import AsJson, Debug, NoClobber, Offline, Quiet, Verbose
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rerun(
    picture: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURE", help="A PNG or APNG that smd wrote, or what has a sidecar."
        ),
    ],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            envvar="SMD_OUT",
            callback=from_environment,
            help="Result, as of smd render. Without: PICTURE-again.png.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--in",
            metavar="FOLDER",
            help="Where the scene lies, if it moved: its masks are looked for from there.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", envvar="SMD_DEVICE", help="Another than it was painted on."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", envvar="SMD_DTYPE", help="Another precision: fp32, fp16, bf16."),
    ] = None,
    offline: Offline = False,
    no_clobber: NoClobber = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Paint a picture again by what it tells of itself, and say what differs today."""
    from smd_cli.work.again import again
    from smd_cli.work.job import announce
    from smd_cli.work.verdict import verdicts

    to_stdout = "-" in (out or ())
    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json, picture_on_stdout=to_stdout)
    with edge(reporter, debug):
        refuse_gone_folder()
        keep_off_the_network(offline)
        refuse_two_on_stdout(as_json, to_stdout)
        options = {"device": device, "dtype": dtype}
        with again(picture, out or (), folder=folder, clobber=not no_clobber, **options) as found:
            for note in found.notes:
                reporter.note(note)
            announce(found.job, reporter)
            began = time.perf_counter()
            from smd_cli.backbone.quiet import quiet as hushed

            with reporter.starting(), hushed():
                from smd_cli.work.repaint import paint_again
            with hushed():
                paint_again(found, reporter, began, clobber=not no_clobber)
        for verdict in verdicts(found.picture, found.job.targets):
            reporter.note(verdict)
