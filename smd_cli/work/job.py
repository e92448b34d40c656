"""Jobs: what the command line asks for, checked to the last mask before any heavy import."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli import __version__
from smd_cli.engine.layers import SoftMasks
from smd_cli.errors import Problem
from smd_cli.output.conflicts import leftovers, refuse_existing, refuse_inputs, refuse_same_file
from smd_cli.output.sidecars import refuse_textless, sidecar_notes, with_sidecars
from smd_cli.output.targets import Target, plan_targets
from smd_cli.output.writers import notes, refuse_terminal
from smd_cli.report.reporter import Reporter
from smd_cli.report.streams import refuse_closed
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.files import FileContent, PaintSource
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import SceneFile
from smd_cli.work.captions import caption_notes
from smd_cli.work.changes import changes_of, exact, one_a_line, weights_of
from smd_cli.work.check import check_scene
from smd_cli.work.inputs import inputs_of
from smd_cli.work.recording import USUAL, Recording, contents_of
from smd_cli.work.request import Keeping, Request, each, informed, load, refuse_stdin_twice


@dataclass(frozen=True, eq=False)
class Job:
    """One scene with its paint, where its frames go, and what there is to say beforehand.

    `window_px`: the least side that its model's windows have, where the scene leaves it to that;
    `recording`: what its pictures tell besides.
    """

    scene_file: SceneFile
    painted: PaintedScene
    targets: tuple[Target, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]
    window_px: int | None = None
    recording: Recording = USUAL

    @property
    def title(self) -> str:
        """What the user calls the job: the scene file's stem."""
        return self.scene_file.name


def prepare(request: Request) -> list[Job]:
    """Load and paint all scenes and plan their files; the hub is asked what their models are like.

    Raises SceneError with the problems of all scenes, UsageError for outputs that cannot work,
    SmdError where the hub cannot be asked.
    """
    refuse_stdin_twice(request.scenes)
    files = each(request.scenes, lambda source: load(source, request))
    files = each(files, lambda file: informed(file, request))
    return prepared(files, request)


def prepared(
    files: Sequence[SceneFile], request: Request, recalled: Mapping[str, str] | None = None
) -> list[Job]:
    """Paint all scenes of a request, which are loaded, and plan their files, as `prepare`.

    `recalled`: the texts of a picture that is painted again.
    """
    recordings = [_recording(file, request.keeping, recalled or {}) for file in files]
    both = zip(files, recordings, strict=True)
    painted = each(both, lambda one: _painted(*one))
    jobs = [_job(*one, request) for one in zip(files, painted, recordings, strict=True)]
    targets = [target for job in jobs for target in job.targets]
    if any(target.kind == "stdout" for target in targets):
        refuse_terminal(sys.stdout)
        refuse_closed(sys.stdout)
    refuse_same_file(targets)
    read = (path for file in files for path in inputs_of(file))
    refuse_inputs(targets, read, reader="the scene" if len(files) == 1 else "one of the scenes")
    if not request.clobber:
        refuse_existing(targets)
    return jobs


def _recording(file: SceneFile, keeping: Keeping, recalled: Mapping[str, str]) -> Recording:
    contents = {p: one.data for p, one in contents_of(file).items()} if keeping.embed else None
    return Recording(keeping.metadata, {}, contents, recalled)


def _painted(file: SceneFile, recording: Recording) -> PaintedScene:
    """The scene's paint, of the very files that come along with its pictures."""
    source = PaintSource()
    held = {path: FileContent(data, b"") for path, data in (recording.contents or {}).items()}
    with source.round(held):
        return read_pictures(file, source)


def _job(file: SceneFile, painted: PaintedScene, recording: Recording, request: Request) -> Job:
    scene = file.scene
    request.order.refuse_past_end(scene.frames)
    alone = request.order.frame
    count = len(request.order.painted(scene.frames))
    planned = plan_targets(request.outs, scene_name=file.name, seed=scene.seed, frames=count)
    told = sidecar_notes(planned) if request.keeping.sidecar else ()
    planned = tuple(with_sidecars(planned)) if request.keeping.sidecar else planned
    targets = tuple(replace(one, scene_file=file.file, first=alone or 0) for one in planned)
    if request.keeping.embed:
        refuse_textless(targets)
    job = _job_to(file, painted, targets, recording=recording)
    older = [] if alone is not None else filter(None, map(leftovers, job.targets))
    return replace(job, notes=(*job.notes, *told, *older))


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
    told = recording.of(file, painted, read)
    return Job(file, painted, targets, checked.warnings, sentences, checked.effort.least_px, told)


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
    if job.window_px is not None:
        text["smd:windows"] = str(job.window_px)
    return job.recording.text(text | weights_of(file) | exact(changes) | dict(machine or {}))
