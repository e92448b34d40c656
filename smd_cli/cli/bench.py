"""`smd bench`: a command a workload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smd_cli.bench.workloads import ARCHITECTURES, WORKLOADS, Workload
from smd_cli.cli.edge import edge, refuse_gone_folder
from smd_cli.cli.options import AsJson, Compile, Debug, Device, Dtype, LowMemory, Model
from smd_cli.errors import UsageError
from smd_cli.report.reporter import Reporter

if TYPE_CHECKING:
    from smd_cli.work.request import Machine

DEFAULT_MODEL = "starter"

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Measure speed as ratios inside one run, against the published algorithm.",
)

Pairs = Annotated[
    int, typer.Option("--pairs", metavar="N", min=1, help="How often both sides paint.")
]
Frames = Annotated[
    int | None,
    typer.Option("-n", "--frames", metavar="N", min=1, max=9999, help="Frames of each run."),
]
Gains = Annotated[bool, typer.Option("--gains", help="Measure each option alone, too.")]
Arch = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME",
        help=f"Random weights instead of a model: {', '.join(ARCHITECTURES)}.",
    ),
]
Plot = Annotated[
    str | None, typer.Option("--plot", metavar="FILE", help="Draw the ratios as bars in a PNG.")
]


@app.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def _command(workloads: Sequence[Workload]) -> Callable[..., None]:
    """The command that measures these."""

    def run(
        pairs: Pairs = 5,
        frames: Frames = None,
        gains: Gains = False,
        model: Model = None,
        arch: Arch = None,
        plot: Plot = None,
        device: Device = "auto",
        dtype: Dtype = "auto",
        low_memory: LowMemory = False,
        compiled: Compile = False,
        as_json: AsJson = False,
        debug: Debug = False,
    ) -> None:
        told = Reporter(as_json=as_json)
        with edge(told, debug):
            refuse_gone_folder()
            _refuse_arch(arch, model)
            from smd_cli.work.request import Machine

            wanted = [_of_frames(workload, frames) for workload in workloads]
            machine = Machine(device, dtype, low_memory, compiled)
            _measure(wanted, model, arch, machine, pairs, gains, plot, told, as_json)

    return run


def _refuse_arch(arch: str | None, model: str | None) -> None:
    if arch is not None and model is not None:
        raise UsageError(
            "--arch makes a model with random weights, and --model names another",
            "leave one of them out",
        )
    if arch is not None and arch not in ARCHITECTURES:
        raise UsageError(f"there is no architecture {arch!r}", f"one of {', '.join(ARCHITECTURES)}")


def _of_frames(workload: Workload, frames: int | None) -> Workload:
    """The workload with so many frames; of an edit there is one."""
    if frames is None or workload.order == "edit":
        return workload
    return replace(workload, frames=frames)


def _measure(
    workloads: Sequence[Workload],
    model: str | None,
    arch: str | None,
    machine: Machine,
    pairs: int,
    gains: bool,
    plot: str | None,
    told: Reporter,
    as_json: bool,
) -> None:
    """Measure workload by workload, and print each one's figures when they are there."""
    from smd_cli.backbone.quiet import quiet as hushed
    from smd_cli.report.reports import Measured

    with told.starting(), hushed():
        from smd_cli.bench.measure import measure
        from smd_cli.bench.plot import refuse_plot, save_plot
        from smd_cli.bench.subject import Subject
    if plot is not None:
        refuse_plot(Path(plot))
    with hushed():
        subject = Subject(model or DEFAULT_MODEL, arch, machine, Reporter(quiet=as_json))
        measured = []
        for workload in workloads:
            figures = measure(subject, workload, pairs=pairs, gains=gains)
            if as_json:
                told.report(Measured(figures.as_json()))
            else:
                print(figures, flush=True)
            measured.append(figures)
        if plot is not None:
            save_plot(Path(plot), measured)
            told.note(f"the bars are in {plot}")


for _workload in WORKLOADS.values():
    app.command(_workload.name, help=_workload.about)(_command([_workload]))
app.command("all", help="All of the above, one after the other.")(_command([*WORKLOADS.values()]))


@app.command("watch")
def bench_watch(
    edits: Annotated[int, typer.Option("--edits", metavar="N", min=1, help="How many edits.")] = 20,
    endless: Annotated[bool, typer.Option("--stream", help="Of watch --stream.")] = False,
    mask_px: Annotated[
        int, typer.Option("--mask", metavar="PX", min=64, max=8192, help="Sides of the masks.")
    ] = 256,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", envvar="SMD_MODEL", help="As for render.")
    ] = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Dtype = "auto",
    low_memory: LowMemory = False,
    compiled: Compile = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """From a mask's save to its picture on the disk, under smd watch."""
    reporter = Reporter(as_json=as_json)
    with edge(reporter, debug):
        refuse_gone_folder()
        from smd_cli.backbone.quiet import quiet as hushed
        from smd_cli.report.reports import WatchMeasured

        with reporter.starting(), hushed():
            from smd_cli.bench.watch import bench_watch as measure
            from smd_cli.work.request import Machine
        with hushed():
            figures = measure(
                model=model,
                edits=edits,
                endless=endless,
                mask_px=mask_px,
                machine=Machine(device, dtype, low_memory, compiled),
                reporter=reporter,
            )
        if as_json:
            reporter.report(WatchMeasured(figures.as_json()))
        else:
            print(figures)
