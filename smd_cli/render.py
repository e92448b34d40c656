"""From prepared jobs to files: load the model, run the stream, hand frames to the writers."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from smd_cli.backbone.load import load_backbone
from smd_cli.backbone.memory import is_full
from smd_cli.engine.plan import Planner
from smd_cli.engine.stream import picture, single, stream
from smd_cli.errors import SmdError
from smd_cli.hub_cache import downloads_of
from smd_cli.jobs import Job, picture_text
from smd_cli.output.writers import open_outputs
from smd_cli.pull import bring
from smd_cli.report import Reporter, Summary
from smd_cli.request import AUTO, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smd_cli.backbone.contract import Backbone
    from smd_cli.scene.model import ModelRef


class Models:
    """Loads what jobs ask for and keeps the last model, so that a batch loads it once."""

    def __init__(self, machine: Machine, reporter: Reporter) -> None:
        self._machine, self._reporter = machine, reporter
        self._loaded: tuple[ModelRef, Backbone] | None = None

    def get(self, model: ModelRef) -> Backbone:
        """The backbone of a model."""
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = None
            bring(downloads_of(model), self._reporter)
            with self._reporter.loading(model.name):
                on = self._machine
                loaded = load_backbone(model, on.device, on.dtype, low_memory=on.low_memory)
                self._loaded = (model, loaded)
        return self._loaded[1]


def render_jobs(
    jobs: Sequence[Job],
    *,
    reporter: Reporter,
    began: float,
    machine: Machine = AUTO,
    schedule: str = "auto",
    clobber: bool = True,
) -> None:
    """Render all jobs in order. `began`: `time.perf_counter()` when the heavy imports started.

    Raises SmdError (model, memory, files); files that are whole by then stay.
    """
    models = Models(machine, reporter)
    for job in jobs:
        with memory_sentence(job):
            backbone = models.get(job.scene_file.scene.model)
            load_seconds = time.perf_counter() - began
            _render(job, backbone, schedule, load_seconds, reporter, clobber)
        began = time.perf_counter()


def _render(
    job: Job,
    backbone: Backbone,
    schedule: str,
    load_seconds: float,
    reporter: Reporter,
    clobber: bool,
) -> None:
    scene, painted = job.scene_file.scene, job.painted
    order = schedule if schedule != "auto" else "stream" if scene.frames > 1 else "single"
    began, first_seconds = time.perf_counter(), 0.0
    with (
        reporter.rendering(job.title, scene.frames),
        open_outputs(
            job.targets, size=painted.size, output=scene.output, clobber=clobber
        ) as outputs,
    ):
        plan = Planner(backbone).plan(scene, painted.brushes, painted.size, painted.picture)
        run = single if order == "single" else stream
        for frame in run(lambda: plan, backbone, scene.frames):
            pixels = picture(frame, backbone)
            whole = outputs.add(frame.index, pixels, picture_text(job, frame.index, order))
            first_seconds = first_seconds or time.perf_counter() - began
            reporter.frame(job.title, frame.index + 1, scene.frames)
            _tell(job, whole, reporter)
        _tell(job, outputs.finish(), reporter)
    seconds = time.perf_counter() - began
    reporter.summary(
        Summary(
            job.title,
            scene.frames,
            seconds,
            first_seconds,
            load_seconds,
            peak_memory_bytes(),
            gpu_peak_bytes(backbone.device),
        )
    )


def _tell(job: Job, paths: Sequence[str], reporter: Reporter) -> None:
    for path in paths:
        reporter.result(job.title, path)


@contextmanager
def memory_sentence(job: Job) -> Iterator[None]:
    """Turns running out of memory into a sentence that says what helps."""
    try:
        yield
    except (MemoryError, RuntimeError) as full:
        if not is_full(full):
            raise
        width, height = job.painted.size
        raise SmdError(
            f"{job.title}: out of memory at {width}x{height}",
            "try a smaller --size, --schedule single, --low-memory, or --dtype fp16 on a GPU",
        ) from full


def peak_memory_bytes() -> int | None:
    """The largest memory of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def gpu_peak_bytes(device: torch.device) -> int | None:
    """The largest memory taken on a CUDA device; None elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
