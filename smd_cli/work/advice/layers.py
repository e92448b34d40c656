"""How the layers lie on each other, and what of it is hardly meant.

One way through the layers, from the last to the first, that remembers only what lies on top: the
work grows with what is painted, not with the square of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smd_cli.engine.layers import SlotCounter, pad_patch, slot_counter
from smd_cli.engine.masks import Array, Patch, Pile, cover_lower, cut_out
from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import Brush, Sampler, SceneFile
from smd_cli.units import counted

Box = tuple[int, int, int, int]

SMALL_CELLS = 4  # a brush smaller than this many latent cells is warned about
_HIDDEN_SHARE = 0.9  # of a brush's paint, under later brushes
_SOLID = 0.99  # paint that reaches this is not weak anywhere that counts


@dataclass(frozen=True)
class Layer:
    """One brush on the canvas: `area_px` is all its paint, `peak` its strongest (0..1), `box`
    (x, y, w, h) in px lies around all of it (None where there is none).

    `slots`: in how many it has any weight; where those are few, `held` says by which key, and why.
    `hidden`: it lies under later brushes everywhere, and they are nearly opaque. `under`: any of
    it lies under a later one.
    """

    brush: Brush
    area_px: float
    peak: float
    box: Box | None
    slots: int
    held: tuple[str, str] | None
    hidden: bool
    under: bool


@dataclass(frozen=True)
class Layers:
    """All layers in painter's order; `uncovered`: the share of the canvas, 0..1, under none."""

    layers: tuple[Layer, ...]
    uncovered: float


def see_layers(painted: PaintedScene, sampler: Sampler, table: StepTable, factor: int) -> Layers:
    """Follow every brush's paint to the slots in which it acts."""
    counter = slot_counter(painted.brushes, painted.size, sampler, table, factor)
    patches = [cut_out(p.paint) for p in painted.brushes]
    padded = [pad_patch(patch, painted.size, factor) for patch in patches]
    published = sampler.preset == "paper"
    left = cover_lower(padded, counter.canvas, sampler.cover, published=published)
    pile = Pile((painted.size[1], painted.size[0]))
    found = []
    for layer, patch, bare, covered in zip(
        reversed(painted.brushes), reversed(patches), reversed(padded), left, strict=True
    ):
        top = pile.over(patch)
        found.append(_layer(layer.brush, patch, top, bare, covered, counter))
        pile.add(patch.paint, patch.window)
    uncovered = 1 - float(pile.top.mean(dtype="float64"))
    return Layers(tuple(reversed(found)), uncovered)


def _layer(
    brush: Brush, patch: Patch, top: Array, bare: Patch, covered: Patch, counter: SlotCounter
) -> Layer:
    """A layer with the largest paint on `top` of it; `bare` is padded, `covered` what is left."""
    slots = counter.count(covered, brush.alpha, brush.blur_px)
    few = 2 * slots <= counter.table.slots
    return Layer(
        brush=brush,
        area_px=float(patch.paint.sum(dtype="float64")),
        peak=float(patch.paint.max(initial=0)),
        box=_box(patch),
        slots=slots,
        held=_held(brush, bare, covered, counter, slots) if few else None,
        hidden=_hidden(patch.paint, top),
        under=bool((patch.paint * top).any()),
    )


def _box(patch: Patch) -> Box | None:
    """Left, top, width and height of a patch."""
    rows, columns = patch.window
    height, width = patch.paint.shape
    return (columns.start, rows.start, width, height) if patch.paint.size else None


def _hidden(paint: Array, top: Array) -> bool:
    """Whether paint lies under what is on top of it everywhere, and that is nearly opaque."""
    if not paint.size or (paint > top + 0.02).any():  # a few levels of 255: scaling may differ
        return False
    return bool((paint * top).sum() >= _HIDDEN_SHARE * paint.sum())


def _held(
    brush: Brush, bare: Patch, covered: Patch, counter: SlotCounter, slots: int
) -> tuple[str, str]:
    """The key that keeps a layer from more slots, with a sentence.

    Found by trying: whichever change first lets it act in more.
    """
    alpha, blur_px = brush.alpha, brush.blur_px
    trials = (
        ("alpha", f"its alpha is {alpha:g}", covered, 1.0, blur_px),
        ("mask", "later brushes cover it", bare, alpha, blur_px),
        ("blur", f"a blur of {blur_px:g} px thins so small a brush", covered, alpha, 0.0),
    )
    for key, reason, patch, *tried in trials:
        if counter.count(patch, *tried) > slots:
            return key, reason
    peak = bare.paint.max(initial=0)
    return (
        "mask",
        f"its mask reaches {peak:.2f} at most" if peak < _SOLID else "it is so small or thin",
    )


def layer_warnings(
    scene_file: SceneFile, layers: Sequence[Layer], table: StepTable, factor: int
) -> Iterator[Problem]:
    """Layers that paint nothing, next to nothing, only where later ones lie, or in few slots."""
    for layer in layers:
        yield from _paint_warnings(scene_file, layer, factor)
        if layer.held and layer.area_px and not layer.hidden:
            yield _slot_warning(scene_file, layer, layer.held, table.slots)


def _paint_warnings(scene_file: SceneFile, layer: Layer, factor: int) -> Iterator[Problem]:
    place = scene_file.place("brushes", layer.brush.number - 1, "mask")
    name = quote(layer.brush.label)
    if not layer.area_px:
        hint = "invert: true swaps painted and unpainted"
        yield Problem(place, f"the mask of {name} is empty", hint)
    elif layer.hidden:
        message = f"{name} is fully covered by later brushes"
        yield Problem(place, message, "later brushes lie on top: move it down the list")
    elif layer.area_px < SMALL_CELLS * factor**2:
        message = f"{name} paints {layer.area_px:.0f} px, less than {SMALL_CELLS} latent cells "
        message += f"of {factor}x{factor} px"
        yield Problem(place, message, "so small a brush can hardly show what it means")


def _slot_warning(
    scene_file: SceneFile, layer: Layer, held: tuple[str, str], slots: int
) -> Problem:
    """That a layer acts in few slots, and what keeps it out of the others."""
    key, reason = held
    brush = layer.brush
    message = f"{quote(brush.label)} acts in only {layer.slots} of {counted(slots, 'slot')}: "
    hint = "a brush acts in a slot where its mask is stronger than the noise there"
    return Problem(scene_file.place("brushes", brush.number - 1, key), message + reason, hint)
