"""`smd masks`."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli.edge import edge, overrides_of, refuse_gone_folder, refuse_two_on_stdout
from smd_cli.cli.options import (
    AsJson,
    Changes,
    Debug,
    Model,
    NoClobber,
    Only,
    Quiet,
    SheetOut,
    Size,
    Without,
)
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def masks(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A scene file, or - for stdin.")],
    out: SheetOut = "{scene}-masks.png",
    change: Changes = None,
    only: Only = None,
    without: Without = None,
    size: Size = None,
    model: Model = None,
    no_clobber: NoClobber = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what the engine sees of a scene's masks, without a model: one labelled sheet.

    Painted masks, what later brushes and blur leave of them, their weight in every slot with its
    windows, and where brushes overlap or nothing is painted. Look here first when a region is not
    obeyed.
    """
    from smd_cli.work.masks import masks_sheet
    from smd_cli.work.request import Request

    reporter = Reporter(quiet=quiet, as_json=as_json, picture_on_stdout=out == "-")
    with edge(reporter, debug):
        refuse_gone_folder()
        refuse_two_on_stdout(as_json, out == "-")
        overrides = overrides_of(change, {"size": size, "model": model})
        request = Request([scene], [out], overrides, only or (), without or (), not no_clobber)
        masks_sheet(request, reporter)
