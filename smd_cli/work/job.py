"""Jobs: what the command line asks for, checked to the last mask before any heavy import."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli import __version__
from smd_cli.engine.crop import may_crop
from smd_cli.engine.layers import SoftMasks
from smd_cli.errors import Place, Problem, UsageError
from smd_cli.models.facts import read_defaults
from smd_cli.output.conflicts import leftovers, refuse_existing, refuse_inputs, refuse_same_file
from smd_cli.output.ping_pong import LOOP
from smd_cli.output.sidecars import refuse_textless, sidecar_notes, with_sidecars
from smd_cli.output.targets import Target, plan_targets
from smd_cli.output.writers import notes, refuse_terminal
from smd_cli.report.reporter import Reporter
from smd_cli.report.streams import refuse_closed
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.files import FileContent, PaintSource
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.text.source import Source, read_source
from smd_cli.scene.types import SceneFile
from smd_cli.work.captions import caption_notes
from smd_cli.work.changes import changes_of, exact, one_a_line, weights_of
from smd_cli.work.check import check_scene
from smd_cli.work.inputs import inputs_of
from smd_cli.work.recording import USUAL, Recording, contents_of, outside_notes
from smd_cli.work.request import Request, each, informed, load, refuse_stdin_twice
from smd_cli.work.sound import sound_notes
from smd_cli.work.vary import PLAIN, Variation, refuse_many, telling_apart, variations


@dataclass(frozen=True, eq=False)
class Job:
    """One scene with its paint, where its frames go, and what there is to say beforehand.

    `window_px`: the least side that its model's windows have, where the scene leaves it to that;
    `variation`: its state in a grid; `recording`: what its pictures tell besides.
    """

    scene_file: SceneFile
    painted: PaintedScene
    targets: tuple[Target, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]
    window_px: int | None = None
    variation: Variation = PLAIN
    recording: Recording = USUAL

    @property
    def title(self) -> str:
        """What the user calls the job: the scene file's stem, and what a grid changes."""
        return ", ".join((self.scene_file.name, *self.variation.labels))


def prepare(request: Request, inline: Mapping[str, Source] | None = None) -> list[Job]:
    """Load and paint all scenes and plan their files; the hub is asked what their models are like.

    `inline`: scenes that are no files, by the names that the request calls them.

    Raises SceneError with the problems of all scenes, UsageError for outputs that cannot work,
    SmdError where the hub cannot be asked.
    """
    refuse_stdin_twice(request.scenes)
    refuse_many(len(request.scenes), request.axes)
    states = [
        (scene, state, replace(request, overrides=(*request.overrides, *state.changes)))
        for scene in request.scenes
        for state in variations(request.axes)
    ]
    texts = _Texts(inline or {})
    files = each(states, lambda one: load(texts.of(one[0]), one[2]))
    files = each(zip(files, states, strict=True), lambda pair: informed(pair[0], pair[1][2]))
    jobs = prepared(files, request, [state for _, state, _ in states])
    return [replace(job, warnings=(*job.warnings, *_muted(job))) for job in jobs]


def _muted(job: Job) -> Iterator[Problem]:
    """That a grid changes a brush which is not painted, so that its pictures are alike."""
    brushes = job.scene_file.scene.brushes
    for change in job.variation.changes:
        section, *path = change.key.split(".")
        if section != "brushes" or len(path) < 2 or path[1] == "enabled":
            continue
        brush = next((b for b in brushes if path[0] in (b.name, str(b.number))), None)
        if brush is not None and brush not in job.scene_file.scene.active:
            message = f"{quote(brush.label)} is muted: its {path[1]} changes nothing"
            hint = "name it with --only as well, or enable it in the scene"
            yield Problem(Place(change.option), message, hint, "warning")


def prepared(
    files: Sequence[SceneFile],
    request: Request,
    states: Sequence[Variation] | None = None,
    recalled: Mapping[str, str] | None = None,
) -> list[Job]:
    """Paint all scenes of a request, which are loaded, and plan their files, as `prepare`.

    `states`: of each in a grid; `recalled`: the texts of a picture that is painted again.
    """
    states = states or [PLAIN] * len(files)
    held = _held(files) if request.keeping.embed else {}
    recordings = [_recording(file, held, request, recalled or {}) for file in files]
    source = PaintSource()
    with source.round(held):  # what several states show is painted once
        painted = each(files, lambda file: read_pictures(file, source))
    all_of_each = zip(files, painted, recordings, states, strict=True)
    jobs = [_job(*one, request) for one in all_of_each]
    targets = [target for job in jobs for target in job.targets]
    if any(target.kind == "stdout" for target in targets):
        refuse_terminal(sys.stdout)
        refuse_closed(sys.stdout)
    _refuse_same_file(targets, request)
    read = (path for file in files for path in inputs_of(file))
    refuse_inputs(targets, read, reader="the scene" if len(files) == 1 else "one of the scenes")
    if not request.clobber:
        refuse_existing(targets)
    return jobs


class _Texts:
    """The scenes' texts, each read once: a pipe has it only once."""

    def __init__(self, known: Mapping[str, Source]) -> None:
        self._read = dict(known)

    def of(self, scene: str) -> Source:
        """A scene by its name, or by - for standard input. Raises SceneError."""
        if scene not in self._read:
            self._read[scene] = read_source(scene)
        return self._read[scene]


def _refuse_same_file(targets: Sequence[Target], request: Request) -> None:
    """Raise UsageError where two results are one file; of a grid, with its tokens."""
    try:
        refuse_same_file(targets)
    except UsageError as same:
        if not request.axes:
            raise
        hint = telling_apart(len(request.scenes), request.axes)
        raise UsageError(same.message, hint) from same


def _held(files: Iterable[SceneFile]) -> Mapping[Path, FileContent]:
    """What is in the pictures of scenes that come along with theirs, each read once."""
    held: dict[Path, FileContent] = {}
    for file in files:
        held |= contents_of(file, held)
    return held


def _recording(
    file: SceneFile,
    held: Mapping[Path, FileContent],
    request: Request,
    recalled: Mapping[str, str],
) -> Recording:
    """What a scene's pictures tell; of what is `held` of its files."""
    contents = {path: held[path].data for path in file.scene.pictures if path in held}
    embedded = contents if request.keeping.embed else None
    return Recording(request.keeping.metadata, {}, embedded, recalled)


def _job(
    file: SceneFile,
    painted: PaintedScene,
    recording: Recording,
    state: Variation,
    request: Request,
) -> Job:
    scene = file.scene
    request.order.refuse_past_end(scene.frames)
    alone = request.order.frame
    count = len(request.order.painted(scene.frames))
    planned = plan_targets(
        request.outs,
        scene_name=file.name,
        seed=scene.seed,
        frames=count,
        tokens=state.tokens,
        tail="".join(f"-{slug}" for slug in state.slugs),
    )
    told = sidecar_notes(planned) if request.keeping.sidecar else ()
    planned = tuple(with_sidecars(planned)) if request.keeping.sidecar else planned
    targets = tuple(replace(one, scene_file=file.file, first=alone or 0) for one in planned)
    if request.keeping.embed:
        refuse_textless(targets)
    job = _job_to(file, painted, targets, recording=recording)
    older = [] if alone is not None else filter(None, map(leftovers, job.targets))
    mute = sound_notes(scene, painted, request.order, job.targets)
    outside = outside_notes(file) if request.keeping.embed else ()
    changes = scene.moves or bool(painted.reels) or scene.sampler.noise == "walk"
    past = request.order.round_notes(scene.frames, goes_round=changes)
    return replace(job, notes=(*job.notes, *told, *outside, *mute, *past, *older), variation=state)


def job_of(
    file: SceneFile,
    painted: PaintedScene,
    targets: tuple[Target, ...],
    soft_masks: SoftMasks | None = None,
    read: Mapping[Path, bytes] | None = None,
) -> Job:
    """A painted scene with its targets, and what there is to say about both.

    `soft_masks` are shared with the planner; `read`: what is in those files that have been read.

    Raises UsageError for a target that is one of the files that the scene is made of, whichever
    frames may come.
    """
    refuse_inputs(targets, inputs_of(file), endless=True)
    return _job_to(file, painted, targets, soft_masks, read=read)


def _job_to(
    file: SceneFile,
    painted: PaintedScene,
    targets: tuple[Target, ...],
    soft_masks: SoftMasks | None = None,
    recording: Recording = USUAL,
    read: Mapping[Path, bytes] | None = None,
) -> Job:
    remarks = notes(targets, painted.size, file.scene.output, painted.picture)
    checked = check_scene(file, painted, soft_masks)
    sentences = (*remarks, *caption_notes(file))
    return Job(
        file,
        painted,
        targets,
        checked.warnings,
        sentences,
        window_px=None if _scales(file, painted) else checked.effort.least_px,
        recording=recording.of(file, painted, read),
    )


def _scales(file: SceneFile, painted: PaintedScene) -> bool:
    """Whether a side of windows, where it is written, keeps what is generated from being scaled."""
    native_px = max(read_defaults(file.scene.model).native_size)
    return painted.picture is not None and may_crop(painted.size, native_px)


def with_scene(job: Job, file: SceneFile) -> Job:
    """The job with another state of its scene, whose pictures are the same."""
    warnings = check_scene(file, job.painted).warnings
    notes = dict.fromkeys((*job.notes, *caption_notes(file)))
    told = job.recording.of(file, job.painted)
    return replace(job, scene_file=file, warnings=warnings, notes=tuple(notes), recording=told)


def announce(job: Job, reporter: Reporter, announced: Collection[str] = ()) -> set[str]:
    """Tell what there is to say about a job before it is done, but what was `announced` before.

    Gives what has been said by now.
    """
    reporter.warnings(problem for problem in job.warnings if str(problem) not in announced)
    sentences = list(job.notes)
    if job.scene_file.scene.seed_was_random:
        sentences.append(seed_note(job))
    for sentence in sentences:
        if sentence not in announced:
            reporter.note(sentence)
    return {*map(str, job.warnings), *sentences}


def seed_note(job: Job) -> str:
    """The sentence that tells a seed that was drawn."""
    return f"{job.title}: seed {job.scene_file.scene.seed}"


def picture_text(
    job: Job, frame: int, schedule: str, machine: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The text chunks that let a picture be made again. No time, no absolute path.

    `machine` tells where it is painted, and what else the caller knows.
    """
    file = job.scene_file
    changes = changes_of(file, painted=[one.brush for one in job.painted.brushes])
    text = {
        "Software": f"smd {__version__}",
        "smd:scene": file.text,
        "smd:overrides": one_a_line(changes),
        "smd:seed": str(file.scene.seed),
        "smd:frame": f"{frame} of {file.scene.frames}",
        "smd:size": f"{job.painted.size[0]}x{job.painted.size[1]}",
        "smd:schedule": schedule,
    }
    if file.scene.output.loop == "ping-pong":
        text[LOOP] = "ping-pong"
    if job.window_px is not None:
        text["smd:windows"] = str(job.window_px)
    return job.recording.text(text | weights_of(file) | exact(changes) | dict(machine or {}))
