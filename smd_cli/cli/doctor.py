"""`smd doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli.edge import edge, keep_off_the_network, refuse_gone_folder
from smd_cli.cli.options import Debug, Device, Dtype, Offline
from smd_cli.errors import ExitCode
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def doctor(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            envvar="SMD_MODEL",
            help="Compare this model with diffusers' own pipeline, too.",
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", envvar="SMD_JSON", help="As JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Tell what a bug report needs, and whether everything works here."""
    from smd_cli.doctor.examine import Examination, examine, line
    from smd_cli.report.reports import Examined

    reporter = Reporter(quiet=as_json)
    scripts = Reporter(quiet=as_json, as_json=as_json)
    with edge(scripts, debug):
        refuse_gone_folder()
        keep_off_the_network(offline)
        findings = []
        for finding in examine(device, dtype, model, reporter):
            findings.append(finding)
            if not as_json:
                print(line(finding), flush=True)
        report = Examination(tuple(findings))
        scripts.report(Examined(report.as_json()))
        if not as_json:
            print(report.verdict)
        if not report.healthy:
            raise typer.Exit(ExitCode.FAILED)
