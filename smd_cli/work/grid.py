"""The sheet of many jobs: the first frame of each, side by side with what tells it from the others.

Columns are the last thing that varies, rows all else.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import groupby

from PIL import Image

from smd_cli.errors import UsageError
from smd_cli.output.conflicts import refuse_existing, refuse_inputs, refuse_same_file
from smd_cli.output.stills import Pixels
from smd_cli.output.targets import Target, plan_targets
from smd_cli.output.writers import open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.types import Output
from smd_cli.units import counted
from smd_cli.work.inputs import inputs_of
from smd_cli.work.job import Job
from smd_cli.work.sheet import Panel, Row, draw_sheet

_SIDE, _LEAST_SIDE = 320, 96  # of a panel in pixels
_ALL_PIXELS = 48_000_000  # of all panels
_BLANK = (232, 232, 232)


def sheet_target(out: str, jobs: Sequence[Job], *, clobber: bool) -> Target:
    """Where the sheet goes, which is one picture. Raises UsageError for what cannot be."""
    names = dict.fromkeys(job.scene_file.name for job in jobs)
    seed = jobs[0].scene_file.scene.seed
    [target] = plan_targets([out], scene_name="+".join(names), seed=seed, frames=1)
    if target.kind != "still":
        raise UsageError(f"--sheet takes a picture's name, not {out}", "--sheet sheet.png")
    try:
        refuse_same_file([*(t for job in jobs for t in job.targets), target])
    except UsageError as same:
        raise UsageError(f"--sheet and -o both want {out}", "give the sheet another name") from same
    read = (path for job in jobs for path in inputs_of(job.scene_file))
    refuse_inputs([target], read, reader="one of the scenes")
    if not clobber:
        refuse_existing([target])
    return target


class Grid:
    """Collects the pictures of jobs, reduced to panels, and draws them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        share = math.isqrt(_ALL_PIXELS // len(jobs))
        self._side = min(_SIDE, max(_LEAST_SIDE, share))
        self._images: dict[tuple[Target, ...], Image.Image] = {}  # by where the job's files go

    def take(self, job: Job, pixels: Pixels) -> None:
        """The picture (H, W, 3) of a job."""
        self._keep(job, Image.fromarray(pixels))

    def take_file(self, job: Job) -> None:
        """The picture of a job that was done before, from its first file."""
        target = job.targets[0]
        with Image.open(target.path(target.numbers[0])) as found:
            image = Image.new("RGBA", found.size, "white")
            image.alpha_composite(found.convert("RGBA"))
        self._keep(job, image.convert("RGB"))

    def _keep(self, job: Job, image: Image.Image) -> None:
        image.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        self._images[job.targets] = image

    def write(self, target: Target, reporter: Reporter, *, clobber: bool) -> None:
        """Write the sheet, and tell that it is whole."""
        page = self.page()
        size = (page.shape[1], page.shape[0])
        with open_outputs([target], size=size, output=Output(), clobber=clobber) as outputs:
            for path in outputs.add(0, page, {}):
                reporter.result("sheet", path)

    def page(self) -> Pixels:
        """The sheet (H, W, 3): a row for everything that varies but the last, which is columns."""
        rows = [self._row(list(group)) for _, group in groupby(self._jobs, _row_of)]
        return draw_sheet(self._title, rows)

    @property
    def _title(self) -> str:
        scenes = {job.scene_file.file for job in self._jobs}
        parts = [counted(len(scenes), "scene")] if len(scenes) > 1 else []
        for axis, name in enumerate(self._jobs[0].variation.names):
            values = {job.variation.changes[axis].value for job in self._jobs}
            parts.append(f"{len(values)} of {name}")
        return f"{counted(len(self._jobs), 'picture')}: {' x '.join(parts)}"

    def _row(self, jobs: Sequence[Job]) -> Row:
        first = jobs[0]
        lines = first.variation.lines[:-1]
        title = first.scene_file.name if first.variation.changes else "scenes"
        return Row(title, tuple(self._panel(job) for job in jobs), lines)

    def _panel(self, job: Job) -> Panel:
        labels = job.variation.labels
        caption = labels[-1] if labels else job.scene_file.name
        image = self._images.get(job.targets)
        if image is None:
            return Panel(self._blank(job), (caption, "failed"))
        return Panel(image, (caption,))

    def _blank(self, job: Job) -> Image.Image:
        image = Image.new("RGB", job.painted.size, _BLANK)
        image.thumbnail((self._side, self._side))
        return image


def _row_of(job: Job) -> Hashable:
    """What is the same for all jobs of a row."""
    if not job.variation.changes:
        return ()
    return job.scene_file.file, tuple(map(str, job.variation.changes[:-1]))
