"""`smd watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli.edge import edge, keep_off_the_network, overrides_of, refuse_gone_folder
from smd_cli.cli.environment import from_environment
from smd_cli.cli.options import (
    AsJson,
    Changes,
    Compile,
    Debug,
    Device,
    Dtype,
    Frames,
    LowMemory,
    Model,
    Offline,
    Only,
    Quiet,
    Seed,
    Size,
    Verbose,
    Without,
)
from smd_cli.errors import UsageError
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def watch(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A scene file.")],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            envvar="SMD_OUT",
            callback=from_environment,
            help="The picture to keep up to date, as for render. Without: SCENE.png.",
        ),
    ] = None,
    frames: Frames = None,
    seed: Seed = None,
    size: Size = None,
    change: Changes = None,
    only: Only = None,
    without: Without = None,
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    low_memory: LowMemory = False,
    compiled: Compile = False,
    endless: Annotated[
        bool, typer.Option("--stream", envvar="SMD_STREAM", help="Frame after frame, no end.")
    ] = False,
    blend: Annotated[
        bool,
        typer.Option(
            "--blend",
            envvar="SMD_BLEND",
            help="With --stream: frames on their way go on under the new scene, mixing both.",
        ),
    ] = False,
    previews: Annotated[
        bool,
        typer.Option("--preview", envvar="SMD_PREVIEW", help="Show every slot's estimate."),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            envvar="SMD_KEEP",
            help="Save settled pictures here, with scene and masks inside (smd unpack).",
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            "--record", metavar="FILE", envvar="SMD_RECORD", help="A film of all pictures."
        ),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option("--serve", envvar="SMD_SERVE", help="Show the picture on a local web page."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            envvar="SMD_PORT",
            min=0,
            max=65535,
            help="The page's port; 0: any free one. Without: 8000, or the next that is free.",
        ),
    ] = None,
    shown: Annotated[
        bool, typer.Option("--open", envvar="SMD_OPEN", help="Open the page in the browser.")
    ] = False,
    offline: Offline = False,
    poll: Annotated[
        bool,
        typer.Option("--poll", envvar="SMD_POLL", help="Ask for changes: on network drives."),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Render, and render again whenever the scene, a mask or the background picture is saved.

    Keys on a terminal: space plays or pauses, s one frame, r another seed, k keeps, q quits.
    """
    from smd_cli.scene.text.source import STDIN
    from smd_cli.watch.command import WatchOptions
    from smd_cli.watch.run import Serving
    from smd_cli.watch.run import watch as run_watch
    from smd_cli.work.request import Machine, Request

    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    with edge(reporter, debug):
        refuse_gone_folder()
        keep_off_the_network(offline)
        if scene == STDIN or "-" in (out or ()):
            raise UsageError("watch reads and writes files, not standard input or output")
        if blend and not endless:
            raise UsageError("--blend is about frames on their way", "it goes with --stream")
        if endless and frames is not None:
            raise UsageError("--stream has no end, so -n has no meaning", "leave one of them out")
        sugar = {"frames": frames, "seed": seed, "size": size, "model": model}
        outs = out or ["{scene}.png"]
        request = Request([scene], outs, overrides_of(change, sugar), only or (), without or ())
        machine = Machine(device, dtype, low_memory, compiled)
        options = WatchOptions(machine, poll, endless, blend, previews, keep, record)
        serving = Serving(port, shown) if serve or shown or port is not None else None
        run_watch(request, options, reporter=reporter, serving=serving)
