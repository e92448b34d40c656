"""What a scene's files say at a moment: which files, what is in them, and what they ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from smd_cli.errors import SmdError
from smd_cli.jobs import Job, job_of
from smd_cli.output.targets import Target, plan_targets
from smd_cli.request import Request, load
from smd_cli.scene.model import ImageMask, SceneFile
from smd_cli.scene.paint import paint_scene

Digests = Mapping[Path, bytes | None]
"""Each file's digest; None where there is no file that can be read."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The files of a scene, read once.

    `job` is what they ask for; None where something is wrong with them, which `wrong` tells. The
    digests are older than the job, never newer: a save that falls between is found by the next
    reading.
    """

    digests: Digests
    job: Job | None = None
    wrong: SmdError | None = None


def read(request: Request, known: Collection[Path] = ()) -> Reading:
    """Read the request's one scene and every file that it names.

    `known` are files of an earlier reading: they count on where the scene itself cannot be read.
    """
    [source] = request.scenes
    digests = digest([Path(source)])
    try:
        file = load(source, request)
    except SmdError as wrong:
        return Reading({**digest(known), **digests}, wrong=wrong)
    digests |= digest(named_files(file))
    try:
        painted = paint_scene(file)
        return Reading(digests, job_of(file, painted, targets(file, request)))
    except SmdError as wrong:
        return Reading(digests, wrong=wrong)


def named_files(file: SceneFile) -> list[Path]:
    """The files that a scene names: its masks, muted or not, and its background picture."""
    scene = file.scene
    masks = [part for brush in scene.brushes for part in brush.mask]
    paths = [part.path for part in masks if isinstance(part, ImageMask)]
    return [*paths, *([scene.background.image] if scene.background.image else [])]


def digest(paths: Collection[Path]) -> dict[Path, bytes | None]:
    """The digests of files."""
    return {path: _digest(path) for path in paths}


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, ValueError):
        return None


def targets(file: SceneFile, request: Request) -> tuple[Target, ...]:
    """Where pictures go: a still without a frame number shows every frame in turn."""
    frames = file.scene.frames

    def target(out: str, count: int) -> Target:
        [planned] = plan_targets([out], scene_name=file.name, seed=file.scene.seed, frames=count)
        return planned

    alone = [target(out, 1) for out in request.outs]
    turns = [one.kind == "still" and one.format != "WEBP" for one in alone]
    return tuple(
        one if still else target(out, frames)
        for out, one, still in zip(request.outs, alone, turns, strict=True)
    )
