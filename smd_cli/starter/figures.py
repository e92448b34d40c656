"""What an evaluation found, in figures and on a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from smd_cli.starter.classifier import Box
from smd_cli.starter.evaluation_scenes import SIDE_PX, EvaluationScene
from smd_cli.starter.vocabulary import Thing

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sight:
    """What the judge took a crop for: word, colour, and whether it has a shape at all."""

    word: str
    colour: str
    shaped: bool


@dataclass(frozen=True, eq=False)
class Verdict:
    """A rendered scene, and what the judge took each thing for.

    `elsewhere` says of each object whether its word was seen where its mask is not.
    """

    wanted: EvaluationScene
    pixels: Pixels
    boxes: tuple[Box, ...]
    objects: tuple[Sight, ...]
    material: Sight
    elsewhere: tuple[bool, ...]
    seconds: float

    @property
    def right(self) -> list[bool]:
        """Which objects were found to be what was asked for."""
        return [a.word == b.word for a, b in zip(self.wanted.objects, self.objects, strict=True)]

    @property
    def colours(self) -> list[bool]:
        """Of everything asked for in a colour: whether it has that colour."""
        asked = (*self.wanted.objects, self.wanted.material)
        pairs = zip(asked, (*self.objects, self.material), strict=True)
        return [thing.colour == sight.colour for thing, sight in pairs if thing.colour]


def contact_sheet(verdicts: Sequence[Verdict], columns: int = 8) -> Image.Image:
    """The pictures with what was asked for; in red what the judge took for something else."""
    rows = -(-len(verdicts) // columns)
    cell = (SIDE_PX + 8, SIDE_PX + 64)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for n, verdict in enumerate(verdicts):
        x, y = n % columns * cell[0], n // columns * cell[1]
        sheet.paste(Image.fromarray(verdict.pixels), (x, y))
        lines = [(verdict.wanted.material, verdict.material)]
        lines += zip(verdict.wanted.objects, verdict.objects, strict=True)
        for line, (thing, sight) in enumerate(lines):
            draw.text((x, y + SIDE_PX + 1 + 11 * line), str(thing), fill="black")
            if seen := _mistaken(thing, sight):
                draw.text((x + 120, y + SIDE_PX + 1 + 11 * line), seen, fill="red")
        for box, right in zip(verdict.boxes, verdict.right, strict=True):
            colour = "green" if right else "red"
            draw.rectangle((x + box[1], y + box[0], x + box[3], y + box[2]), outline=colour)
    return sheet


def _mistaken(thing: Thing, sight: Sight) -> str:
    """What the judge saw instead, or nothing."""
    if thing.word == sight.word and thing.colour in (None, sight.colour):
        return ""
    return f"{sight.colour} {sight.word}" if thing.colour else sight.word


def percent(outcomes: Sequence[bool]) -> float | None:
    """The share that is true, in percent; None of nothing."""
    return round(100 * sum(outcomes) / len(outcomes), 1) if outcomes else None


def figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of one way to render the scenes."""
    found = [(s.shaped, r) for v in verdicts for s, r in zip(v.objects, v.right, strict=True)]
    counts = sorted({len(v.objects) for v in verdicts})
    return {
        "objects_right": percent([right for _, right in found]),
        "objects_strictly_right": percent([right and shaped for shaped, right in found]),
        "objects_right_by_count": {
            str(n): percent([r for v in verdicts if len(v.objects) == n for r in v.right])
            for n in counts
        },
        "backgrounds_right": percent([v.material.word == v.wanted.material.word for v in verdicts]),
        "colours_right": percent([right for v in verdicts for right in v.colours]),
        "leak": percent([leaked for v in verdicts for leaked in v.elsewhere]),
        "seconds_per_scene": round(float(np.mean([v.seconds for v in verdicts])), 3),
    }


def by_word(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """How often each word was right: {"fox": "3/4"}."""
    outcomes: dict[str, list[bool]] = {}
    for verdict in verdicts:
        asked = (*verdict.wanted.objects, verdict.wanted.material)
        for thing, sight in zip(asked, (*verdict.objects, verdict.material), strict=True):
            outcomes.setdefault(thing.word, []).append(thing.word == sight.word)
    return {word: f"{sum(o)}/{len(o)}" for word, o in sorted(outcomes.items())}
