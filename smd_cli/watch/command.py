"""What `smd watch` is asked for, and what is wrong with it that no save can mend. Imports no torch.

A wrong command ends at once, before anything heavy is imported; what is wrong with a file is told
by the live loop, which waits for it to be mended.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli.errors import Place, SceneError, SmdError, UsageError
from smd_cli.output.conflicts import refuse_inputs, refuse_same_file
from smd_cli.output.places import refuse_long
from smd_cli.output.targets import Target, plan_targets
from smd_cli.scene.text.streams import is_open_stream
from smd_cli.scene.types import SceneFile
from smd_cli.work.inputs import inputs_of
from smd_cli.work.request import AUTO, Machine, Request, load


@dataclass(frozen=True)
class WatchOptions:
    """How to follow a scene.

    `endless`: frames without end; `blend`: frames in flight go on under a new plan; `previews`:
    show every slot's estimate; `keep`: a folder for settled pictures; `record`: a film of all.
    """

    machine: Machine = AUTO
    polling: bool = False
    endless: bool = False
    blend: bool = False
    previews: bool = False
    keep: str | None = None
    record: str | None = None


def kept_name(title: str, number: int) -> str:
    """The name of a scene's kept picture, counted from 1."""
    return f"{title}-{number:04d}.png"


def refuse_wrong(request: Request, options: WatchOptions) -> None:
    """Raise UsageError for a command that no save of a file can mend."""
    [source] = request.scenes
    _refuse_no_file(Path(source))
    if options.keep:
        _refuse_no_folder(options.keep)
        kept = Path(options.keep) / kept_name(Path(source).stem, 1)
        refuse_long(kept, f"--keep {options.keep}", "give the scene or the folder a shorter one")
    if options.record:
        film_target(options.record, source, seed=0)
    try:
        file = load(source, request)
        targets = watch_targets(file, request, options)
    except SmdError as wrong:
        if no_save_mends(wrong):
            raise
        return
    if options.keep:
        _refuse_shared(options.keep, file.name, targets)


def no_save_mends(wrong: SmdError) -> bool:
    """Whether it is the command line that is wrong, and not, or not only, a file."""
    if not isinstance(wrong, SceneError):
        return True
    return any(_is_option(problem.place) for problem in wrong.problems)


def names_model(request: Request) -> bool:
    """Whether it is the command line that says which model is taken."""
    return any(change.key.partition(".")[0] == "model" for change in request.overrides)


def watch_targets(file: SceneFile, request: Request, options: WatchOptions) -> tuple[Target, ...]:
    """Where pictures go: a still without a frame number shows every frame in turn.

    Raises UsageError for a film of endless frames, and where a result would replace another one or
    what the scene is made of.
    """
    frames = file.scene.frames

    def target(out: str, count: int) -> Target:
        [planned] = plan_targets([out], scene_name=file.name, seed=file.scene.seed, frames=count)
        return replace(planned, scene_file=file.file)

    alone = [target(out, 1) for out in request.outs]
    movies = [one for one in alone if one.is_movie]
    if options.endless and movies:
        raise UsageError(
            f"{movies[0].written}: a film of frames without end is never whole",
            f"record one instead: --record {movies[0].written}",
        )
    turns = [one.kind == "still" and one.format != "WEBP" for one in alone]
    targets = tuple(
        one if still or options.endless else target(out, frames)
        for out, one, still in zip(request.outs, alone, turns, strict=True)
    )
    films = [film_target(options.record, file.file, file.scene.seed)] if options.record else []
    refuse_same_file(targets)
    _refuse_both(films, targets)
    refuse_inputs([*targets, *films], inputs_of(file), endless=options.endless)
    return targets


def film_target(out: str, source: str, seed: int) -> Target:
    """Where the film of `--record` goes, `seed` being its first picture's.

    Raises UsageError for a name that is no film's.
    """
    name = Path(source).stem
    [alone] = plan_targets([out], scene_name=name, seed=seed, frames=1)
    if not (alone.is_movie or alone.format == "WEBP"):
        raise UsageError(
            f"--record takes a film, not {out}", "its name ends in .mp4 .webm .gif .apng or .webp"
        )
    [target] = plan_targets([out], scene_name=name, seed=seed, frames=2)
    return target


def _refuse_both(films: list[Target], targets: tuple[Target, ...]) -> None:
    """Raise UsageError where a film and a picture would be one file."""
    for film in films:
        try:
            refuse_same_file([*targets, film])
        except UsageError as same:
            message = f"--record and -o both want {film.written}"
            raise UsageError(message, "give the film another name") from same


def _is_option(place: Place) -> bool:
    return not place.line and place.file.startswith("--")


def _refuse_no_file(scene: Path) -> None:
    """Raise UsageError for a scene that is a folder or a pipe, or that has no folder to come to."""
    if _is_folder(scene):
        inside = sorted(path.name for path in scene.glob("*.yaml"))
        hint = f"name a scene in it: {scene / inside[0]}" if inside else ""
        raise UsageError(f"{scene} is a folder, not a scene file", hint)
    if not os.path.lexists(scene.parent):
        raise UsageError(f"{scene}: there is no folder {scene.parent}")
    if is_open_stream(scene):
        raise UsageError(f"{scene} is an open stream, not a scene file", "name the file itself")
    if scene.exists() and not scene.is_file():
        raise UsageError(f"{scene} is not a regular file, so it cannot be saved again")


def _refuse_no_folder(folder: str) -> None:
    """Raise UsageError unless pictures can be kept in a folder, or it can be made."""
    place = Path(folder)
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not _is_folder(place):
        raise UsageError(f"--keep {folder}: {place} is not a folder", "name a new or existing one")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"--keep {folder}: no permission to write in the folder {place}")


def _refuse_shared(folder: str, name: str, targets: tuple[Target, ...]) -> None:
    """Raise UsageError where a sequence would count over the pictures that are kept."""
    kept = os.path.realpath(Path(folder) / kept_name(name, 1))
    for target in targets:
        if target.kind == "sequence" and os.path.realpath(target.path(1)) == kept:
            raise UsageError(
                f"-o {target.written} and --keep {folder} give their pictures the same names",
                "keep them in a folder of their own",
            )


def _is_folder(place: Path) -> bool:
    """Whether it is a folder, as far as we may see."""
    try:
        return place.is_dir()
    except (OSError, ValueError):
        return False
