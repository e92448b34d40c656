"""`smd render`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from smd_cli.cli.edge import (
    edge,
    keep_off_the_network,
    overrides_of,
    refuse_gone_folder,
    refuse_two_on_stdout,
)
from smd_cli.cli.environment import from_environment
from smd_cli.cli.options import (
    AsJson,
    Changes,
    Compile,
    Debug,
    Device,
    Dtype,
    Embed,
    Fps,
    Frame,
    LowMemory,
    Model,
    NoClobber,
    NoMetadata,
    Offline,
    Only,
    Quiet,
    Scenes,
    Seed,
    Sidecar,
    Size,
    Verbose,
    Without,
)
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def render(
    scenes: Scenes,
    out: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            envvar="SMD_OUT",
            callback=from_environment,
            help=(
                "Result: .png .jpg .webp .gif .apng .mp4 .webm, %04d or a folder/ for a sequence, "
                "- for stdout; {scene} {seed} {frame} are filled in. May be given several times. "
                "Without: SCENE.png, or SCENE.gif for several frames."
            ),
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--frames",
            metavar="N|A:B",
            envvar="SMD_FRAMES",
            help="How many frames; A:B paints frames A to B of the film, under their own numbers.",
        ),
    ] = None,
    frame: Frame = None,
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
    offline: Offline = False,
    schedule: Annotated[
        str,
        typer.Option(
            envvar="SMD_SCHEDULE",
            help="stream: frames share network calls; single: one by one; auto: what is faster.",
        ),
    ] = "auto",
    fps: Fps = None,
    no_clobber: NoClobber = False,
    embed: Embed = False,
    sidecar: Sidecar = False,
    no_metadata: NoMetadata = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Render scenes to pictures, GIF, APNG, WebP, MP4 or WebM."""
    from smd_cli.work.job import announce, prepare
    from smd_cli.work.request import Keeping, Machine, Order, Request

    to_stdout = "-" in (out or ())
    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json, picture_on_stdout=to_stdout)
    with edge(reporter, debug):
        refuse_gone_folder()
        keep_off_the_network(offline)
        span = frames if frames and ":" in frames else None
        order = Order.of(schedule, frame, span)
        refuse_two_on_stdout(as_json, to_stdout)
        sugar = {
            "frames": None if span else frames,
            "seed": seed,
            "size": size,
            "model": model,
            "output.fps": fps,
        }
        request = Request(
            scenes,
            out or (),
            overrides_of(change, sugar),
            only or (),
            without or (),
            not no_clobber,
            order,
            Keeping(not no_metadata, embed, sidecar),
        )
        jobs = prepare(request)
        for job in jobs:
            announce(job, reporter)
        began = time.perf_counter()
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.work.render import render_jobs
        with hushed():
            render_jobs(
                jobs,
                reporter=reporter,
                began=began,
                machine=Machine(device, dtype, low_memory, compiled),
                order=order,
                clobber=not no_clobber,
            )
