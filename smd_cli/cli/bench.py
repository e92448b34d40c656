"""`smd bench`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from smd_cli.cli.edge import edge, refuse_gone_folder
from smd_cli.cli.options import AsJson, Debug, Device, Dtype, LowMemory
from smd_cli.report.reporter import Reporter

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Measure speed as ratios inside one run."
)


@app.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("watch")
def bench_watch(
    edits: Annotated[int, typer.Option("--edits", metavar="N", min=1, help="How many edits.")] = 20,
    endless: Annotated[bool, typer.Option("--stream", help="Of watch --stream.")] = False,
    mask_px: Annotated[
        int, typer.Option("--mask", metavar="PX", min=64, max=8192, help="Sides of the masks.")
    ] = 256,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", envvar="SMD_MODEL", help="As for render.")
    ] = "starter",
    device: Device = "auto",
    dtype: Dtype = "auto",
    low_memory: LowMemory = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """How long after a mask's save its picture is on the disk, against the work that is in it."""
    reporter = Reporter(as_json=as_json)
    with edge(reporter, debug):
        refuse_gone_folder()
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.bench.watch import bench_watch as measure
            from smd_cli.work.request import Machine
        with hushed():
            figures = measure(
                model=model,
                edits=edits,
                endless=endless,
                mask_px=mask_px,
                machine=Machine(device, dtype, low_memory),
                reporter=reporter,
            )
        print(json.dumps(figures.as_json()) if as_json else figures)
