"""The comparison that the published work opens with, for any scene and model.

Plain few-step averaging, each stabiliser added in turn (pre-averaging, bootstrapping, quantised
masks), and the slow baseline that they stand in for: MultiDiffusion with 50 DDIM steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import Frame, picture, single
from smd_cli.output.writers import open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import MULTIDIFFUSION, Bootstrap, Sampler, Scene
from smd_cli.work.job import Job, picture_text
from smd_cli.work.render import ModelHolder, memory_sentence, with_caption
from smd_cli.work.request import Machine

_MARGIN_PX, _TEXT_PX, _LINE_PX = 12, 14, 19


@dataclass(frozen=True)
class Variant:
    """One column of the sheet: its label and the scene as it is rendered for it."""

    label: str
    scene: Scene


@dataclass(frozen=True, eq=False)
class Shot:
    """A rendered variant: pixels (H, W, 3), the seconds it took, and its network rows."""

    label: str
    pixels: npt.NDArray[np.uint8]
    seconds: float
    rows: int


def variants(scene: Scene) -> tuple[Variant, ...]:
    """The ladder from the plain average to the scene's own sampler, the slow baseline first."""
    own = scene.sampler
    soft = own.mask_type if own.mask_type != "discrete" else "continuous"
    booted = own.bootstrap if own.bootstrap.steps else Bootstrap()
    plain = replace(
        own,
        preaverage=False,
        bootstrap=Bootstrap(steps=0),
        mask_type="discrete",
        blend_after="never",
    )
    averaged = replace(plain, preaverage=True)
    started = replace(averaged, bootstrap=booted)
    whole = replace(started, mask_type=soft, blend_after=own.blend_after)
    return (
        Variant("MultiDiffusion (50 DDIM steps)", _hard(scene, MULTIDIFFUSION)),
        Variant("few steps, plain average", _hard(scene, plain)),
        Variant("+ pre-averaging", _hard(scene, averaged)),
        Variant("+ bootstrapping", _hard(scene, started)),
        Variant("+ quantised masks", replace(scene, sampler=whole)),
    )


def _hard(scene: Scene, sampler: Sampler) -> Scene:
    """The scene with plain masks: no blur, and no alpha to act on time."""
    brushes = tuple(replace(brush, blur_px=0.0, alpha=1.0) for brush in scene.brushes)
    return replace(scene, sampler=sampler, brushes=brushes)


def compare(scene: Scene, painted: PaintedScene, backbone: Backbone) -> Iterator[Shot]:
    """Render frame 0 of every variant, after the last of them once to warm up, untimed."""
    planner = Planner(backbone)
    ladder = variants(scene)
    _render(planner, ladder[-1].scene, painted, backbone)
    for variant in ladder:
        began = time.perf_counter()
        plan, frame = _render(planner, variant.scene, painted, backbone)
        pixels = picture(frame, backbone)
        yield Shot(variant.label, pixels, time.perf_counter() - began, plan.rows)


def compare_job(job: Job, *, reporter: Reporter, machine: Machine, clobber: bool) -> None:
    """Render a job's scene in all variants and write the sheet to its target."""
    models = ModelHolder(machine, reporter)
    job = with_caption(job, models, reporter)
    scene = job.scene_file.scene
    backbone = models.get(scene.model)
    shots = []
    with memory_sentence(job), reporter.rendering(job.title, len(variants(scene))):
        for shot in compare(scene, job.painted, backbone):
            shots.append(shot)
            reporter.frame(job.title, len(shots), len(variants(scene)))
    for shot in shots:
        ratio = shots[0].seconds / shot.seconds
        reporter.shot(shot.label, shot.seconds, ratio, shot.rows)
    page = sheet(shots)
    size = (page.shape[1], page.shape[0])
    with open_outputs(job.targets, size=size, output=scene.output, clobber=clobber) as outputs:
        told = {"smd:command": "compare", **models.told(backbone)}
        for path in outputs.add(0, page, picture_text(job, 0, "single", told)):
            reporter.result(job.title, path)


def _render(
    planner: Planner, scene: Scene, painted: PaintedScene, backbone: Backbone
) -> tuple[Plan, Frame]:
    brushes = tuple(
        replace(layer, brush=brush)
        for layer, brush in zip(painted.brushes, scene.active, strict=True)
    )
    plan = planner.plan(scene, brushes, painted.size, painted.picture)
    return plan, next(single(lambda _: plan, backbone, 1))


def sheet(shots: Sequence[Shot]) -> npt.NDArray[np.uint8]:
    """The shots side by side, each with its label, seconds, rows and how much faster it was."""
    height, width = shots[0].pixels.shape[:2]
    font = ImageFont.load_default(_TEXT_PX)
    cell = max(width, *(int(font.getlength(shot.label)) for shot in shots)) + _MARGIN_PX
    size = (len(shots) * cell + _MARGIN_PX, height + 2 * _MARGIN_PX + 3 * _LINE_PX)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for column, shot in enumerate(shots):
        left = _MARGIN_PX + column * cell
        page.paste(Image.fromarray(shot.pixels), (left, _MARGIN_PX))
        ratio = shots[0].seconds / shot.seconds
        lines = (shot.label, f"{shot.seconds:.2f} s, {shot.rows} rows", f"{ratio:.1f}x as fast")
        for row, line in enumerate(lines):
            top = height + 2 * _MARGIN_PX + row * _LINE_PX
            draw.text((left, top), line, fill="black", font=font)
    return np.asarray(page)
