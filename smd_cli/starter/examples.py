"""Training examples: the pictures that the region sampler will ask for.

In a bootstrapped slot a brush sees its region, which lies about the middle, in noised white. After
those it sees a canvas of 128 to 512 pixels as a scene shows it: objects in regions anywhere, on one
material or two, of which the prompt names one object, two, or a material alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from smd_cli.starter.materials import ON_LATTICE
from smd_cli.starter.noise import Picture, Rng, as_floats
from smd_cli.starter.painter import CELL_PX, Look, Painter, draw_look
from smd_cli.starter.shapes import Cells, Region, bite, draw_region, without
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

ALONE = 0.08
"""How often a canvas shows a material and nothing else."""

BACKGROUNDS = 0.33
"""How often a prompt is a background's."""

HARD = ("brick wall", "tiles", "cobblestone", "marble", "snow", "sand", "leaves", "night sky")
"""Materials of fine joints or little contrast: they come twice as often where one stands alone."""

BITES = 0.3
"""How often another region lies on a part of a bootstrapped one."""

CROWDED = 0.2
"""Regions of a canvas may overlap by so much of the later one."""

SOFT_EDGES = 0.35
"""How often a side of a bootstrapped region ends in cells that are partly white."""

WHITE_PATCHES = 0.6
"""How often a patch that is laid under an object is white."""

ASIDE = 0.1
"""The weight of cells that a brush prompt says nothing about."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A painted canvas and what is on it: things with their looks in their regions on a material,
    and below a horizon (`ground`, in cells) on another."""

    target: Picture
    material: Thing
    lower: Thing
    ground: Cells
    regions: tuple[Region, ...] = ()
    things: tuple[Thing, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class Example:
    """What the network is taught to find, from noise, from a first guess, or from the thing itself.

    `target` is (H, W, 3) float32 in [0, 1]; `weight` (H/8, W/8) says how much each cell's error
    counts. `free` is (H/8, W/8) in 0..1, the region's share of the cells that a bootstrapped brush
    sees, with white around it; None where it sees a canvas. `box` is where the first object of the
    caption is: top, left and side in cells; the side is 0 where the caption names none. `chances`
    are the draws that made its look; the noise in `free` is to tell them. `canvas` is what the
    example is of, None in a bootstrapped slot. `texture` is whether the noise is to tell the
    target's: it is that of a material without a lattice.
    """

    caption: str
    target: Picture
    weight: Weights
    free: Weights | None = None
    box: tuple[int, int, int] = (0, 0, 0)
    chances: tuple[float, ...] = ()
    canvas: Canvas | None = None
    texture: bool = False


COLOURED = 0.35
"""How often something that can have a colour word has one."""


def draw_prompt(rng: Rng, things: Sequence[Thing], material: Thing | None = None) -> str:
    """A caption; one in eight does without articles, one in eight says "the"."""
    text, form = caption(things, material), rng.random()
    if form < 0.25:
        text = without_articles(text)
    return f"the {text}" if form < 0.125 else text


def draw_material(rng: Rng, white: float = 0.0, words: Sequence[str] = MATERIALS) -> Thing:
    """One of the words drawn uniformly, some with a colour, after a chance of plain white."""
    if rng.random() < white:
        return WHITE
    word = words[int(rng.integers(len(words)))]
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


def window_example(painter: Painter, rng: Rng, size_px: int) -> Picture:
    """A small square as the codec learns it: a material, mostly with an object about the middle."""
    material = draw_material(rng, white=0.3)
    picture: Picture = painter.material(material, rng, size_px).copy()
    if rng.random() < 0.85:
        side = size_px // CELL_PX
        look = draw_look(rng, int(rng.integers(7, min(side, LARGEST_CELLS) + 1)))
        corner = [int(n) // 2 for n in rng.integers(0, side - look.size_cells + 1, (2, 2)).sum(0)]
        painter.put(picture, draw_object(rng), look, (corner[0], corner[1]))
    return picture


def material_example(painter: Painter, rng: Rng, size_px: int) -> Example:
    """A material alone."""
    material, side = draw_material(rng, words=(*MATERIALS, *HARD)), size_px // CELL_PX
    picture = painter.material(material, rng, size_px)
    weight, texture = np.ones((side, side), dtype=np.float32), material.word not in ON_LATTICE
    return Example(draw_prompt(rng, [material]), picture, weight, texture=texture)


def bootstrapped_example(painter: Painter, rng: Rng, size_px: int = CANVAS_PX) -> Example:
    """What a brush, or the background, sees in a bootstrapped slot."""
    background = rng.random() < BACKGROUNDS
    if rng.random() < UNBOOTSTRAPPED:
        scene = ask(paint_canvas(painter, rng, size_px), rng)
        return replace(scene, free=np.ones_like(scene.weight), canvas=None)
    if background:
        return _bootstrapped_background(painter, rng, size_px)
    return _bootstrapped_object(painter, rng, size_px)


def region_area(size_px: int, most: float = 0.5) -> tuple[float, float]:
    """The share of a square canvas that regions of the usual pixels take; `most` of it at most."""
    scale = (CANVAS_PX / size_px) ** 2
    return AREA[0] * scale, min(AREA[1] * scale, most)


def soft_edges(cells: Cells, rng: Rng) -> Weights:
    """A region's share of the cells: 1 inside, now and then less along one of its four sides.

    A mask that ends within a cell, or is blurred there, takes part of it.
    """
    shares = cells.astype(np.float32)
    padded = np.pad(cells, 1)
    for beyond in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        if rng.random() < SOFT_EDGES:
            shares[cells & ~beyond] *= np.float32(rng.random())
    return shares


def _bootstrapped_object(painter: Painter, rng: Rng, size_px: int) -> Example:
    """An object fitted to a region in the middle; all that the network sees is where it is.

    It stands on what its prompt names, else on white: nothing that is left to chance is to be
    guessed, so that the first guess is a whole object and no mean of many.
    """
    side = size_px // CELL_PX
    region = draw_region(rng, side, region_area(size_px, most=0.7))
    if rng.random() < BITES:
        region = bite(region, [draw_region(rng, side, region_area(size_px)).cells])
    region = region.centred()
    thing, named = draw_object(rng), draw_material(rng) if rng.random() < 0.12 else None
    picture = painter.material(named or WHITE, rng, size_px).copy()
    look = draw_look(rng, region.object_cells)
    corner = region.corner(look.size_cells)
    painter.put(picture, thing, look, corner)
    prompt, box = draw_prompt(rng, [thing], named), (*corner, look.size_cells)
    free = soft_edges(region.cells, rng)
    return Example(prompt, picture, weigh(region.cells), free, box, look.chances)


def _bootstrapped_background(painter: Painter, rng: Rng, size_px: int) -> Example:
    """A material, seen where no region is, or in a band of its own that lies about the middle."""
    plain = material_example(painter, rng, size_px)
    if rng.random() < 0.4:
        ground = draw_ground(rng, size_px)[::CELL_PX, ::CELL_PX]
        free = np.roll(ground, -round(ground[:, 0].argmax() / 2), 0)
    else:
        regions = draw_regions(rng, int(rng.integers(1, 5)), size_px)
        free = ~np.logical_or.reduce([region.cells for region in regions])
    return replace(plain, weight=weigh(free), free=soft_edges(free, rng))


def paint_canvas(painter: Painter, rng: Rng, size_px: int = CANVAS_PX) -> Canvas:
    """Objects in their regions on one material, or before a horizon between two; now and then there
    are none."""
    if rng.random() < ALONE:
        return _bare_canvas(painter, rng, size_px)
    material, lower = draw_material(rng, white=0.1), draw_material(rng)
    target = painter.material(material, rng, size_px).copy()
    ground = np.zeros((size_px, size_px), dtype=np.bool_)
    if rng.random() < 0.25:
        ground = draw_ground(rng, size_px)
        target[ground] = painter.material(lower, rng, size_px)[ground]
    drawn = draw_regions(rng, int(rng.integers(1, 5)), size_px, CROWDED)
    regions = [bite(r, [on_top.cells for on_top in drawn[n + 1 :]]) for n, r in enumerate(drawn)]
    things = [draw_object(rng) for _ in regions]
    looks = [draw_look(rng, region.object_cells) for region in regions]
    for thing, look, region in zip(things, looks, regions, strict=True):
        painter.put(target, thing, look, region.corner(look.size_cells))
    below = ground[::CELL_PX, ::CELL_PX]
    return Canvas(target, material, lower, below, tuple(regions), tuple(things), tuple(looks))


def _bare_canvas(painter: Painter, rng: Rng, size_px: int) -> Canvas:
    material, side = draw_material(rng), size_px // CELL_PX
    picture = painter.material(material, rng, size_px)
    return Canvas(picture, material, material, np.zeros((side, side), dtype=np.bool_))


def ask(canvas: Canvas, rng: Rng) -> Example:
    """A prompt for what is on a canvas: one of its objects, or two, or one of its materials."""
    regions, ground = canvas.regions, canvas.ground
    if not regions or rng.random() < BACKGROUNDS:
        lower = bool(ground.any()) and rng.random() < 0.5
        place = ground if lower else ~ground
        outside = without(place, [region.cells for region in regions])
        prompt = draw_prompt(rng, [canvas.lower if lower else canvas.material])
        return Example(prompt, canvas.target, weigh(outside), canvas=canvas)
    told = rng.permutation(len(regions))[: 2 if rng.random() < PAIRS else 1]
    named = canvas.material if rng.random() < 0.25 and not ground.any() else None
    inside = np.logical_or.reduce([regions[n].cells for n in told])
    prompt = draw_prompt(rng, [canvas.things[n] for n in told], named)
    size = canvas.looks[told[0]].size_cells
    box = (*regions[told[0]].corner(size), size)
    return Example(prompt, canvas.target, weigh(inside), box=box, canvas=canvas)


def draw_ground(rng: Rng, size_px: int) -> npt.NDArray[np.bool_]:
    """What lies below a wavy horizon in the middle of a square canvas: (H, W), True below."""
    x = np.linspace(0, 2 * np.pi, size_px)
    height, wave, phase = rng.uniform(0.3, 0.75), rng.uniform(0, 0.04), rng.uniform(0, 7)
    horizon = size_px * (height + wave * np.sin(x * rng.uniform(0.4, 1.5) + phase))
    return np.asarray(np.arange(size_px)[:, None] >= horizon)


def draw_regions(
    rng: Rng, count: int, size_px: int = CANVAS_PX, overlap: float = 0.15
) -> list[Region]:
    """Regions of a canvas; fewer than `count` when there is no room.

    None has more than a share `overlap` in common with one before it.
    """
    chosen: list[Region] = []
    for _ in range(12):
        region = draw_region(rng, size_px // CELL_PX, region_area(size_px))
        shared = [(region.cells & other.cells).sum() / region.cells.sum() for other in chosen]
        if len(chosen) < count and max(shared, default=0.0) < overlap:
            chosen.append(region)
    return chosen


def _soft(cells: Cells, side_px: int, blur_px: float) -> npt.NDArray[np.float32]:
    """Cells as a mask (side, side) of soft edges, made at a quarter of the picture's sides."""
    coarse = (cells.shape[1] * 2, cells.shape[0] * 2)
    mask = Image.fromarray(cells.astype(np.uint8) * 255).resize(coarse, Image.Resampling.BILINEAR)
    mask = mask.filter(ImageFilter.GaussianBlur(2 / CELL_PX * blur_px))
    return as_floats(mask.resize((side_px, side_px), Image.Resampling.BILINEAR))


def lay_patch(picture: Picture, rng: Rng, cells: Cells) -> None:
    """A soft patch over the cells, in place: the white that a first guess stands on, or a pale or
    greyish colour."""
    is_white = rng.random() < WHITE_PATCHES
    grey = 1.0 if is_white else rng.uniform(0.3, 1.0)
    colour = np.clip(grey + rng.normal(0, 0.02 if is_white else 0.08, 3), 0, 1).astype(np.float32)
    soft = _soft(cells, picture.shape[1], rng.uniform(1, 5))
    cover = (soft * np.float32(rng.uniform(0.7, 1) if is_white else rng.uniform(0, 1)))[..., None]
    picture[:] = picture * (1 - cover) + colour * cover
