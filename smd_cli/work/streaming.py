"""Models, pictures and streams for Python: what `smd_cli.work.api` gives. Threads may share them.

A model paints for one caller at a time; others wait. Nothing in here needs the main thread or an
event loop, or stands in the way of one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from PIL import Image

from smd_cli.backbone.quiet import quiet
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import finished
from smd_cli.engine.stream import stream as engine_stream
from smd_cli.errors import UsageError
from smd_cli.models.ref import ModelRef
from smd_cli.output.atomic import write_whole
from smd_cli.output.origin import with_origin
from smd_cli.output.stills import encode_still
from smd_cli.output.targets import FORMATS
from smd_cli.output.writers import open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import SceneFile
from smd_cli.work.api import Changes, SceneLike, load_scene, with_facts
from smd_cli.work.job import Job, job_of, picture_text, prepared
from smd_cli.work.motion import FramePlans
from smd_cli.work.render import ModelHolder, frames_of, memory_sentence, schedule_of, with_caption
from smd_cli.work.request import AUTO, Machine, Order, Request

_STILLS = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True, eq=False)
class Rendered:
    """A frame: its number from 0, its picture, and the texts from which it can be painted again.

    `mixed`: it was begun by another scene (``blend=True``). `scene_file`: as the scene calls it.
    """

    index: int
    photo: Photo
    text: Mapping[str, str]
    mixed: bool = False
    scene_file: str = ""

    @property
    def image(self) -> Image.Image:
        """The picture as Pillow has it: RGB, or RGBA where the scene's own picture is."""
        return Image.fromarray(self.photo.in_8_bits)

    def save(self, path: str | Path, quality: int = 90) -> None:
        """Write it as .png, .jpg or .webp, whole or not at all; a PNG tells how it was made.

        Raises UsageError for another format, SmdError where it cannot be written.
        """
        kind = FORMATS.get(Path(path).suffix.lower())
        if kind not in _STILLS:
            raise UsageError(f"{path}: a frame is saved as .png, .jpg or .webp")
        told = with_origin(self.text, self.scene_file, Path(path))
        data = encode_still(self.photo, kind, quality, told)
        write_whole(Path(path), data, clobber=True, make_folder=False)

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        return encode_still(self.photo, "PNG", 100, {})


class Model:
    """A model that stays in memory for as long as this object is used: see `open_model`."""

    def __init__(
        self, ref: ModelRef, machine: Machine = AUTO, written: str | Changes | None = None
    ) -> None:
        """Load it. `written`: what a scene's `model:` says that shall be painted by it.

        Without that only scenes of this very model are. Raises SmdError.
        """
        self._ref, self._written = ref, written
        self._lock = threading.RLock()
        self._holder = ModelHolder(machine, Reporter(quiet=True))
        with quiet():
            self._holder.planner(ref)

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self._ref.name

    @property
    def device(self) -> str:
        """Where it is: cpu, cuda:0, mps:0."""
        return str(self._holder.get(self._ref).device)

    def fitted(self, file: SceneFile) -> SceneFile:
        """A scene as it is painted by this model. Raises UsageError where it is by another one."""
        if file.scene.model == self._ref:
            return file
        if self._written is None:
            message = f"the scene's model is {file.scene.model.name}, and this one is {self.name}"
            raise UsageError(message, "open_model opens a model that paints any scene")
        return load_scene(file, {"model": self._written})

    @contextmanager
    def working(self, job: Job) -> Iterator[ModelHolder]:
        """The model for one job, which no other thread has meanwhile."""
        with self._lock, memory_sentence(job):
            yield self._holder


def opened_model(written: str | Changes, machine: Machine) -> Model:
    """The model that a scene's `model:` means; the hub is asked what it is like where it must be.

    Raises SmdError.
    """
    file = load_scene({"model": written, "background": "a picture"})
    return Model(with_facts(file).scene.model, machine, written)


def rendered(
    file: SceneFile, model: Model, outs: Sequence[str], order: Order, *, clobber: bool
) -> tuple[Rendered, ...]:
    """The frames that are asked for, written to `outs` as well. Raises SmdError."""
    request = Request((), outs, clobber=clobber, order=order)
    job = _job(model.fitted(file), request)
    with model.working(job) as models:
        job = with_caption(job, models, Reporter(quiet=True))
        scene, size = job.scene_file.scene, job.painted.size
        with open_outputs(job.targets, size=size, output=scene.output, clobber=clobber) as outputs:
            frames = []
            for frame in _painted(job, models, order):
                outputs.add(frame.index, frame.photo, frame.text)
                frames.append(frame)
    return tuple(frames)


def _job(file: SceneFile, request: Request) -> Job:
    """A scene with its paint and where its frames go: nowhere where a request names nothing."""
    request.order.refuse_past_end(file.scene.frames)
    if request.outs:
        [job] = prepared([file], request)
        return job
    return job_of(file, read_pictures(file), ())


def _painted(job: Job, models: ModelHolder, order: Order) -> Iterator[Rendered]:
    scene = job.scene_file.scene
    planner = models.planner(scene.model, [scene])
    backbone, told = planner.backbone, models.told(planner.backbone)
    plans = FramePlans(planner, scene, job.painted)
    schedule = schedule_of(plans.first, backbone, order, scene.frames)
    for frame in frames_of(plans, backbone, schedule, order, scene.frames):
        text = picture_text(job, frame.index, schedule, told)
        photo = finished(frame, backbone)
        yield Rendered(frame.index, photo, text, scene_file=job.scene_file.file)


class Stream:
    """Frames of a scene one after another, by `for` or `async for`: see `smd_cli.stream`.

    It may be iterated in one thread, and updated and closed in another. A frame is painted when it
    is asked for; what is under way then are the frames that share network calls with it.
    """

    def __init__(
        self, file: SceneFile, model: Model, *, frames: int | None = None, blend: bool = False
    ) -> None:
        """Plan the first frame. Raises SmdError."""
        self._model, self._lock = model, threading.RLock()
        self._job, self._plans = self._planned(file)
        with model.working(self._job) as models:
            backbone = models.planner(self._job.scene_file.scene.model).backbone
            self._backbone, self._told = backbone, models.told(backbone)
        self._frames = engine_stream(self._plan, backbone, frames, blend=blend)

    @property
    def scene(self) -> SceneFile:
        """What is painted now."""
        return self._job.scene_file

    def update(self, scene: SceneLike | None = None, changes: Changes | None = None) -> SceneFile:
        """Paint another scene from the next frame on; None: the present one with changes.

        The new one has the same model; a random seed stays as it was drawn. Gives the scene.
        Raises SmdError, and then all goes on as before.
        """
        file = load_scene(self.scene if scene is None else scene, changes)
        if file.scene.seed_was_random and self.scene.scene.seed_was_random:
            file = replace(file, scene=replace(file.scene, seed=self.scene.scene.seed))
        with self._lock:
            self._job, self._plans = self._planned(file)
        return self.scene

    def close(self) -> None:
        """End it; what asks for another frame gets none."""
        with self._lock:
            self._frames = iter(())

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Rendered:
        with self._lock, self._model.working(self._job):
            frame = next(self._frames)
            order = "single" if frame.began is None else f"stream:{frame.began}"
            mixed = {"smd:mixed": "two scenes"} if frame.mixed else {}
            text = picture_text(self._job, frame.index, order, {**self._told, **mixed})
            photo = finished(frame, self._backbone)
            return Rendered(frame.index, photo, text, frame.mixed, self.scene.file)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Rendered:
        """The next frame, painted in a thread: the event loop goes on."""
        found: Rendered | None = await asyncio.to_thread(next, self, None)
        if found is None:
            raise StopAsyncIteration
        return found

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _plan(self, frame: int) -> Plan:
        return self._plans(frame)

    def _planned(self, file: SceneFile) -> tuple[Job, FramePlans]:
        """A scene with the plans of its frames by this stream's model."""
        job = _job(self._model.fitted(file), Request(()))
        with self._model.working(job) as models:
            job = with_caption(job, models, Reporter(quiet=True))
            scene = job.scene_file.scene
            return job, FramePlans(models.planner(scene.model), scene, job.painted)
