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
    Each,
    Embed,
    Fps,
    Frame,
    Jobs,
    LowMemory,
    Model,
    NoClobber,
    NoMetadata,
    Offline,
    Only,
    Quiet,
    Resume,
    Seed,
    Seeds,
    Sheet,
    Sidecar,
    Size,
    Verbose,
    Without,
)
from smd_cli.errors import ExitCode, UsageError
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def render(
    scenes: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCENE", help="Scene files; - reads one from stdin."),
    ] = None,
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
            help=(
                "How many frames, or auto: as many as the film beneath has; A:B paints frames A "
                "to B of the film, under their own numbers."
            ),
        ),
    ] = None,
    frame: Frame = None,
    seed: Seed = None,
    seeds: Seeds = None,
    each: Each = None,
    sheet: Sheet = None,
    resume: Resume = False,
    jobs_from: Jobs = None,
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
    from smd_cli.work.batch import batch
    from smd_cli.work.job import prepare
    from smd_cli.work.request import Keeping, Machine, Order, Request
    from smd_cli.work.vary import axes_of

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
            scenes or (),
            out or (),
            overrides_of(change, sugar),
            only or (),
            without or (),
            not no_clobber,
            order,
            axes_of(each or (), seeds, seed),
            Keeping(not no_metadata, embed, sidecar),
        )
        machine = Machine(device, dtype, low_memory, compiled)
        if jobs_from is not None:
            from smd_cli.work.serve import refuse_beside_jobs, serve_file

            refuse_beside_jobs(request, sheet=sheet, resume=resume)
            if serve_file(jobs_from, request, machine, quiet=quiet, verbose=verbose):
                raise typer.Exit(ExitCode.FAILED)
            return
        if not scenes:
            raise UsageError("Missing argument 'SCENE...'.", "see smd render --help")
        if resume and no_clobber:
            hint = "--resume replaces what was made of something else; leave one of them out"
            raise UsageError("--resume and --no-clobber exclude each other", hint)
        jobs = prepare(request)
        with batch(jobs, request, machine, reporter, sheet=sheet, resume=resume) as left:
            if not left.jobs:
                return
            began = time.perf_counter()
            from smd_cli.backbone.quiet import quiet as hushed

            with reporter.starting(), hushed():
                from smd_cli.work.render import render_jobs
            with hushed():
                render_jobs(
                    left.jobs,
                    reporter=reporter,
                    began=began,
                    machine=machine,
                    order=order,
                    clobber=not no_clobber,
                    look=left.look,
                )
