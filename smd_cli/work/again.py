"""Painting a picture again: `smd rerun`, from what is recorded of it, and what differs by now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from smd_cli.errors import Problem, SceneError, UsageError
from smd_cli.models.fingerprint import digest
from smd_cli.output.conflicts import refuse_inputs
from smd_cli.output.origin import FROM, HERE
from smd_cli.scene.keys.fields import resolved
from smd_cli.scene.overrides import Override, parse_override
from smd_cli.scene.text.source import Source
from smd_cli.scene.types import SceneFile
from smd_cli.units import shown
from smd_cli.work.bundle import scene_name
from smd_cli.work.changes import FOLDER
from smd_cli.work.job import Job, prepared
from smd_cli.work.provenance import FILES, MODEL, differences, named_in, provenance
from smd_cli.work.recipe import Recipe, is_there
from smd_cli.work.recorded import Recorded, read_recorded, shown_path
from smd_cli.work.request import Machine, Order, Request, informed, load
from smd_cli.work.unpack import put, recipe_in

_NO_MODEL = "no model "  # with which a sentence begins that one is not to be found


@dataclass(frozen=True, eq=False)
class Opened:
    """A recorded scene as it is read today, with what `smd render` would be told besides."""

    recorded: Recorded
    recipe: Recipe
    source: Source
    overrides: tuple[Override, ...]

    def load(self) -> SceneFile:
        """The scene with all that was changed in it. Raises SceneError."""
        try:
            return load(self.source, self.request())
        except SceneError as wrong:
            raise SceneError([*map(self._with_model_hint, wrong.problems)]) from wrong

    def _with_model_hint(self, problem: Problem) -> Problem:
        """What is wrong, and how another folder is named where a model is not to be found."""
        if not problem.message.startswith(_NO_MODEL):
            return problem
        hint = f"no picture holds a model: smd unpack {shown_path(self.recorded.file)}, and then "
        return replace(problem, hint=f"{hint}smd render its scene with --set model.name=FOLDER")

    def request(self, outs: Sequence[str] = (), *, clobber: bool = True) -> Request:
        """What it was rendered by, into other files."""
        order = _order(self.recipe)
        return Request((), outs, self.overrides, clobber=clobber, order=order)

    @property
    def machine(self) -> Machine:
        """Where it was painted."""
        device, dtype, manners = self.recipe.machine
        return Machine(device, dtype, "low-memory" in manners, "compile" in manners)

    def today(self, file: SceneFile) -> dict[str, str]:
        """What it is made of today, by the names that the picture tells."""
        made, texts = provenance(file), self.recorded.texts
        if MODEL in texts:
            number, name = (one[MODEL].split(" ", 1) for one in (made, texts))
            made[MODEL] = f"{number[0]} {name[1]}"
        then, now = named_in(texts), named_in(made)
        if len(then) == len(now):
            named = zip(then, now, strict=True)
            made[FILES] = json.dumps([(name, digest) for (name, _), (_, digest) in named])
        return made

    def differences(self, today: Mapping[str, str]) -> tuple[str, ...]:
        """Sentences about what is another than when it was painted."""
        files = [digest for _, digest in named_in(today)]
        told = differences(self.recorded.texts, today, files)
        return (*told, *self._changed_outside())

    def _changed_outside(self) -> Iterator[str]:
        """Of the files that are inside, those that have changed where they lay; the scene's own."""
        folder, texts = self.recorded.origin, self.recorded.texts
        if folder is None:
            return
        for name, then in self.recipe.inside if self.recorded.embeds else ():
            if digest(folder / name) not in ("", then):
                changed = f"{shown(name, quote=False)} has changed since"
                yield f"{changed}: it is painted as it is inside the picture"
        scene = folder / Path(texts[FROM]).name
        if digest(scene) and not _holds(scene, texts):
            yield f"{shown_path(scene)} has changed since: it is painted as the picture tells it"


@contextmanager
def opened(recorded: Recorded, folder: Path | None = None) -> Iterator[Opened]:
    """What is recorded, as a scene that can be loaded within this block.

    What is inside the picture lies in a folder of its own for so long, and its scene there names
    films and sequences, which are never inside, where they are. All else is looked for from
    `folder`, where the scene lay; None: from where that was, seen from the picture or from the
    current folder. Raises UsageError where none of it is there, SmdError for a broken record.
    """
    if not recorded.embeds:
        place, name = _place(recorded, folder)
        recipe, _ = recipe_in(recorded, place, name)
        yield _opened(recorded, recipe)
        return
    with TemporaryDirectory(prefix="smd-rerun-") as made:
        recipe, files = recipe_in(recorded, Path(made))
        put(Path(made), files)
        yield _opened(recorded, _with_outside(recorded, recipe, folder))


def _with_outside(recorded: Recorded, recipe: Recipe, folder: Path | None) -> Recipe:
    """The recipe of what is inside a picture, naming what is not where that is today."""
    names = [*recipe.own_outside]
    if not names:
        return recipe
    hint = "--in FOLDER says where they lie; films and sequences are never inside a picture"
    return recipe.found_in(_found(recorded, names, folder, hint))


def _opened(recorded: Recorded, recipe: Recipe) -> Opened:
    seed, frames = recipe.seed, recipe.frame[1]
    base = recorded.folder / recorded.texts.get(HERE, "") if HERE in recorded.texts else Path()
    overrides = (
        *(replace(parse_override(setting), base=base) for setting in recipe.settings),
        Override("seed", seed, f"--seed {seed}", Path()),
        Override("frames", f"{frames}", f"--frames {frames}", Path()),
    )
    file = str((recorded.picture if recorded.embeds else recipe.folder) / recipe.scene)
    source = Source(file, Path(recipe.scene).stem, recipe.folder, recipe.text)
    return Opened(recorded, recipe, source, overrides)


@dataclass(frozen=True, eq=False)
class Again:
    """A picture that can be painted again: the job, by which command, in what order and where.

    `picture` is itself, never its sidecar; `notes` tell what differs today.
    """

    picture: Path
    job: Job
    kind: str
    order: Order
    machine: Machine
    notes: tuple[str, ...]


@contextmanager
def again(
    picture: Path,
    outs: Sequence[str] = (),
    *,
    folder: Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
    clobber: bool = True,
) -> Iterator[Again]:
    """Prepare to paint a picture again, to be done within this block.

    `outs` as of `smd render`; without any a file beside no other: ``NAME-again.png``. `device` and
    `dtype` None: those that it was painted by. Raises SmdError as `prepare` and `opened` do.
    """
    recorded = read_recorded(picture)
    with opened(recorded, folder) as found:
        request = found.request(outs or [_standard(recorded.picture)], clobber=clobber)
        file = informed(found.load(), request)
        [job] = prepared([file], request, recalled=recorded.texts)
        refuse_inputs(job.targets, [recorded.picture, recorded.file], reader="this")
        today = found.today(file)
        recording = replace(job.recording, chunks={**job.recording.chunks, **today})
        targets = tuple(replace(target, scene_file="") for target in job.targets)
        job = replace(job, recording=recording, targets=targets)
        own = found.machine
        machine = replace(own, device=device or own.device, dtype=dtype or own.dtype)
        notes = (*found.differences(today), *_moved(own, machine), *_unlike(recorded))
        yield Again(recorded.picture, job, found.recipe.kind, request.order, machine, notes)


def _moved(then: Machine, now: Machine) -> Iterator[str]:
    if (then.device, then.dtype) != (now.device, now.dtype):
        where = f"it was painted on {then.device} in {then.dtype}"
        yield f"{where}, and is now on {now.device} in {now.dtype}: last bits may differ"


def _unlike(recorded: Recorded) -> Iterator[str]:
    if "smd:preview" in recorded.texts:
        yield "the picture is an estimate on the way; this paints the finished one"
    if "smd:mixed" in recorded.texts:
        yield "the picture mixes two scenes (--blend); this paints the second alone"


def _standard(picture: Path) -> str:
    """Where a picture goes for which no name is given; its own signs stand for themselves."""
    name = f"{picture.stem}-again{picture.suffix or '.png'}"
    return name.replace("%", "%%").replace("{", "{{").replace("}", "}}")


def _order(recipe: Recipe) -> Order:
    """Which of its scene's frames a picture shows, and how they were painted."""
    frame, frames = recipe.frame
    if recipe.pictures == 1:
        return Order.of(recipe.schedule, frame if recipe.is_one_of_many else None)
    whole = recipe.pictures >= frames
    span = None if whole else f"{frame}:{frame + recipe.pictures - 1}"
    return Order.of(recipe.schedule, None, span)


def _place(recorded: Recorded, folder: Path | None) -> tuple[Path, str]:
    """The folder that a scene's files are looked for from, and what the scene's file is called."""
    way = Path(recorded.texts.get(FROM, ""))
    name = way.name or scene_name(recorded.picture.stem)
    names = [name for name, then in named_in(recorded.texts) if then]
    hint = "--in FOLDER says where the scene lies; render --embed keeps them inside"
    return _found(recorded, names, folder, hint, scene=name), name


def _found(
    recorded: Recorded, names: Sequence[str], folder: Path | None, hint: str, scene: str = ""
) -> Path:
    """The first folder in which all files of some names are, or the scene's own.

    Raises UsageError where there is none.
    """
    for place in [folder] if folder else _places(recorded):
        if (scene and is_there(place / scene)) or all(is_there(resolved(n, place)) for n in names):
            return place
    if folder and not folder.is_dir():
        raise UsageError(f"there is no folder {shown_path(folder)}")
    listed = ", ".join(shown(name, quote=False) for name in names)
    whose = f"that the scene of {shown_path(recorded.picture)} names"
    raise UsageError(f"the files {whose} are not to be found: {listed}", hint)


def _places(recorded: Recorded) -> Iterator[Path]:
    """Where a scene may lie: as seen from its picture, or from here."""
    way = Path(recorded.texts.get(FROM, ""))
    if recorded.origin is not None:
        yield recorded.origin
        yield way.parent
    yield Path(recorded.texts.get(FOLDER, ""))
    yield recorded.folder


def _holds(scene: Path, texts: Mapping[str, str]) -> bool:
    """Whether a scene's file has the text that a picture tells."""
    try:
        return scene.read_bytes().decode("utf-8-sig") == texts.get("smd:scene")
    except (OSError, ValueError):  # other encodings are not compared
        return True
