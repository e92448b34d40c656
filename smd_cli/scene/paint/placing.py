"""One channel of a picture on the canvas: scaled to it, or unscaled at a place."""

from __future__ import annotations

from PIL import Image

from smd_cli.scene.paint.boxes import FULL, Paint, laid
from smd_cli.scene.paint.errors import PictureError, Size, dimensions, quote
from smd_cli.scene.paint.pixels import levels_of
from smd_cli.scene.types import Fit

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def refuse_other_shape(
    size: Size, canvas: Size, slack_px: int, written: str, *, layer: bool = False
) -> None:
    """Raise where a picture, scaled to lie within the canvas, leaves more than `slack_px` bare.

    A `layer` may have been cropped, and have its place.
    """
    width, height = (side * _contain(size, canvas) for side in size)
    if max(canvas[0] - width, canvas[1] - height) <= slack_px:
        return
    hint = "say how with fit: stretch, contain or cover"
    if layer and size[0] <= canvas[0] and size[1] <= canvas[1]:
        hint = f"a layer cropped on export? export it at {dimensions(canvas)}, or place it with "
        hint += "at: [x, y]; else say how with fit: stretch, contain or cover"
    message = f"{quote(written)} measures {dimensions(size)}, another aspect ratio than the canvas'"
    raise PictureError(f"{message} {dimensions(canvas)}", hint)


def _contain(size: Size, canvas: Size) -> float:
    return min(canvas[0] / size[0], canvas[1] / size[1])


def upright(size: Size, turn: int) -> Size:
    """The size after (or before) the turn."""
    return (size[1], size[0]) if turn in (5, 6, 7, 8) else size


def turned(picture: Image.Image, turn: int) -> Image.Image:
    """The picture as EXIF's turn (1..8) has it."""
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def scaled(size: Size, canvas: Size, fit: Fit | None) -> Size:
    """How large the whole picture comes out on the canvas, in whole pixels."""
    if fit is None or fit == "stretch":
        return canvas
    ratios = (canvas[0] / size[0], canvas[1] / size[1])
    ratio = min(ratios) if fit == "contain" else max(ratios)
    return (max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio)))


def fitted(layer: Image.Image, canvas: Size, fit: Fit | None, invert: bool) -> Paint:
    """One channel scaled to the canvas; what `contain` leaves free stays bare."""
    size = scaled(layer.size, canvas, fit) if fit == "contain" else canvas
    box = middle(layer.size, canvas) if fit == "cover" else (0.0, 0.0, *layer.size)
    if box != (0, 0, *size):
        layer = layer.resize(size, _filter((box[2] - box[0], box[3] - box[1]), size), box=box)
    corner = ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2)
    levels = levels_of(layer)
    return laid(FULL - levels if invert else levels, corner, canvas)


def placed(layer: Image.Image, canvas: Size, corner: tuple[int, int], invert: bool) -> Paint | None:
    """One channel unscaled, its top left corner at (x, y), cut at the canvas.

    Around it nothing is painted, or everything where inverted. None where all of it lies outside.
    """
    left, top = (max(0, side) for side in corner)
    right, bottom = (min(c, at + s) for c, at, s in zip(canvas, corner, layer.size, strict=True))
    if left >= right or top >= bottom:
        return None
    inside = layer.crop((left - corner[0], top - corner[1], right - corner[0], bottom - corner[1]))
    paint = laid(levels_of(inside), (left, top), canvas)
    return paint.inverted if invert else paint


def middle(size: Size, canvas: Size) -> tuple[float, float, float, float]:
    """The largest box of the canvas' aspect ratio in the middle of a picture."""
    ratio = max(canvas[0] / size[0], canvas[1] / size[1])
    width, height = min(canvas[0] / ratio, size[0]), min(canvas[1] / ratio, size[1])
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return (left, top, left + width, top + height)


def _filter(old: tuple[float, float], new: Size) -> Image.Resampling:
    """A filter that never leaves 0..1: exact means where sides divide, else a smooth one."""
    if new[0] > old[0] or new[1] > old[1]:
        return Image.Resampling.BILINEAR
    if old[0] % new[0] == 0 and old[1] % new[1] == 0:
        return Image.Resampling.BOX
    return Image.Resampling.HAMMING
