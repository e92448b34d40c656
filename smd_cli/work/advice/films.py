"""Films and sequences of files: what they are, a line for each; and sound that cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator

from smd_cli.errors import Problem
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import SceneFile
from smd_cli.units import printable


def films(painted: PaintedScene) -> tuple[str, ...]:
    """``fox shows fox-%04d.png: 24 frames of 256x256 px``: a line for every film or sequence."""
    lines = [f"background shows {painted.film.described}"] if painted.film else []
    for brush in painted.brushes:
        own = filter(None, brush.shown)
        lines += [f"{brush.brush.label} shows {shown.described}" for shown in own]
    return tuple(map(printable, lines))


def film_warnings(scene_file: SceneFile, painted: PaintedScene) -> Iterator[Problem]:
    """A word about sound where there is none."""
    path = ("output", "audio")
    silent = painted.film is None or not painted.film.reel.sound
    if path in scene_file.places and scene_file.scene.output.audio == "drop" and silent:
        message = "output.audio has no effect: there is no film with sound beneath"
        yield Problem(scene_file.place(*path), message, "leave it out")
