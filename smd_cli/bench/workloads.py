"""What is measured: scenes by name, with canvas, slots and order. Imports no torch.

A mask is a shape, so that a workload needs no files and is the same on every model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smd_cli.models.checkpoints import LAYOUTS
from smd_cli.scene.text.source import Source

Order = Literal["stream", "single", "edit"]


@dataclass(frozen=True)
class Workload:
    """A scene, and how it is painted.

    `about`: one line for the list; `size`: canvas (W, H) in pixels; `order`: `frames` pictures as a
    stream or one by one, or the first whole picture after an `edit` of a stream, written as
    KEY=VALUE; `brushes`: the scene's, a line each. `against`: changes (KEY=VALUE) that make of it
    what it is measured against, called `rival`, instead of the plain baseline.
    """

    name: str
    about: str
    size: tuple[int, int]
    background: str
    brushes: tuple[str, ...] = ()
    slots: int = 5
    order: Order = "stream"
    frames: int = 1
    edit: str = ""
    against: tuple[str, ...] = ()
    rival: str = ""

    def source(self, model: str) -> Source:
        """The scene's text with this model."""
        width, height = self.size
        text = "\n".join(
            [
                f"model: {json.dumps(model)}",
                f"size: {width}x{height}",
                "seed: 1",
                f"frames: {self.frames}",
                f"background: {self.background}",
                "brushes:" if self.brushes else "brushes: []",
                *(f"  - {brush}" for brush in self.brushes),
                f"sampler: {{steps: {self.slots}}}",
                "",
            ]
        )
        return Source(f"bench {self.name}", self.name, Path(), text)


def _brush(prompt: str, shape: str, *where: str, name: str = "", move: str = "") -> str:
    named = f"name: {name}, " if name else ""
    moved = f", move: {move}" if move else ""
    return f"{{{named}prompt: {prompt}, mask: {{{shape}: [{', '.join(where)}]{moved}}}}}"


_FOX, _OWL = ("8%", "40%", "40%", "50%"), ("55%", "20%", "40%", "45%")
_TRIO = (
    _brush("grass", "rect", "0", "55%", "100%", "45%"),
    _brush("a fox", "ellipse", *_FOX, name="fox"),
    _brush("an owl", "ellipse", *_OWL),
)
_THINGS = (
    *("a fox", "an owl", "a cat", "a dog", "a frog", "a panda", "a tree", "a cactus"),
    *("a rose", "a mushroom", "an apple", "a house", "a car", "a rocket", "a star", "a ghost"),
)


def _grid(columns: int, rows: int, cell: tuple[int, int], side: tuple[int, int]) -> tuple[str, ...]:
    """Ellipses of `side` (W, H) in the middle of `cell`s (W, H), in pixels; a thing in each."""
    left, top = ((whole - part) // 2 for whole, part in zip(cell, side, strict=True))
    places = [(column, row) for row in range(rows) for column in range(columns)]
    return tuple(
        _brush(thing, "ellipse", *map(str, (x * cell[0] + left, y * cell[1] + top, *side)))
        for thing, (x, y) in zip(_THINGS, places, strict=False)
    )


_ALL = (
    Workload(
        "paper",
        "512x512, 2 brushes on a prompted background, 24 frames",
        (512, 512),
        "blue sky",
        _TRIO[:2],
        frames=24,
    ),
    Workload(
        "trio",
        "256x256, 3 brushes on a prompted background, 24 frames",
        (256, 256),
        "blue sky",
        _TRIO,
        frames=24,
    ),
    Workload(
        "many",
        "1024x512, 16 brushes of 100 px on a background, 6 frames",
        (1024, 512),
        "grass",
        _grid(8, 2, (128, 256), (100, 100)),
        frames=6,
    ),
    Workload(
        "wide",
        "1920x768, 8 brushes on a prompted background, one picture",
        (1920, 768),
        "blue sky",
        (
            _brush("grass", "rect", "0", "60%", "100%", "40%"),
            *_grid(7, 1, (274, 768), (240, 320)),
        ),
        order="single",
    ),
    Workload(
        "panorama",
        "3072x512, one prompt and no brush, one picture",
        (3072, 512),
        "forest",
        order="single",
    ),
    Workload(
        "turbo",
        "the scene of trio with one slot, 24 frames",
        (256, 256),
        "blue sky",
        _TRIO,
        slots=1,
        frames=24,
    ),
    Workload(
        "single",
        "the scene of trio, one picture by itself",
        (256, 256),
        "blue sky",
        _TRIO,
        order="single",
    ),
    Workload(
        "edit",
        "the scene of trio: the first whole picture after an edit",
        (256, 256),
        "blue sky",
        _TRIO,
        order="edit",
        edit="brushes.fox.mask={ellipse: [20%, 40%, 40%, 50%]}",
    ),
    Workload(
        "moving",
        "the scene of trio with masks that move, against standing ones",
        (256, 256),
        "blue sky",
        (
            _TRIO[0],
            _brush("a fox", "ellipse", *_FOX, name="fox", move="{0%: [-20%, 0%], 100%: [20%, 0%]}"),
            _brush("an owl", "ellipse", *_OWL, name="owl", move="{0%: [0%, -5%], 100%: [0%, 30%]}"),
        ),
        frames=24,
        against=("brushes.fox.mask.move=[0, 0]", "brushes.owl.mask.move=[0, 0]"),
        rival="standing masks",
    ),
)
WORKLOADS: Mapping[str, Workload] = {workload.name: workload for workload in _ALL}

ARCHITECTURES: Mapping[str, Path] = {
    "sd15": LAYOUTS / "sd1",
    "sdxl": LAYOUTS / "sdxl",
    "tiny": LAYOUTS / "sd1",
}
"""Architectures that are built with random weights, and the folder with the configs of each."""
