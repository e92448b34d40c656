"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from smd_cli.cli import completion
from smd_cli.cli.environment import from_environment

Scenes = Annotated[
    list[str], typer.Argument(metavar="SCENE...", help="Scene files; - reads one from stdin.")
]
SheetOut = Annotated[
    str,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE",
        envvar="SMD_OUT",
        callback=from_environment,
        help="The sheet: a picture.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        envvar="SMD_SET",
        callback=from_environment,
        autocompletion=completion.changes,
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
        autocompletion=completion.brushes,
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
        autocompletion=completion.brushes,
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
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="1-8|1,5,9",
        envvar="SMD_SEEDS",
        help="Once for each of these seeds; {seed} in the names tells them apart.",
    ),
]
Each = Annotated[
    list[str] | None,
    typer.Option(
        "--each",
        metavar="KEY=[A, B]",
        envvar="SMD_EACH",
        callback=from_environment,
        help=(
            "Once for each value of a key: brushes.fox.prompt='[a fox, a wolf]'. Several make a "
            "grid; {fox.prompt} or {1} in the names tells them apart."
        ),
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        envvar="SMD_SHEET",
        help="All pictures side by side as well, with labels.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        envvar="SMD_RESUME",
        help="Spare what is done: PNGs that record the same scene, masks, model and version.",
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        metavar="FILE",
        envvar="SMD_JOBS",
        help="Instead of scenes: a JSON job a line, - from stdin, and a JSON answer a line.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        envvar="SMD_MODEL",
        autocompletion=completion.presets,
        help="Preset, folder or hub id.",
    ),
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
    typer.Option(
        "--fps", metavar="RATE", envvar="SMD_FPS", help="Frames a second in movies, or auto."
    ),
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
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        envvar="SMD_COMPILE",
        help="Compile the network first: slow start, then faster.",
    ),
]
Revision = Annotated[
    str | None,
    typer.Option("--revision", metavar="REV", envvar="SMD_REVISION", help="Branch, tag or commit."),
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", envvar="SMD_NO_CLOBBER", help="Never replace a file.")
]
Embed = Annotated[
    bool,
    typer.Option(
        "--embed",
        envvar="SMD_EMBED",
        help="Put masks and background picture inside too: rerun works whatever they become.",
    ),
]
Sidecar = Annotated[
    bool,
    typer.Option(
        "--sidecar",
        envvar="SMD_SIDECAR",
        help="Write FILE.json beside what holds no text (GIF, MP4, JPEG, WebP), for rerun.",
    ),
]
NoMetadata = Annotated[
    bool,
    typer.Option(
        "--no-metadata", envvar="SMD_NO_METADATA", help="Let pictures tell nothing of their scene."
    ),
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
