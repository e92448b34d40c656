"""What is hardly meant of the masks: empty, inverted, covered, faint or tiny ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from smd_cli.engine.schedule import StepTable
from smd_cli.errors import KeyPath, Problem
from smd_cli.scene.paint.moving import painted_at
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import ImageMask, SceneFile
from smd_cli.units import counted
from smd_cli.work.advice.layers import SMALL_CELLS, Cause, Layer

_NAMED = 3  # brushes that one sentence names
_LOOKS = 8  # frames in which a mask is looked for that is not there at first
_KEYS: dict[Cause, str] = {"alpha": "alpha", "blur": "blur"}  # else it is the mask
_LATE = "a brush acts where its mask is stronger than the slot's noise; one that comes late hardly "
_LATE += "shows its thing:"
_MIX = "strength: says how much of its prompt shows"
_HINTS: dict[Cause, str] = {
    "alpha": f"{_LATE} alpha: 1 lets it act in all slots; {_MIX}",
    "weak": f"{_LATE} paint the mask with full opacity; {_MIX}",
    "cover": f"{_LATE} move it down the list, or let the later brushes leave it free",
    "blur": f"{_LATE} a smaller blur or a larger mask lets it act in more slots",
    "small": f"{_LATE} a larger mask lets it act in more slots",
}


def mask_warnings(
    scene_file: SceneFile,
    painted: PaintedScene,
    layers: Sequence[Layer],
) -> Iterator[Problem]:
    """Masks that paint nothing, or the wrong half."""
    canvas_px = math.prod(painted.size)
    for brush, layer in zip(painted.brushes, layers, strict=True):
        if not layer.area_px:
            yield from _empty(scene_file, brush)
        elif layer.around:
            yield from _inverted(scene_file, brush, layer.area_px / canvas_px)


def layer_warnings(
    scene_file: SceneFile, layer: Layer, table: StepTable, factor: int
) -> Iterator[tuple[str, Problem]]:
    """What is hardly meant of a layer that paints: each with its kind, covered, small or late."""
    small = layer.area_px < SMALL_CELLS * factor**2
    if layer.by and scene_file.scene.sampler.cover < 1:
        yield "covered", _covered(scene_file, layer)
    elif small:
        yield "small", _small(scene_file, layer, factor)
    if layer.held and not _is_warned(layer, small):
        yield "late", _late(scene_file, layer, layer.held, table.slots)


def _is_warned(layer: Layer, small: bool) -> bool:
    """Whether what holds a layer back is told already."""
    covered = layer.hidden or (layer.by and layer.held == "cover")
    return bool(covered or (small and layer.held in ("blur", "small")))


def _mask(layer: Layer) -> KeyPath:
    return ("brushes", layer.brush.number - 1, "mask")


def _empty(scene_file: SceneFile, painted: Painted) -> Iterator[Problem]:
    """A mask that paints nothing; its file may have been told to be transparent everywhere."""
    brush = painted.brush
    parts = zip(brush.mask, painted.channels, strict=True)
    chosen = [isinstance(p, ImageMask) and p.channel is None and c == "alpha" for p, c in parts]
    if not (painted.warnings and all(chosen)) and not _comes_in(painted, scene_file.scene.frames):
        place = scene_file.place("brushes", brush.number - 1, "mask")
        message = f"the mask of {quote(brush.label)} is empty"
        hint = "invert: true swaps painted and unpainted"
        if any(painted.shown):
            message, hint = f"{message} in the first frame", f"later ones are not looked at; {hint}"
        yield Problem(place, message, hint)


def _comes_in(painted: Painted, frames: int) -> bool:
    """Whether a mask that moves paints something on its way, in one of some frames of so many."""
    if not any(part.tracks for part in painted.brush.mask):
        return False
    looked_at = {round(step * (frames - 1) / _LOOKS) for step in range(1, _LOOKS + 1)}
    return any(painted_at(painted, frame).paint.sum for frame in sorted(looked_at))


def _inverted(scene_file: SceneFile, painted: Painted, share: float) -> Iterator[Problem]:
    """Images read by brightness whose paint goes around what is bare, as paper does."""
    mask: KeyPath = ("brushes", painted.brush.number - 1, "mask")
    parts = zip(painted.brush.mask, painted.channels, strict=True)
    for number, (part, channel) in enumerate(parts):
        at = (*mask, number)
        written = any((*path, "invert") in scene_file.places for path in (at, mask))
        if isinstance(part, ImageMask) and channel == "luma" and not written:
            message = f"{quote(part.written)} is painted all around, {int(share * 100)} % of the "
            message += "canvas, as the paper of a black drawing is: white = painted"
            hint = "if black is meant, write invert: true; invert: false settles it"
            yield Problem(scene_file.place(*at), message, hint)


def _covered(scene_file: SceneFile, layer: Layer) -> Problem:
    """That hardly anything of a layer shows, and what lies over it."""
    extent = "fully covered" if layer.hidden else f"covered to {layer.covered * 100:.0f} %"
    names = ", ".join(map(quote, layer.by[:_NAMED]))
    more = len(layer.by) - _NAMED
    names += f" and {more} more" if more > 0 else ""
    message = f"{quote(layer.brush.label)} is {extent} by later brushes: {names}"
    hint = "later brushes lie on top: move it down the list"
    return Problem(scene_file.place(*_mask(layer)), message, hint)


def _small(scene_file: SceneFile, layer: Layer, factor: int) -> Problem:
    message = f"{quote(layer.brush.label)} paints {layer.area_px:.0f} px, less than {SMALL_CELLS} "
    message += f"latent cells of {factor}x{factor} px"
    hint = "so small a brush can hardly show what it means"
    return Problem(scene_file.place(*_mask(layer)), message, hint)


def _late(scene_file: SceneFile, layer: Layer, held: Cause, slots: int) -> Problem:
    """That a layer comes too late to paint its thing, and what holds it back."""
    brush = layer.brush
    reasons: dict[Cause, str] = {
        "alpha": f"its alpha is {brush.alpha:g}",
        "weak": f"its mask reaches {layer.peak:.2f} at most",
        "cover": "later brushes cover it",
        "blur": f"a blur of {brush.blur_px:g} px thins so small a brush",
        "small": "it is so small or thin",
    }
    message = f"{quote(brush.label)} acts in only {layer.slots} of {counted(slots, 'slot')}: "
    soft = scene_file.scene.sampler.mask_type == "continuous"
    hint = _HINTS[held] + ("" if soft else "; mask_type: continuous lets faint paint act earlier")
    place = scene_file.place("brushes", brush.number - 1, _KEYS.get(held, "mask"))
    return Problem(place, message + reasons[held], hint)
