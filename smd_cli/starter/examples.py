"""Training examples: the pictures that the region sampler will ask for, in the order of a lesson.

`window` examples are small squares with one object about the middle, or none. `canvas` examples are
whole canvases of 128 to 512 pixels as a scene shows them: objects in regions anywhere, on one
material or two, of which the caption names one object, two, or the material alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from smd_cli.starter.materials import Picture, Rng, as_floats
from smd_cli.starter.painter import CELL_PX, Painter, draw_look
from smd_cli.starter.shapes import Cells, Region, draw_region
from smd_cli.starter.vocabulary import (
    BACKGROUND,
    COLOURABLE,
    COLOURS,
    MATERIALS,
    OBJECTS,
    WHITE,
    Thing,
    caption,
    without_articles,
)

CANVAS_PX = 256
AREA = (0.05, 0.31)
"""Regions take this share of a canvas of 256 pixels; the same number of pixels of a smaller one."""

PAIRS = 0.12
"""How often a caption names two objects of a canvas that shows several."""

UNBOOTSTRAPPED = 0.08
"""How often a first slot is pure noise all over, as without bootstrapping."""

LARGEST_CELLS = 17
"""Objects are at most so many cells across."""

ASIDE = 0.25
"""The weight of cells that a brush prompt says nothing about."""

Lesson = Literal["bootstrap", "early", "late"]
"""Which slot the example serves: a bootstrapped first one, one that still shows the patches and the
blur of the first guess, or a later one."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """What the network is taught: from a noised `seen` (or, inside `free`, from noise) to `target`.

    `target` and `seen` are (H, W, 3) float32 in [0, 1]; `weight` (H/8, W/8) says how much each
    cell's error counts. `free` is (H/8, W/8), True in the cells that hold nothing but noise while
    the others hold noised white, as a bootstrapped brush sees them; None for a noised picture.
    `box` is where the first object of the caption is: top, left and side in cells; the side is 0
    where the caption names none.
    """

    caption: str
    target: Picture
    seen: Picture
    weight: Weights
    free: Cells | None = None
    box: tuple[int, int, int] = (0, 0, 0)


COLOURED = 0.35
"""How often something that can have a colour word has one."""


def draw_prompt(rng: Rng, things: Sequence[Thing], material: Thing | None = None) -> str:
    """A caption; one in eight does without articles, one in eight says "the"."""
    text, form = caption(things, material), rng.random()
    if form < 0.25:
        text = without_articles(text)
    return f"the {text}" if form < 0.125 else text


def draw_material(rng: Rng, white: float = 0.0) -> Thing:
    """A material drawn uniformly, some with a colour, after a chance of plain white."""
    if rng.random() < white:
        return WHITE
    word = MATERIALS[rng.integers(len(MATERIALS))]
    coloured = word in COLOURABLE and rng.random() < COLOURED
    return Thing(word, draw_colour(rng) if coloured or word == BACKGROUND else None)


def draw_object(rng: Rng) -> Thing:
    """One of the objects, drawn uniformly, some with a colour."""
    word = _OBJECTS[rng.integers(len(_OBJECTS))]
    return Thing(word, draw_colour(rng) if rng.random() < COLOURED else None)


def draw_colour(rng: Rng) -> str:
    """One of the colour words."""
    return _COLOURS[rng.integers(len(_COLOURS))]


_OBJECTS, _COLOURS = list(OBJECTS), list(COLOURS)


def weigh(inside: Cells) -> Weights:
    """1 where the caption speaks, less elsewhere."""
    return np.asarray(np.where(inside, 1, ASIDE), dtype=np.float32)


def window_example(painter: Painter, rng: Rng, lesson: Lesson, size_px: int) -> Example:
    """A square: a material alone, or one object about the middle of white or a material."""
    if lesson == "bootstrap":
        return _bootstrapped_object(painter, rng, size_px, (0.3, 0.85))
    if rng.random() < 0.15:
        return material_example(painter, rng, size_px)
    material, thing = draw_material(rng, white=0.3), draw_object(rng)
    side = size_px // CELL_PX
    look = draw_look(rng, int(rng.integers(7, min(side, LARGEST_CELLS) + 1)))
    size = look.size_cells
    corner = [int(n) // 2 for n in rng.integers(0, side - size + 1, (2, 2)).sum(0)]
    picture = painter.material(material, rng, size_px).copy()
    painter.put(picture, thing, look, (corner[0], corner[1]))
    named = material if rng.random() < 0.25 else None
    inside = np.zeros((side, side), dtype=np.bool_)
    inside[corner[0] : corner[0] + size, corner[1] : corner[1] + size] = True
    prompt, box = draw_prompt(rng, [thing], named), (corner[0], corner[1], size)
    return Example(prompt, picture, picture, weigh(inside), box=box)


def material_example(painter: Painter, rng: Rng, size_px: int) -> Example:
    """A material alone."""
    material, side = draw_material(rng), size_px // CELL_PX
    picture = painter.material(material, rng, size_px)
    weight = np.ones((side, side), dtype=np.float32)
    return Example(draw_prompt(rng, [material]), picture, picture, weight)


def canvas_example(painter: Painter, rng: Rng, lesson: Lesson, size_px: int = CANVAS_PX) -> Example:
    """A square canvas: what a brush, or the background, sees of a scene."""
    background = rng.random() < 0.3
    if lesson == "bootstrap":
        if rng.random() < UNBOOTSTRAPPED:
            scene = _scene(painter, rng, size_px, background, patched=False)
            return replace(scene, free=np.ones_like(scene.weight, dtype=np.bool_))
        if background:
            return _bootstrapped_background(painter, rng, size_px)
        return _bootstrapped_object(painter, rng, size_px, region_area(size_px))
    if rng.random() < 0.08:
        return material_example(painter, rng, size_px)
    return _scene(painter, rng, size_px, background, patched=lesson == "early")


def region_area(size_px: int) -> tuple[float, float]:
    """The share of a square canvas that regions of the usual pixels take; half of it at most."""
    scale = (CANVAS_PX / size_px) ** 2
    return AREA[0] * scale, min(AREA[1] * scale, 0.5)


def _bootstrapped_object(
    painter: Painter, rng: Rng, size_px: int, area: tuple[float, float]
) -> Example:
    """An object fitted to a region in the middle; all that the network sees is where it is.

    It stands on what its prompt names, else on white: nothing that is left to chance is to be
    guessed, so that the first guess is a whole object and no mean of many.
    """
    region = draw_region(rng, size_px // CELL_PX, area).centred()
    thing, named = draw_object(rng), draw_material(rng) if rng.random() < 0.2 else None
    picture = painter.material(named or WHITE, rng, size_px).copy()
    look = draw_look(rng, region.object_cells)
    corner = region.corner(look.size_cells)
    painter.put(picture, thing, look, corner)
    prompt, box = draw_prompt(rng, [thing], named), (*corner, look.size_cells)
    return Example(prompt, picture, picture, weigh(region.cells), region.cells, box)


def _bootstrapped_background(painter: Painter, rng: Rng, size_px: int) -> Example:
    """A material, seen where no region is, or in a band of its own that lies about the middle."""
    plain = material_example(painter, rng, size_px)
    if rng.random() < 0.5:
        ground = draw_ground(rng, size_px)[::CELL_PX, ::CELL_PX]
        free = np.roll(ground, -round(ground[:, 0].argmax() / 2), 0)
    else:
        regions = draw_regions(rng, int(rng.integers(1, 4)), size_px)
        free = ~np.logical_or.reduce([region.cells for region in regions])
    return Example(plain.caption, plain.target, plain.seen, weigh(free), free)


def _scene(painter: Painter, rng: Rng, size_px: int, background: bool, patched: bool) -> Example:
    """Objects in their regions, seen with what early slots leave if `patched`.

    They stand on one material, or before a horizon between two.
    """
    material = draw_material(rng, white=0.12)
    target = painter.material(material, rng, size_px).copy()
    ground = np.zeros((size_px, size_px), dtype=np.bool_)
    lower = draw_material(rng)
    if rng.random() < 0.4:
        ground = draw_ground(rng, size_px)
        target[ground] = painter.material(lower, rng, size_px)[ground]
    regions = draw_regions(rng, int(rng.integers(1, 5)), size_px)
    things = [draw_object(rng) for _ in regions]
    looks = [draw_look(rng, region.object_cells) for region in regions]
    seen = target.copy() if patched else target
    if patched:
        for region in regions:
            lay_patch(seen, rng, region.cells)
    for picture in (target, seen) if patched else (target,):
        for thing, look, region in zip(things, looks, regions, strict=True):
            painter.put(picture, thing, look, region.corner(look.size_cells))
    if patched and rng.random() < 0.7:
        seen = _blurred(seen, rng.uniform(0.5, 8))
    if background:
        below = ground[::CELL_PX, ::CELL_PX]
        asked, place = (lower, below) if ground.any() and rng.random() < 0.5 else (material, ~below)
        outside = place & ~np.logical_or.reduce([region.cells for region in regions])
        return Example(draw_prompt(rng, [asked]), target, seen, weigh(outside))
    told = 2 if len(things) > 1 and rng.random() < PAIRS else 1
    named = material if rng.random() < 0.25 and not ground.any() else None
    inside = np.logical_or.reduce([region.cells for region in regions[-told:]])
    prompt, size = draw_prompt(rng, things[-told:], named), looks[-told].size_cells
    box = (*regions[-told].corner(size), size)
    return Example(prompt, target, seen, weigh(inside), box=box)


def draw_ground(rng: Rng, size_px: int) -> npt.NDArray[np.bool_]:
    """What lies below a wavy horizon in the middle of a square canvas: (H, W), True below."""
    x = np.linspace(0, 2 * np.pi, size_px)
    height, wave, phase = rng.uniform(0.3, 0.75), rng.uniform(0, 0.04), rng.uniform(0, 7)
    horizon = size_px * (height + wave * np.sin(x * rng.uniform(0.4, 1.5) + phase))
    return np.asarray(np.arange(size_px)[:, None] >= horizon)


def draw_regions(rng: Rng, count: int, size_px: int = CANVAS_PX) -> list[Region]:
    """Regions of a canvas that overlap little; fewer than `count` when there is no room."""
    chosen: list[Region] = []
    for _ in range(12):
        region = draw_region(rng, size_px // CELL_PX, region_area(size_px))
        shared = [(region.cells & other.cells).sum() / region.cells.sum() for other in chosen]
        if len(chosen) < count and max(shared, default=0.0) < 0.15:
            chosen.append(region)
    return chosen


def _blurred(picture: Picture, radius_px: float) -> Picture:
    image = Image.fromarray((picture * 255).astype(np.uint8))
    return as_floats(image.filter(ImageFilter.GaussianBlur(radius_px)))


def lay_patch(picture: Picture, rng: Rng, cells: Cells) -> None:
    """A soft patch over the cells, in place: the white that an early slot's guess stands on, or a
    pale or greyish colour."""
    white = rng.random() < 0.6
    grey = 1.0 if white else rng.uniform(0.3, 1.0)
    colour = np.clip(grey + rng.normal(0, 0.02 if white else 0.08, 3), 0, 1).astype(np.float32)
    sides = (picture.shape[1], picture.shape[0])
    mask = Image.fromarray(cells.astype(np.uint8) * 255).resize(sides, Image.Resampling.BILINEAR)
    soft = as_floats(mask.filter(ImageFilter.GaussianBlur(rng.uniform(1, 5))))
    cover = (soft * np.float32(rng.uniform(0.7, 1) if white else rng.uniform(0, 1)))[..., None]
    picture[:] = picture * (1 - cover) + colour * cover
