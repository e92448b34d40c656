"""The command line: options, and nothing that belongs to a single command's work."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from smd_cli import __version__
from smd_cli.environment import from_environment
from smd_cli.errors import ExitCode, SmdError, UsageError, capped
from smd_cli.report import Reporter

if TYPE_CHECKING:
    from smd_cli.scene.overrides import Override


class _InOrder(TyperGroup):
    """The commands in the order in which one meets them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """All names; those that nobody has put in order come last."""
        order = ("render", "check", "watch", "unpack", "compare", "models", "doctor", "bench")
        known = dict.fromkeys(name for name in order if name in self.commands)
        return [*known, *(name for name in self.commands if name not in known)]


app = typer.Typer(
    name="smd",
    cls=_InOrder,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Scenes = Annotated[
    list[str], typer.Argument(metavar="SCENE...", help="Scene files; - reads one from stdin.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        envvar="SMD_SET",
        callback=from_environment,
        help="Change a key: brushes.fox.prompt='a blue fox'. Brushes by name or number from 1.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        envvar="SMD_ONLY",
        callback=from_environment,
        help="Mute all other brushes.",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="NAME",
        envvar="SMD_WITHOUT",
        callback=from_environment,
        help="Mute this brush.",
    ),
]
Size = Annotated[
    str | None, typer.Option("--size", metavar="WxH", envvar="SMD_SIZE", help="Canvas in pixels.")
]
Seed = Annotated[
    str | None,
    typer.Option("--seed", metavar="N|random", envvar="SMD_SEED", help="Seed of all noise."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", envvar="SMD_MODEL", help="Preset, folder or hub id."),
]
Frames = Annotated[
    str | None,
    typer.Option("-n", "--frames", metavar="N", envvar="SMD_FRAMES", help="How many frames."),
]
Frame = Annotated[
    int | None,
    typer.Option(
        "--frame",
        metavar="K",
        envvar="SMD_FRAME",
        min=0,
        max=999_999_999,
        help="Paint frame K of the scene alone, as one picture. Frames count from 0.",
    ),
]
Fps = Annotated[
    str | None,
    typer.Option("--fps", metavar="RATE", envvar="SMD_FPS", help="Frames a second in movies."),
]
Device = Annotated[
    str, typer.Option("--device", envvar="SMD_DEVICE", help="auto, cpu, cuda, cuda:1, mps.")
]
Dtype = Annotated[
    str, typer.Option("--dtype", envvar="SMD_DTYPE", help="Precision: auto, fp32, fp16, bf16.")
]
Offline = Annotated[
    bool,
    typer.Option("--offline", envvar="SMD_OFFLINE", help="Never touch the network."),
]
LowMemory = Annotated[
    bool,
    typer.Option(
        "--low-memory", envvar="SMD_LOW_MEMORY", help="Slower, with less memory on the device."
    ),
]
Revision = Annotated[
    str | None,
    typer.Option("--revision", metavar="REV", envvar="SMD_REVISION", help="Branch, tag or commit."),
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", envvar="SMD_NO_CLOBBER", help="Never replace a file.")
]
AsJson = Annotated[
    bool, typer.Option("--json", envvar="SMD_JSON", help="JSON on stdout, one event a line.")
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", envvar="SMD_QUIET", help="Errors only on stderr.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", envvar="SMD_VERBOSE", help="Say more.")]
Debug = Annotated[
    bool, typer.Option("--debug", envvar="SMD_DEBUG", help="Show a traceback with an error.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"smd {__version__}")
        raise typer.Exit


@app.callback()
def smd(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """Paint with meanings: text prompts with masks, rendered by few-step diffusion."""


@app.command()
def check(
    scenes: Scenes,
    change: Changes = None,
    only: Only = None,
    without: Without = None,
    size: Size = None,
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="SMD_JSON", help="One JSON object a scene.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check scenes without rendering: masks, coverage, slots, and what looks unintended."""
    from smd_cli.check import check_scene
    from smd_cli.request import Request, each, load, refuse_stdin_twice

    reporter = Reporter(quiet=quiet)
    with _edge(reporter, debug):
        refuse_stdin_twice(scenes)
        overrides = _overrides(change, {"size": size, "model": model})
        request = Request(scenes, (), overrides, only or (), without or ())

        def show(source: str) -> None:
            report = check_scene(load(source, request))
            if as_json:
                print(json.dumps(report.as_json(), ensure_ascii=False))
            elif not quiet:
                print("\n".join(report.lines()))
            for problem in capped(report.warnings, source):
                reporter.warning(problem)

        each(scenes, show)


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
    frames: Frames = None,
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
    offline: Offline = False,
    schedule: Annotated[
        str,
        typer.Option(
            envvar="SMD_SCHEDULE",
            help="stream: frames share network calls; single: one by one; auto: by their number.",
        ),
    ] = "auto",
    fps: Fps = None,
    no_clobber: NoClobber = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Render scenes to pictures, GIF, APNG, WebP, MP4 or WebM."""
    from smd_cli.jobs import announce, prepare
    from smd_cli.request import Machine, Order, Request

    to_stdout = "-" in (out or ())
    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json, picture_on_stdout=to_stdout)
    with _edge(reporter, debug):
        _refuse_gone_folder()
        _keep_off_the_network(offline)
        order = Order.of(schedule, frame)
        _refuse_two_on_stdout(as_json, to_stdout)
        sugar = {
            "frames": frames,
            "seed": seed,
            "size": size,
            "model": model,
            "output.fps": fps,
        }
        request = Request(
            scenes,
            out or (),
            _overrides(change, sugar),
            only or (),
            without or (),
            not no_clobber,
            order,
        )
        jobs = prepare(request)
        for job in jobs:
            announce(job, reporter)
        began = time.perf_counter()
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.render import render_jobs
        with hushed():
            render_jobs(
                jobs,
                reporter=reporter,
                began=began,
                machine=Machine(device, dtype, low_memory),
                order=order,
                clobber=not no_clobber,
            )


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
    from smd_cli.request import Machine, Request
    from smd_cli.scene.source import STDIN
    from smd_cli.watch.command import Manner
    from smd_cli.watch.run import Serving
    from smd_cli.watch.run import watch as run_watch

    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    with _edge(reporter, debug):
        _refuse_gone_folder()
        _keep_off_the_network(offline)
        if scene == STDIN or "-" in (out or ()):
            raise UsageError("watch reads and writes files, not standard input or output")
        if blend and not endless:
            raise UsageError("--blend is about frames on their way", "it goes with --stream")
        if endless and frames is not None:
            raise UsageError("--stream has no end, so -n has no meaning", "leave one of them out")
        sugar = {"frames": frames, "seed": seed, "size": size, "model": model}
        outs = out or ["{scene}.png"]
        request = Request([scene], outs, _overrides(change, sugar), only or (), without or ())
        machine = Machine(device, dtype, low_memory)
        manner = Manner(machine, poll, endless, blend, previews, keep, record)
        serving = Serving(port, shown) if serve or shown or port is not None else None
        run_watch(request, manner, reporter=reporter, serving=serving)


@app.command()
def unpack(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A PNG or APNG that smd wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Where to. Without: PICTURE's name."),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Take the scene out of a picture, to paint it again or go on from it; of a kept one all masks.

    Says which files are not inside, and the command that paints the picture again.
    """
    from smd_cli.unpack import unpack as take_out

    reporter = Reporter(quiet=quiet)
    with _edge(reporter, debug):
        unpacked = take_out(picture, out)
        for path in unpacked.paths:
            print(path)
        for note in unpacked.notes:
            reporter.note(note)


@app.command()
def compare(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A scene file, or - for stdin.")],
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            envvar="SMD_OUT",
            callback=from_environment,
            help="The sheet: a picture.",
        ),
    ] = "{scene}-compared.png",
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
    from smd_cli.jobs import announce, prepare
    from smd_cli.request import Machine, Request

    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    with _edge(reporter, debug):
        _refuse_gone_folder()
        _keep_off_the_network(offline)
        _refuse_two_on_stdout(as_json, out == "-")
        sugar = {"seed": seed, "size": size, "model": model}
        overrides = _overrides(change, {**sugar, "frames": "1"})
        request = Request([scene], [out], overrides, only or (), without or (), not no_clobber)
        [job] = prepare(request)
        announce(job, reporter)
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.compare import compare_job
        with hushed():
            machine = Machine(device, dtype, low_memory)
            compare_job(job, reporter=reporter, machine=machine, clobber=not no_clobber)


bench = typer.Typer(rich_markup_mode=None, help="Measure speed as ratios inside one run.")
app.add_typer(bench, name="bench")


@bench.callback(invoke_without_command=True)
def _bench(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@bench.command("watch")
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
    with _edge(reporter, debug):
        _refuse_gone_folder()
        from smd_cli.backbone.quiet import quiet as hushed

        with reporter.starting(), hushed():
            from smd_cli.bench import bench_watch as measure
            from smd_cli.request import Machine
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
    from smd_cli.doctor import Report, examine, line

    reporter = Reporter(quiet=as_json)
    with _edge(reporter, debug):
        _refuse_gone_folder()
        _keep_off_the_network(offline)
        findings = []
        for finding in examine(device, dtype, model, reporter):
            findings.append(finding)
            if not as_json:
                print(line(finding), flush=True)
        report = Report(tuple(findings))
        if as_json:
            print(json.dumps(report.as_json(), ensure_ascii=False))
        if not report.healthy:
            raise typer.Exit(ExitCode.FAILED)


class _Named(TyperGroup):
    """A group in which a word that is no command of its own is the NAME that `show` takes."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant, and its arguments."""
        named = bool(args) and args[0] not in self.commands
        return super().resolve_command(ctx, ["show", *args] if named else args)


models_app = typer.Typer(
    cls=_Named, rich_markup_mode=None, subcommand_metavar="[NAME | COMMAND [ARGS]...]"
)
app.add_typer(models_app, name="models")


@models_app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", envvar="SMD_JSON", help="As JSON.")] = False,
    debug: Debug = False,
) -> None:
    """List the presets and the models in the hub cache; show the model NAME; pull downloads one."""
    if context.invoked_subcommand:
        return
    from smd_cli.models_list import list_models, show

    with _edge(Reporter(), debug):
        found = list_models()
        if as_json:
            print(json.dumps(found.as_json(), ensure_ascii=False))
        else:
            show(found)


@models_app.command("show")
def models_show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset, folder, file or hub id.")],
    revision: Revision = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="SMD_JSON", help="As JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show one model: what and where it is, its facts and its words. `show` may be left out."""
    from smd_cli.model_card import card

    above = context.parent.params if context.parent else {}
    with _edge(Reporter(), debug or above.get("debug", False)):
        found = card(name, revision)
        if as_json or above.get("as_json", False):
            print(json.dumps(found.as_json(), ensure_ascii=False))
        else:
            print("\n".join(found.lines()))


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset or a hub id.")],
    revision: Revision = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Download a model into the hub cache; after a break it goes on where it ended."""
    from smd_cli.pull import pull

    reporter = Reporter(quiet=quiet, as_json=as_json)
    with _edge(reporter, debug):
        pull(name, revision, reporter)


def _refuse_gone_folder() -> None:
    """Raise UsageError where the working folder is gone, in which libraries will not load."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as gone:
        message = f"the working folder is gone: {gone.strerror}"
        raise UsageError(message, "change to a folder that is there") from gone


def _keep_off_the_network(offline: bool) -> None:
    if offline:
        from smd_cli.hub_cache import go_offline

        go_offline()


def _overrides(changes: list[str] | None, sugar: dict[str, str | None]) -> list[Override]:
    """The scene changes of all options: --set in order, then options that are keys themselves."""
    from smd_cli.scene.overrides import Override, parse_override

    plain = [
        Override(key, value, f"--{key.removeprefix('output.')} {value}", Path())
        for key, value in sugar.items()
        if value is not None
    ]
    return [*map(parse_override, changes or ()), *plain]


@contextmanager
def _edge(reporter: Reporter, debug: bool) -> Iterator[None]:
    """The one place where errors become text and exit codes."""
    try:
        yield
        reporter.end()
    except SmdError as wrong:
        if debug:
            traceback.print_exc()
        reporter.error(wrong)
        raise typer.Exit(wrong.exit_code) from wrong
    except KeyboardInterrupt:
        reporter.note("interrupted; finished files are kept")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _refuse_two_on_stdout(as_json: bool, picture: bool) -> None:
    if as_json and picture:
        raise UsageError("--json and -o - both want stdout", "write the picture to a file")
