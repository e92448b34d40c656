"""What a scene will do, told without a model: `smd check`, and the warnings of every command.

Runs the very functions that rendering uses, from the mask files to the weight per slot.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from smd_cli.engine.crop import Crop, cropped_brushes, scene_crop
from smd_cli.engine.layers import SoftMasks, refuse_padding, rules_of
from smd_cli.engine.repaint import REFINED, ground_slot, half_of, refined_slot
from smd_cli.engine.schedule import StepTable, planned_table, refuse_noise_alone
from smd_cli.errors import KeyPath, Problem, SceneError, UsageError
from smd_cli.models.facts import ModelDefaults, read_defaults
from smd_cli.scene.files import read_pictures
from smd_cli.scene.paint.boxes import FULL
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.paint.pictures import dimensions
from smd_cli.scene.types import Background, Scene, SceneFile, Wrap
from smd_cli.units import counted, printable, shortened
from smd_cli.work.advice.along import Look, looked_at, scene_in, warnings_along
from smd_cli.work.advice.effort import Effort, effort_of, multiple_of
from smd_cli.work.advice.films import film_warnings, films
from smd_cli.work.advice.fit import fit_warnings
from smd_cli.work.advice.idle import idle_keys
from smd_cli.work.advice.layers import Box, Layer, Layers, box_of, see_layers
from smd_cli.work.advice.masks import mask_warnings
from smd_cli.work.advice.motion import motion_warnings, timelines
from smd_cli.work.advice.prompts import prompt_warnings
from smd_cli.work.advice.tiled import tiled_warnings

# Where a scene says which timesteps its slots have.
_SLOTS: tuple[KeyPath, ...] = tuple(
    ("sampler", key) for key in ("timesteps", "steps", "preset", "method")
)

_ALONG = {"x": "left to right", "y": "top to bottom", "both": "both ways"}


@dataclass(frozen=True)
class BrushReport:
    """One brush: `coverage` 0..1 of the canvas, `box` (x, y, w, h) in px around all paint (None
    where there is none), `slots` the number of denoising slots in which it has any weight.
    `repaint` 0..1: how much of what lies under it is painted anew.
    """

    number: int
    label: str
    prompt: str
    sources: tuple[str, ...]
    coverage: float
    box: Box | None
    slots: int
    repaint: float


@dataclass(frozen=True)
class Report:
    """A checked scene. `as_sd15`: the model is not on disk, and what SD 1.5 is like stands in;
    `part`: what of a large picture is generated, None where it is the whole canvas as it is;
    `repainted`: in how many slots its picture is painted anew, None where none is; `doubtful`: some
    of the warnings are about masks, which `smd masks` shows; `motion`: what changes from one frame
    to the next, a line for each brush; `draft`: the size of what is painted first, and the slot
    from which on all is refined, from 0, None where nothing is. All else is as the first frame has
    it.
    """

    file: str
    size: tuple[int, int]
    wrap: Wrap
    model: str
    as_sd15: bool
    sigmas: tuple[float, ...]
    brushes: tuple[BrushReport, ...]
    muted: tuple[str, ...]
    background: str
    repainted: int | None
    uncovered: float
    effort: Effort
    warnings: tuple[Problem, ...]
    part: Crop | None = None
    doubtful: bool = False
    motion: tuple[str, ...] = ()
    draft: tuple[tuple[int, int], int] | None = None

    def lines(self) -> tuple[str, ...]:
        """The report as plain text with aligned columns, one string a line, nothing wrapped."""
        levels = " ".join(f"{sigma:.3f}" for sigma in self.sigmas)
        stand_in = " as for SD 1.5, its files are not here" if self.as_sd15 else ""
        wraps = "" if self.wrap == "none" else f", wraps {_ALONG[self.wrap]}"
        file, model = printable(self.file), printable(self.model)
        head = f"{file}: {dimensions(self.size)} px{wraps}, model {model}, "
        head += f"{counted(len(self.sigmas), 'slot')}{stand_in} (noise {levels})"
        anew = "" if self.repainted is None else f"{self.repainted} of {len(self.sigmas)}"
        last = ("(uncovered)", _percent(self.uncovered), "", anew, self.background, "")
        titles = ("brush", "painted", "box", "acts in", "prompt", "mask")
        rows = [titles, *(self._row(brush) for brush in self.brushes), last]
        muted = [f"  muted: {', '.join(printable(label) for label in self.muted)}"]
        part = [] if self.part is None else [f"  {_part(self.part, self.size)}"]
        draft = [] if self.draft is None else [f"  {self._refined(*self.draft)}"]
        motion = [f"  {line}" for line in self.motion]
        work = [] if self.draft else [f"  {self.effort}"]  # which is that of one pass
        rest = (*motion, *(muted if self.muted else []), *work)
        return (head, *part, *draft, *_aligned(rows), *rest)

    def _refined(self, size: tuple[int, int], slot: int) -> str:
        later = " ".join(f"{sigma:.3f}" for sigma in self.sigmas[slot:])
        return f"refined: all slots at {dimensions(size)} first, then at full size those of {later}"

    def _row(self, brush: BrushReport) -> tuple[str, ...]:
        box = "{2}x{3} at {0},{1}".format(*brush.box) if brush.box else "-"
        acts = f"{brush.slots} of {len(self.sigmas)}"
        acts += f", repaint {brush.repaint:g}" if brush.repaint < 1 else ""
        mask = " + ".join(printable(source) for source in brush.sources)
        return (printable(brush.label), _percent(brush.coverage), box, acts, brush.prompt, mask)

    def as_json(self) -> dict[str, Any]:
        """The report for machines: the fields as they are, warnings with their addresses."""
        return {
            "file": self.file,
            "size": list(self.size),
            "wrap": self.wrap,
            "model": self.model,
            "noise_as_for": "SD 1.5" if self.as_sd15 else None,
            "sigmas": list(self.sigmas),
            "brushes": [asdict(brush) for brush in self.brushes],
            "muted": list(self.muted),
            "background": self.background,
            "repainted": self.repainted,
            "uncovered": self.uncovered,
            "part": asdict(self.part) if self.part else None,
            "motion": list(self.motion),
            "draft": [*self.draft] if self.draft else None,
            "work": None if self.draft else self.effort.as_json(),
            "warnings": [
                {**asdict(w.place), "severity": w.severity, "message": w.message, "hint": w.hint}
                for w in self.warnings
            ],
        }


def check_scene(
    scene_file: SceneFile,
    painted: PaintedScene | None = None,
    soft_masks: SoftMasks | None = None,
) -> Report:
    """Follow a scene's masks through the step table. Raises SceneError.

    `painted` spares painting the scene once more, `soft_masks` what was worked out before.
    """
    scene = scene_file.scene
    painted = painted or read_pictures(scene_file)
    defaults = read_defaults(scene.model)
    _refuse_clip_skip(scene_file, defaults)
    sampler = scene.sampler
    table = _table(scene_file, defaults, painted.size)
    _refuse_wrap(scene_file, painted.size, defaults)
    _refuse_refine(scene_file, table)
    soft_masks = SoftMasks() if soft_masks is None else soft_masks
    crop, seen = as_generated(painted, scene, defaults, soft_masks)
    multiple = multiple_of(defaults)
    rules = rules_of(seen.brushes, seen.size, sampler, defaults.factor, multiple, scene.wraps)
    layers = see_layers(seen, scene, table, rules, soft_masks)

    def look(frame: int) -> Look:
        if len(frames) == 1:
            return Look(frame, seen.size, layers.layers)
        _, own = as_generated(scene_in(painted, frame), scene, defaults, soft_masks)
        wide = rules_of(own.brushes, own.size, sampler, defaults.factor, multiple, scene.wraps)
        return Look(frame, own.size, see_layers(own, scene, table, wide, soft_masks).layers)

    frames = looked_at(scene_file, painted)
    along = warnings_along(scene_file, [look(frame) for frame in frames], table, defaults.factor)
    of_masks = [*mask_warnings(scene_file, seen, layers.layers), *along]
    part_px, canvas_px = math.prod(crop.extent), math.prod(painted.size)
    effort = effort_of(scene, seen.brushes, rules, table, defaults, soft_masks)
    of_tiles = [*tiled_warnings(scene_file, seen, table, defaults, effort)]
    return Report(
        file=scene_file.file,
        size=painted.size,
        wrap=scene.wrap,
        model=scene.model.name,
        as_sd15=not defaults.known and defaults.spacing is None,
        sigmas=table.sigmas,
        brushes=tuple(
            _brush_report(p, layer) for p, layer in zip(painted.brushes, layers.layers, strict=True)
        ),
        muted=tuple(b.label for b in scene.brushes if not b.enabled),
        background=_background(scene_file),
        repainted=_repainted(scene_file, table),
        uncovered=1 - (1 - layers.uncovered) * part_px / canvas_px,
        effort=effort,
        warnings=_warnings(
            scene_file, seen, table, layers, defaults, [*of_masks, *of_tiles], crop.scale
        ),
        part=None if crop == Crop.whole(painted.size) else crop,
        doubtful=bool(of_masks),
        motion=(*timelines(scene), *films(painted)),
        draft=(half_of(painted.size), refined_slot(table)) if sampler.refine > 1 else None,
    )


def as_generated(
    painted: PaintedScene, scene: Scene, defaults: ModelDefaults, soft_masks: SoftMasks
) -> tuple[Crop, PaintedScene]:
    """The part of the canvas that is generated, and the scene as it lies on that."""
    if painted.picture is None or scene.background.repainted:
        return Crop.whole(painted.size), painted
    native_px = max(defaults.native_size)
    crop = scene_crop(scene, painted.brushes, painted.size, native_px)
    with soft_masks.cuts.round():
        brushes = cropped_brushes(painted.brushes, crop, soft_masks.cuts)
    return crop, replace(painted, size=crop.size, brushes=brushes)


def _refuse_clip_skip(scene_file: SceneFile, defaults: ModelDefaults) -> None:
    """Raise SceneError where no layer of a text encoder would be left."""
    skip, layers = scene_file.scene.model.clip_skip, defaults.text_layers
    if layers and skip >= layers:
        message = f"clip_skip leaves out {skip} of the {counted(layers, 'layer')} that there are"
        place = scene_file.place("model", "clip_skip")
        raise SceneError([Problem(place, message, "leave one at least")])


def _refuse_wrap(scene_file: SceneFile, size: tuple[int, int], defaults: ModelDefaults) -> None:
    """Raise SceneError where a canvas (W, H) cannot go on at its other end."""
    scene, place = scene_file.scene, scene_file.place("wrap")
    if any(scene.wraps) and scene.sampler.guidance.type == "initialize":
        message = "wrap does not go with guidance: initialize, whose rows see the whole canvas"
        raise SceneError([Problem(place, message, "guidance: self and full go with it")])
    try:
        refuse_padding(scene.model.name, size, defaults.multiple or 1, scene.wraps)
    except UsageError as wrong:
        raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong


def _refuse_refine(scene_file: SceneFile, table: StepTable) -> None:
    """Raise SceneError where a canvas cannot be painted at half size first."""
    scene = scene_file.scene
    if scene.sampler.refine == 1:
        return
    message = hint = ""
    if scene.background.image is not None:
        message = "refine does not go with background.image"
        hint = "a scene of its own can paint into what this one paints"
    elif any(scene.wraps):
        message, hint = "refine does not go with wrap", "wrap: none can be refined"
    elif scene.sampler.method == "multidiffusion":
        message, hint = "refine does not go with method: multidiffusion", "method: stream has it"
    elif refined_slot(table) == table.slots:
        message = f"refine needs a slot with noise of at most {REFINED:g}: the last here has "
        message += f"{table.sigmas[-1]:.3f}"
        hint = "more steps, or timesteps that go lower, have one"
    if message:
        raise SceneError([Problem(scene_file.place("sampler", "refine"), message, hint)])


def _table(scene_file: SceneFile, defaults: ModelDefaults, size: tuple[int, int]) -> StepTable:
    """The slots of a scene on a canvas (W, H).

    Raises SceneError, where they are said, for those that a model has not, and for one whose x0
    cannot be told.
    """
    scene = scene_file.scene
    try:
        table = planned_table(scene.sampler, defaults, size)
        refuse_noise_alone(scene.model.name, table)
        return table
    except UsageError as wrong:
        path = next((path for path in _SLOTS if path in scene_file.places), ("model",))
        raise SceneError([Problem(scene_file.place(*path), wrong.message, wrong.hint)]) from wrong


def _brush_report(painted: Painted, layer: Layer) -> BrushReport:
    brush, paint = painted.brush, painted.paint
    return BrushReport(
        number=brush.number,
        label=brush.label,
        prompt=brush.prompt,
        sources=painted.sources,
        coverage=paint.sum / FULL / math.prod(paint.size),
        box=box_of(paint),
        slots=layer.slots,
        repaint=brush.repaint,
    )


def _background(scene_file: SceneFile) -> str:
    """What shows where no brush paints."""
    below = scene_file.scene.background
    if below.repainted:
        return f"{below.image_written}, repaint {below.repaint:g}: {_words(below)}"
    if below.image is not None:
        auto = f": {_words(below)}" if below.captioner else ""
        return below.image_written + auto
    if below.prompt is not None:
        return below.prompt
    return "white" if below.color == (255, 255, 255) else "rgb({},{},{})".format(*below.color)


def _words(background: Background) -> str | None:
    """The prompt of a background, or who is asked for it."""
    asked = background.wants_caption and background.captioner
    return f"(a caption by {asked.name})" if asked else background.prompt


def _repainted(scene_file: SceneFile, table: StepTable) -> int | None:
    """In how many slots the background's picture is painted anew."""
    below = scene_file.scene.background
    return table.slots - ground_slot(below, table) if below.repainted else None


# Warnings


def _warnings(
    scene_file: SceneFile,
    painted: PaintedScene,
    table: StepTable,
    layers: Layers,
    defaults: ModelDefaults,
    others: Sequence[Problem],
    scale: float,
) -> tuple[Problem, ...]:
    """Everything about a scene that is legal but hardly meant, in the order of the file.

    `painted` and `layers` are as they are generated, at a `scale` of the canvas.
    """
    found = [
        *scene_file.warnings,
        *painted.warnings,
        *idle_keys(
            scene_file, defaults, table, layers.layers, painted.picture, shows=bool(painted.reels)
        ),
        *film_warnings(scene_file, painted),
        *prompt_warnings(scene_file, defaults),
        *fit_warnings(scene_file, painted.size, table, defaults, layers.layers, scale),
        *others,
        *motion_warnings(scene_file),
    ]
    unique = dict.fromkeys(replace(problem, severity="warning") for problem in found)
    return tuple(sorted(unique, key=_rank))


def _rank(problem: Problem) -> tuple[bool, int, int]:
    """By line and column; options, which have no line, come last."""
    return not problem.place.line, problem.place.line, problem.place.column


# Text


def _part(crop: Crop, size: tuple[int, int]) -> str:
    """Which part of a picture of a size the model paints, and how large."""
    text = f"generated: {dimensions(crop.extent)} at {crop.left},{crop.top}, the rest is kept"
    text = "generated: the whole picture" if crop.extent == size else text
    return text + (f"; painted as {dimensions(crop.size)}" if crop.size != crop.extent else "")


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def _cells(text: str) -> int:
    """How many terminal cells a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of cells as lines: columns aligned, the second (a percentage) to the right."""
    table = [(*row[:4], shortened(row[4]), row[5]) for row in rows]
    widths = [max(_cells(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        gaps = [" " * (width - _cells(c)) for c, width in zip(row, widths, strict=True)]
        cells = [c + gap for c, gap in zip(row, gaps, strict=True)]
        cells[1] = gaps[1] + row[1]
        yield "  " + "  ".join(cells).rstrip()
