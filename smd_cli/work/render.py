"""From prepared jobs to files: load the model, run the stream, hand frames to the writers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from smd_cli.backbone.captioner import caption
from smd_cli.backbone.loading.load import DTYPES, load_backbone, precision_of
from smd_cli.backbone.memory import full_as_sentence, gpu_peak_bytes, release
from smd_cli.engine.layers import SoftMasks
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.similarity import Skips
from smd_cli.engine.stream import Frame, single, stream
from smd_cli.errors import Place, Problem
from smd_cli.models.cache import downloads_of
from smd_cli.models.captioner import captioner_downloads
from smd_cli.models.prompt_cache import SETTING
from smd_cli.models.pull import download
from smd_cli.output.behind import Work, behind
from smd_cli.output.writers import Outputs, may_wait, open_outputs
from smd_cli.report.events import Summary
from smd_cli.report.process import peak_bytes
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.photo import Photo
from smd_cli.work.captions import captioned, keep_caption, with_kept_caption
from smd_cli.work.job import Job, announce, picture_text, seed_note, with_scene
from smd_cli.work.motion import FramePlans
from smd_cli.work.request import ALL, AUTO, Machine, Order
from smd_cli.work.similar import Decoding, begin_of, skips_of, standing
from smd_cli.work.sound import sound_of
from smd_cli.work.tries import Tries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smd_cli.engine.contract import Backbone
    from smd_cli.models.ref import ModelRef
    from smd_cli.output.stills import Pixels
    from smd_cli.scene.types import Scene, SceneFile

    Look = Callable[[Job, Pixels], None]


class ModelHolder:
    """The one model that is in memory, and its planner.

    It stays for the next job that asks for it. Where another is asked for, it leaves before that
    one is loaded: two may not fit. Callers hold what they get no longer than a job.

    `soft_masks`: what its planners keep of a scene's masks, for whoever checks the scene as well.
    """

    def __init__(self, machine: Machine, reporter: Reporter) -> None:
        self._machine, self._reporter = machine, reporter
        self.soft_masks = SoftMasks()
        self._held: tuple[ModelRef, Planner] | None = None
        self._captions: dict[tuple[ModelRef, tuple[int, ...], bytes], str] = {}
        self._dtype = torch.float32

    def planner(self, model: ModelRef, scenes: Sequence[Scene] = ()) -> Planner:
        """The planner of a model, which it is loaded for where it is not the last one's.

        It then reads the prompts of those of the `scenes` that it is to paint, before any is.
        """
        if self._held is None or self._held[0] != model:
            download(downloads_of(model), self._reporter)
            self._leave()
            self._held = (model, self._loaded(model, scenes))
        return self._held[1]

    def captioned(self, file: SceneFile, photo: Photo | None) -> SceneFile:
        """The scene with a caption of its background's picture, where it wants one.

        No other model is in memory while one is asked, and it leaves at once.
        """
        captioner = file.scene.background.captioner
        file = with_kept_caption(file)  # there may be one by now
        if captioner is None or photo is None or not file.scene.background.wants_caption:
            return file
        picture = photo.seen
        key = (captioner, picture.shape, hashlib.sha256(picture.tobytes()).digest())
        if key not in self._captions:
            download(captioner_downloads(captioner), self._reporter)
            self._leave()
            with self._reporter.loading(captioner.name):
                self._captions[key] = caption(captioner, picture, self._machine.device)
        self._reporter.note(keep_caption(file, self._captions[key]))
        return captioned(file, self._captions[key])

    @property
    def loaded(self) -> bool:
        """Whether there is a model in memory."""
        return self._held is not None

    def get(self, model: ModelRef) -> Backbone:
        """The backbone of a model."""
        return self.planner(model).backbone

    def _leave(self) -> None:
        if self._held is not None:
            device = self._held[1].backbone.device
            self._held = None
            release(device)

    def _loaded(self, model: ModelRef, scenes: Sequence[Scene]) -> Planner:
        on = self._machine
        with self._reporter.loading(model.name):
            backbone = load_backbone(
                model,
                on.device,
                on.dtype,
                low_memory=on.low_memory,
                compiled=on.compiled,
                lost=self._warn_of_prompts,
            )
            self._dtype = precision_of(model, on.dtype, backbone.device)
            planner = Planner(backbone, self.soft_masks)
            own = [scene for scene in scenes if scene.model == model]
            if own:
                planner.read_ahead(own)
        return planner

    def _warn_of_prompts(self, reason: str) -> None:
        hint = f"let {SETTING} name another folder, or say off"
        message = f"the prompts that were read are not kept for the next run: {reason}"
        self._reporter.warnings([Problem(Place("prompt cache"), message, hint, "warning")])

    def told(self, backbone: Backbone) -> dict[str, str]:
        """The text chunk that tells where pictures are painted, if not as usual: cpu fp32."""
        name = next(name for name, one in DTYPES.items() if one == self._dtype)
        where = " ".join((str(backbone.device), name, *self._machine.manners))
        return {} if where == "cpu fp32" else {"smd:machine": where}


def render_jobs(
    jobs: Sequence[Job],
    *,
    reporter: Reporter,
    began: float,
    machine: Machine = AUTO,
    order: Order = ALL,
    clobber: bool = True,
    look: Look | None = None,
) -> None:
    """Render all jobs in order. `began`: `time.perf_counter()` when the heavy imports started.

    `look` is shown the first frame of each. A job that fails is told, and the others go on. Raises
    SmdError (model, memory, files) for a job that is alone, and at the end where some have failed;
    files that are whole by then stay.
    """
    models = ModelHolder(machine, reporter)
    tries = Tries(len(jobs), reporter)
    captioned = [tries.of(job, partial(with_caption, job, models, reporter)) for job in jobs]
    left = [job for job in captioned if job is not None]
    scenes = [job.scene_file.scene for job in left]
    for job in left:
        work = partial(render_job, job, models, order, began, reporter, clobber, look, scenes)
        tries.of(job, work)
        began = time.perf_counter()
    tries.end()


def render_job(
    job: Job,
    models: ModelHolder,
    order: Order,
    began: float,
    reporter: Reporter,
    clobber: bool,
    look: Look | None = None,
    scenes: Sequence[Scene] = (),
) -> None:
    """Render one job, which has its caption. Raises SmdError.

    A model that is loaded for it reads the prompts of all `scenes` that it is to paint.
    """
    with memory_sentence(job):
        models.planner(job.scene_file.scene.model, scenes)
        told = job.recording.of_loaded(job.scene_file)
        _render(replace(job, recording=told), models, order, began, reporter, clobber, look)


def with_caption(job: Job, models: ModelHolder, reporter: Reporter) -> Job:
    """The job with its picture captioned, where it wants that; what is new is told."""
    if not job.scene_file.scene.background.wants_caption:
        return job
    made = with_scene(job, models.captioned(job.scene_file, job.painted.picture))
    announce(made, reporter, {*map(str, job.warnings), *job.notes, seed_note(job)})
    return made


def _render(
    job: Job,
    models: ModelHolder,
    order: Order,
    loading_began: float,
    reporter: Reporter,
    clobber: bool,
    look: Look | None,
) -> None:
    """Render one job; nothing of its model is held when it is done."""
    scene, painted = job.scene_file.scene, job.painted
    planner = models.planner(scene.model)
    backbone = planner.backbone
    told = models.told(backbone)
    count = len(order.painted(scene.frames))
    began = time.perf_counter()
    with (
        reporter.rendering(job.title, count, job.variation.values),
        open_outputs(
            job.targets,
            size=painted.size,
            output=scene.output,
            clobber=clobber,
            sound=sound_of(scene, painted, order),
        ) as outputs,
    ):
        plans = FramePlans(planner, scene, painted)
        schedule = schedule_of(plans.first, backbone, order, scene.frames)
        cells = _cells_a_slot(plans.first)
        reporter.detail(f"{job.title}: schedule {schedule}, {cells} cells a slot")
        delivery, decoding = _Delivery(job, count, outputs, reporter, look), Decoding(backbone)
        alone = count == 1 or may_wait(job.targets)
        skips, skipped = skips_of(plans, scene, order), 0
        with nullcontext(_at_once) if alone else behind() as do:
            frames = frames_of(plans, backbone, schedule, order, scene.frames, skips)
            for index, frame in standing(frames, order.painted(scene.frames)):
                text = picture_text(job, index, schedule, told)
                do(partial(delivery.take, index, decoding.begin(frame), text))
                skipped += index != frame.index
        _tell(job, outputs.finish(), reporter)
    seconds = time.perf_counter() - began
    first_seconds = delivery.first_at - began
    reporter.summary(
        Summary(
            job.title,
            count,
            seconds,
            first_seconds,
            began - loading_began,
            peak_bytes(),
            gpu_peak_bytes(backbone.device),
            skipped,
        )
    )


class _Delivery:
    """Writes a job's frames, and tells what is whole: by one thread at a time."""

    def __init__(
        self, job: Job, count: int, outputs: Outputs, reporter: Reporter, look: Look | None
    ) -> None:
        self._job, self._count = job, count
        self._outputs, self._reporter, self._look = outputs, reporter, look
        self._done = 0
        self.first_at = 0.0

    def take(self, index: int, photo: Callable[[], Photo], text: Mapping[str, str]) -> None:
        """Frame `index`, which may have to be waited for."""
        picture = photo()
        if self._look and not self._done:
            self._look(self._job, picture.seen)
        whole = self._outputs.add(index, picture, text)
        self.first_at = self.first_at or time.perf_counter()
        self._done += 1
        self._reporter.frame(self._job.title, self._done, self._count)
        _tell(self._job, whole, self._reporter)


def _at_once(work: Work) -> None:
    work()


def _cells_a_slot(plan: Plan) -> int:
    """Latent cells of the network rows of one frame in a slot, on average."""
    return round(plan.cells / plan.passes)


def schedule_of(plan: Plan, backbone: Backbone, order: Order, frames: int) -> str:
    """How so many frames are painted on a backbone: single or stream."""
    on_cpu = backbone.device.type == "cpu"
    return order.schedule_of(frames, _cells_a_slot(plan), on_cpu=on_cpu)


def frames_of(
    plans: FramePlans,
    backbone: Backbone,
    schedule: str,
    order: Order,
    frames: int,
    skips: Skips | None = None,
) -> Iterator[Frame]:
    """The frames that are asked for; each is the same as among all, to the last bit.

    For one that is skipped comes the one that stands for it.
    """
    run = single if schedule == "single" else stream
    if order.frame is None:
        yield from run(plans, backbone, frames, skips=skips)
        return
    wanted = order.painted(frames)
    first, last = (skips.shown(end) if skips else end for end in (wanted[0], wanted[-1]))
    whole = order.first is None and wanted[-1] < frames
    begin = max(order.first or 0, begin_of(skips, first, plans.first.passes))
    begin = first if run is single else begin
    count = frames - begin if whole else None
    for frame in run(plans, backbone, count, first=begin, skips=skips):
        if frame.index >= first:
            yield frame
        if frame.index == last:
            return


def _tell(job: Job, paths: Sequence[str], reporter: Reporter) -> None:
    for path in paths:
        reporter.result(job.title, path)


def memory_sentence(job: Job) -> AbstractContextManager[None]:
    """Turns running out of memory into a sentence that says what helps."""
    hint = "try a smaller --size, --schedule single, --low-memory, or --dtype fp16 on a GPU"
    return full_as_sentence(job.title, job.painted.size, hint)
