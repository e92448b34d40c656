"""`smd compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli.edge import (
    edge,
    keep_off_the_network,
    overrides_of,
    refuse_gone_folder,
    refuse_two_on_stdout,
)
from smd_cli.cli.options import (
    AsJson,
    Changes,
    Debug,
    Device,
    Dtype,
    LowMemory,
    Model,
    NoClobber,
    Offline,
    Only,
    Quiet,
    Seed,
    SheetOut,
    Size,
    Verbose,
    Without,
)
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def compare(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A scene file, or - for stdin.")],
    out: SheetOut = "{scene}-compared.png",
    seed: Seed = None,
    size: Size = None,
    change: Changes = None,
    only: Only = None,
    without: Without = None,
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    low_memory: LowMemory = False,
    offline: Offline = False,
    no_clobber: NoClobber = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what each stabiliser does, beside slow MultiDiffusion: one labelled sheet."""
    from smd_cli.work.job import announce, prepare
    from smd_cli.work.request import Machine, Order, Request

    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    with edge(reporter, debug):
        refuse_gone_folder()
        keep_off_the_network(offline)
        refuse_two_on_stdout(as_json, out == "-")
        sugar = {"seed": seed, "size": size, "model": model}
        overrides = overrides_of(change, sugar)
        order = Order.of("single", 0)
        chosen = (only or (), without or ())
        request = Request([scene], [out], overrides, *chosen, not no_clobber, order=order)
        [job] = prepare(request)
        announce(job, reporter)
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.work.compare import compare_job
        with hushed():
            machine = Machine(device, dtype, low_memory)
            compare_job(job, reporter=reporter, machine=machine, clobber=not no_clobber)
