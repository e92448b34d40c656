"""What a scene will do, told without a model: `smd check`, and the warnings of every command.

Runs the very functions that rendering uses, from the mask files to the weight per slot.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from smd_cli.engine.layers import layer_weights, padded_paint
from smd_cli.engine.masks import Array
from smd_cli.engine.schedule import StepTable, step_table, table_for
from smd_cli.errors import Problem
from smd_cli.models import ModelDefaults, read_defaults
from smd_cli.scene.model import Brush, Sampler, SceneFile
from smd_cli.scene.paint import Painted, PaintedScene, paint_scene
from smd_cli.scene.pictures import dimensions, quote

Box = tuple[int, int, int, int]

SMALL_CELLS = 4  # a brush smaller than this many latent cells is warned about
_HIDDEN_SHARE = 0.9  # of a brush's paint, under later brushes
_SOLID = 0.99  # paint that reaches this is not weak anywhere that counts
_SHOWN_PROMPT = 40  # characters of a prompt in the table


@dataclass(frozen=True)
class BrushReport:
    """One brush: `coverage` 0..1 of the canvas, `box` (x, y, w, h) in px around all paint (None
    where there is none), `slots` the number of denoising slots in which it has any weight.
    """

    number: int
    label: str
    prompt: str
    sources: tuple[str, ...]
    coverage: float
    box: Box | None
    slots: int


@dataclass(frozen=True)
class Report:
    """A checked scene. `as_sd15`: the model is not on disk, and SD 1.5's noise levels stand in."""

    file: str
    size: tuple[int, int]
    model: str
    as_sd15: bool
    sigmas: tuple[float, ...]
    brushes: tuple[BrushReport, ...]
    muted: tuple[str, ...]
    background: str
    uncovered: float
    warnings: tuple[Problem, ...]

    def lines(self) -> tuple[str, ...]:
        """The report as plain text with aligned columns, one string a line, nothing wrapped."""
        levels = " ".join(f"{sigma:.3f}" for sigma in self.sigmas)
        stand_in = " as for SD 1.5" if self.as_sd15 else ""
        head = f"{_plain(self.file)}: {dimensions(self.size)} px, model {_plain(self.model)}, "
        head += f"{_count(len(self.sigmas), 'slot')}{stand_in} (noise {levels})"
        last = ("(uncovered)", _percent(self.uncovered), "", "", self.background, "")
        titles = ("brush", "painted", "box", "acts in", "prompt", "mask")
        rows = [titles, *(self._row(brush) for brush in self.brushes), last]
        muted = [f"  muted: {', '.join(_plain(label) for label in self.muted)}"]
        return (head, *_aligned(rows), *(muted if self.muted else []))

    def _row(self, brush: BrushReport) -> tuple[str, ...]:
        box = "{2}x{3} at {0},{1}".format(*brush.box) if brush.box else "-"
        acts = f"{brush.slots} of {len(self.sigmas)}"
        mask = " + ".join(_plain(source) for source in brush.sources)
        return (_plain(brush.label), _percent(brush.coverage), box, acts, brush.prompt, mask)

    def as_json(self) -> dict[str, Any]:
        """The report for machines: the fields as they are, warnings with their addresses."""
        return {
            "file": self.file,
            "size": list(self.size),
            "model": self.model,
            "noise_as_for": "SD 1.5" if self.as_sd15 else None,
            "sigmas": list(self.sigmas),
            "brushes": [asdict(brush) for brush in self.brushes],
            "muted": list(self.muted),
            "background": self.background,
            "uncovered": self.uncovered,
            "warnings": [
                {**asdict(w.place), "severity": w.severity, "message": w.message, "hint": w.hint}
                for w in self.warnings
            ],
        }


def check_scene(scene_file: SceneFile, painted: PaintedScene | None = None) -> Report:
    """Follow a scene's masks through the step table. Raises SceneError.

    `painted` spares painting the scene once more.
    """
    scene = scene_file.scene
    painted = painted or paint_scene(scene_file)
    defaults = read_defaults(scene.model)
    sampler = scene.sampler
    table = table_for(
        sampler,
        lambda steps, taus: step_table(
            defaults.scheduler, steps=steps, timesteps=taus, consistency=defaults.consistency
        ),
    )
    paint = padded_paint(painted.brushes, painted.size, defaults.factor)
    weights = tuple(layer_weights(painted.brushes, paint, sampler, table, defaults.factor))
    return Report(
        file=scene_file.file,
        size=painted.size,
        model=scene.model.name,
        as_sd15=not defaults.known,
        sigmas=table.sigmas,
        brushes=tuple(
            _brush_report(p, own) for p, own in zip(painted.brushes, weights, strict=True)
        ),
        muted=tuple(b.label for b in scene.brushes if not b.enabled),
        background=_background(scene_file),
        uncovered=_uncovered(painted.brushes),
        warnings=warnings_of(scene_file, painted, table, weights),
    )


def _acting_slots(weights: Array) -> int:
    """In how many slots a brush with weights (T, …) acts at all."""
    return int(weights.reshape(len(weights), -1).any(axis=1).sum())


def _brush_report(painted: Painted, weights: Array) -> BrushReport:
    brush = painted.brush
    return BrushReport(
        number=brush.number,
        label=brush.label,
        prompt=brush.prompt,
        sources=painted.sources,
        coverage=float(painted.paint.mean()),
        box=_box(painted.paint),
        slots=_acting_slots(weights),
    )


def _box(paint: Array) -> Box | None:
    """The smallest box (x, y, w, h) around everything painted at all."""
    rows, columns = np.flatnonzero(paint.any(axis=1)), np.flatnonzero(paint.any(axis=0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def _uncovered(painted: Sequence[Painted]) -> float:
    """The share of the canvas, 0..1, that no brush paints."""
    if not painted:
        return 1.0
    return float(1 - np.maximum.reduce([p.paint for p in painted]).mean())


def _background(scene_file: SceneFile) -> str:
    """What shows where no brush paints."""
    below = scene_file.scene.background
    if below.image is not None:
        return below.image_written
    if below.prompt is not None:
        return below.prompt
    return "white" if below.color == (255, 255, 255) else "rgb({},{},{})".format(*below.color)


# Warnings


def warnings_of(
    scene_file: SceneFile, painted: PaintedScene, table: StepTable, weights: Sequence[Array]
) -> tuple[Problem, ...]:
    """Everything about a scene that is legal but hardly meant, in the order of the file.

    `weights`: (T, …) for every painted brush, in the same order.
    """
    scene = scene_file.scene
    defaults = read_defaults(scene.model)
    found = [
        *painted.warnings,
        *_idle_keys(scene_file, defaults),
        *_unknown_words(scene_file, defaults),
        *_guessed_sampler(scene_file, table, defaults),
    ]
    for index, own in enumerate(weights):
        acting, layers = _acting_slots(own), painted.brushes[index:]
        found += _mask_warnings(scene_file, layers, defaults.factor)
        if 2 * acting <= table.slots and layers[0].paint.any() and not _hidden(layers):
            found.append(_slot_warning(scene_file, layers, table, defaults.factor, acting))
    unique = dict.fromkeys(replace(problem, severity="warning") for problem in found)
    return tuple(sorted(unique, key=_rank))


def _rank(problem: Problem) -> tuple[bool, int, int]:
    """By line and column; options, which have no line, come last."""
    return not problem.place.line, problem.place.line, problem.place.column


def _mask_warnings(
    scene_file: SceneFile, layers: Sequence[Painted], factor: int
) -> Iterator[Problem]:
    """Whether the first layer paints nothing, next to nothing, or only where later ones lie."""
    first = layers[0]
    place = scene_file.place("brushes", first.brush.number - 1, "mask")
    name, area_px = quote(first.brush.label), float(first.paint.sum())
    if not area_px:
        hint = "invert: true swaps painted and unpainted"
        yield Problem(place, f"the mask of {name} is empty", hint)
    elif _hidden(layers):
        message = f"{name} is fully covered by later brushes"
        yield Problem(place, message, "later brushes lie on top: move it down the list")
    elif area_px < SMALL_CELLS * factor**2:
        message = f"{name} paints {area_px:.0f} px, less than {SMALL_CELLS} latent cells "
        message += f"of {factor}x{factor} px"
        yield Problem(place, message, "so small a brush can hardly show what it means")


def _hidden(layers: Sequence[Painted]) -> bool:
    """Whether the first layer lies under the later ones everywhere, and they are nearly opaque."""
    if len(layers) < 2:
        return False
    paint, top = layers[0].paint, np.maximum.reduce([later.paint for later in layers[1:]])
    on_top = (paint > top + 0.02).any()  # a few levels of 255: scaling may differ by those
    return bool(not on_top and (paint * top).sum() >= _HIDDEN_SHARE * paint.sum())


def _slot_warning(
    scene_file: SceneFile, layers: Sequence[Painted], table: StepTable, factor: int, acting: int
) -> Problem:
    """That the first layer acts in few slots, and what keeps it out of the others."""
    brush = layers[0].brush
    key, reason = _reason(layers, scene_file.scene.sampler, table, factor, acting)
    message = f"{quote(brush.label)} acts in only {acting} of {_count(table.slots, 'slot')}: "
    hint = "a brush acts in a slot where its mask is stronger than the noise there"
    return Problem(scene_file.place("brushes", brush.number - 1, key), message + reason, hint)


def _reason(
    layers: Sequence[Painted], sampler: Sampler, table: StepTable, factor: int, acting: int
) -> tuple[str, str]:
    """The key that keeps the first layer from more slots than `acting`, with a sentence.

    Found by trying: whichever change first lets it act in more slots.
    """
    first, later = layers[0], list(layers[1:])
    brush = first.brush
    height, width = first.paint.shape
    paint = padded_paint(layers, (width, height), factor)
    opaque, sharp = replace(brush, alpha=1.0), replace(brush, blur_px=0.0)
    trials: list[tuple[str, str, Brush, Sampler]] = [
        ("alpha", f"its alpha is {brush.alpha:g}", opaque, sampler),
        ("mask", "later brushes cover it", brush, replace(sampler, cover=1.0)),
        ("blur", f"a blur of {brush.blur_px:g} px thins so small a brush", sharp, sampler),
    ]
    for key, reason, changed, with_sampler in trials:
        tried = [replace(first, brush=changed), *later]
        weights = layer_weights(tried, paint, with_sampler, table, factor)
        if _acting_slots(weights[0]) > acting:
            return key, reason
    if first.paint.max() < _SOLID:
        return "mask", f"its mask reaches {first.paint.max():.2f} at most"
    return "mask", "it is so small or thin"


def _guessed_sampler(
    scene_file: SceneFile, table: StepTable, defaults: ModelDefaults
) -> Iterator[Problem]:
    """That nothing says how a checkpoint wants to be sampled."""
    scene = scene_file.scene
    said = any(("sampler", key) in scene_file.places for key in ("steps", "timesteps"))
    if defaults.samples_as_told or said or scene.sampler.method != "stream":
        return
    message = f"the model {scene.model.name} does not say how few steps it was made for: taking "
    message += f"{_count(table.slots, 'step')} of LCM"
    hint = "a lora that makes it fast, or sampler: {steps: ...}, settles it"
    yield Problem(scene_file.place("model"), message, hint)


def _idle_keys(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Keys that cannot act in this scene."""
    yield from _idle_negatives(scene_file, defaults)
    yield from _idle_strengths(scene_file)
    yield from _idle_guidance(scene_file)


def _idle_negatives(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    scene = scene_file.scene
    guidance = scene.sampler.guidance
    hint = "sampler.guidance: {type: full, scale: 3} makes it act"
    if defaults.embeds_guidance:
        reason, hint = f"the model {scene.model.name} takes guidance itself", ""
    elif guidance.type not in ("full", "initialize"):
        reason = f"guidance is {guidance.type}"
    elif guidance.scale == 1:
        reason = "the guidance scale is 1"
    else:
        return
    paths = [("brushes", b.number - 1, "negative") for b in scene.active if b.negative]
    below = [("background", "negative")] if scene.background.negative else []
    for path in [*paths, *below]:
        written = path if path in scene_file.places else ("defaults", "negative")
        yield Problem(scene_file.place(*written), f"negative has no effect: {reason}", hint)


def _idle_strengths(scene_file: SceneFile) -> Iterator[Problem]:
    scene = scene_file.scene
    if scene.background.prompt is not None:
        return
    written = [("brushes", b.number - 1, "strength") for b in scene.active if b.strength < 1]
    for path in [*written, ("defaults", "strength")]:
        if path in scene_file.places:
            message = "strength has no effect: the background has no prompt to mix with"
            yield Problem(scene_file.place(*path), message, "give the background a prompt")


def _idle_guidance(scene_file: SceneFile) -> Iterator[Problem]:
    guidance = scene_file.scene.sampler.guidance
    idle = {"none": ("scale", "delta"), "full": ("delta",)}.get(guidance.type, ())
    for key in idle:
        path = ("sampler", "guidance", key)
        if path in scene_file.places and getattr(guidance, key) != 1:
            message = f"guidance.{key} has no effect: guidance is {guidance.type}"
            yield Problem(scene_file.place(*path), message)


def _unknown_words(scene_file: SceneFile, defaults: ModelDefaults) -> Iterator[Problem]:
    """Prompts in which a model of few words knows none."""
    scene, words = scene_file.scene, (*defaults.objects, *defaults.materials)
    prompts: list[tuple[tuple[str | int, ...], str]] = [
        (("brushes", b.number - 1, "prompt"), b.prompt) for b in scene.active
    ]
    if scene.background.prompt is not None:
        prompts.append((("background", "prompt"), scene.background.prompt))
    for path, prompt in prompts if words else []:
        if not any(re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE) for word in words):
            message = f"the model {scene.model.name} knows no word of {quote(_shortened(prompt))}"
            yield Problem(scene_file.place(*path), message, _word_hint(prompt, words))


def _word_hint(prompt: str, words: Sequence[str]) -> str:
    """The known word that one of the prompt's comes closest to, else a few of the known ones."""
    for word in re.findall(r"\w+", prompt.lower()):
        close = difflib.get_close_matches(word, words, n=1, cutoff=0.75)
        if close:
            return f"did you mean {quote(close[0])}?"
    some = words[:: max(1, len(words) // 8)][:8]
    return f"it knows {len(words)} words, such as {', '.join(some)}"


# Text


def _plain(text: str) -> str:
    """Text on one line, without characters that do not print."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _shortened(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= _SHOWN_PROMPT else text[: _SHOWN_PROMPT - 1] + "…"


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _cells(text: str) -> int:
    """How many terminal cells a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of cells as lines: columns aligned, the second (a percentage) to the right."""
    table = [(*row[:4], _shortened(row[4]), row[5]) for row in rows]
    widths = [max(_cells(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        gaps = [" " * (width - _cells(c)) for c, width in zip(row, widths, strict=True)]
        cells = [c + gap for c, gap in zip(row, gaps, strict=True)]
        cells[1] = gaps[1] + row[1]
        yield "  " + "  ".join(cells).rstrip()
