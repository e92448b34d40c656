"""Pictures from files: one channel of them as paint.

Every function here depends on its arguments alone, so that a file can be read again whenever it
changes. What is wrong with a file is raised as a PictureError, which knows no place in the scene.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from PIL import Image

from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.errors import Note, PictureError, Size, dimensions, quote
from smd_cli.scene.paint.layers import LayerSource
from smd_cli.scene.paint.opening import opened
from smd_cli.scene.paint.pixels import Pixels, Source, eight_bit, plain
from smd_cli.scene.paint.placing import fitted, placed, refuse_other_shape, scaled, turned, upright
from smd_cli.scene.paint.srgb import to_srgb
from smd_cli.scene.types import Channel, Fit, Point

__all__ = [
    "MaskImage",
    "Note",
    "PictureError",
    "Size",
    "dimensions",
    "picture_size",
    "quote",
    "read_mask",
    "several",
]

_FAINT = 8  # levels of 255: transparency that varies by less counts as the same everywhere
_NAMED = 3  # layers that a hint names
_SOLID = 0.9  # share of the canvas: a mask that paints more was hardly meant so

_SELECTION = Note(
    "holds a saved selection or other extra channel, which is read as transparency",
    "channel: alpha settles it; channel: luma takes white = painted",
    "channel",
)


@dataclass(frozen=True, eq=False)
class MaskImage:
    """What a mask file paints on the canvas, from which channel, and the file's own size.

    `trimmed`: whether what is opaque reaches all four edges, as in a layer cropped on export.
    """

    paint: Paint
    channel: Channel
    size: Size
    trimmed: bool = False
    notes: tuple[Note, ...] = ()

    @cached_property
    def fingerprint(self) -> Hashable:
        """The same for two that are alike in everything."""
        return (self.paint.digest, self.channel, self.size, self.trimmed, self.notes)


def picture_size(path: Path, written: str, content: bytes | None = None) -> Size:
    """Width and height of an image file as seen upright, from its header alone."""
    with opened(path, written, content, pixels=False) as source:
        return upright(source.size, source.turn)


def read_mask(
    path: Path,
    written: str,
    canvas: Size,
    *,
    channel: Channel | None = None,
    invert: bool = False,
    fit: Fit | None = None,
    at: Point | None = None,
    slack_px: int = 8,
    content: bytes | None = None,
    layer: str | None = None,
) -> MaskImage:
    """Read one channel of an image as paint for a canvas of (width, height).

    `channel` None takes alpha where it varies (opaque = painted), else luma (white = painted); of a
    `layer` it always takes alpha. `fit` None stretches, but only by up to `slack_px` on the canvas.
    What `contain` leaves free at the sides stays unpainted. `at` places the image unscaled instead.
    `content` is what is in the file, where it has been read already. Raises PictureError.
    """
    with opened(path, written, content, layer=layer) as source:
        return mask_of(
            source,
            written,
            canvas,
            channel=channel,
            invert=invert,
            fit=fit,
            at=at,
            slack_px=slack_px,
        )


def mask_of(
    source: Source,
    written: str,
    canvas: Size,
    *,
    channel: Channel | None = None,
    invert: bool = False,
    fit: Fit | None = None,
    at: Point | None = None,
    slack_px: int = 8,
    opaque: bool = False,
) -> MaskImage:
    """The same of a picture that is open. `opaque`: without an alpha channel it is so all over."""
    size = upright(source.size, source.turn)
    if fit is None and at is None:
        refuse_other_shape(size, canvas, slack_px, written, layer=True)
    wanted = size if at else scaled(size, canvas, fit)
    turn, notes = source.turn, several(source)
    pixels = source.load(upright(wanted, turn))
    if opaque and pixels.alpha is None:
        pixels = replace(pixels, alpha=Image.new("L", pixels.colours.size, 255))
    is_layer, chosen = isinstance(source, LayerSource) and source.spot is not None, channel
    channel = "alpha" if is_layer and channel is None else channel
    used, found = _choice(pixels) if channel is None else (channel, ())
    layer = turned(_layer(pixels, used, written), turn)
    if at is None:
        paint = fitted(layer, canvas, fit, invert)
    else:
        paint = _placed(layer, canvas, at, invert, written)
    notes += (*_all_layers(source), *found)
    if not invert:
        notes += _oversized(paint, used, chosen is not None, pixels)
    trimmed = used == "alpha" and not is_layer and layer.getbbox() == (0, 0, *layer.size)
    return MaskImage(paint, used, size, trimmed, notes)


def _placed(layer: Image.Image, canvas: Size, at: Point, invert: bool, written: str) -> Paint:
    corner = (round(at[0].pixels(canvas[0])), round(at[1].pixels(canvas[1])))
    paint = placed(layer, canvas, corner, invert)
    if paint is None:
        place = f"at {corner[0]},{corner[1]} it lies wholly outside the {dimensions(canvas)} canvas"
        raise PictureError(f"{quote(written)} measures {dimensions(layer.size)}: {place}")
    return paint


def several(source: Source) -> tuple[Note, ...]:
    """That a file holds more than the picture that is taken, or a layer more than its pixels."""
    if isinstance(source, LayerSource):
        return source.notes
    if not source.several:
        return ()
    return (Note(f"holds several {source.several}: the first is used"),)


def _all_layers(source: Source) -> tuple[Note, ...]:
    """That a mask is the picture of several layers, of which one was hardly left out."""
    if not isinstance(source, LayerSource) or source.spot or len(source.document.layers) < 2:
        return ()
    names = ", ".join(quote(layer.name) for layer in source.document.layers[:_NAMED])
    hint = f"layer: takes one of them, as {names}; channel: settles it"
    return (Note("is taken as the picture that all of its layers make", hint, "channel"),)


def _layer(pixels: Pixels, channel: Channel, written: str) -> Image.Image:
    """One channel as a picture in mode L (0..255) or F (0..1)."""
    if channel == "alpha":
        if pixels.alpha is None:
            hint = "leave channel: out to take white = painted"
            raise PictureError(f"{quote(written)} has no alpha channel", hint)
        return pixels.alpha
    colours = _seen(pixels)
    if colours.mode == "F" or (channel, colours.mode) == ("luma", "L"):
        return colours
    if channel == "luma":
        return colours.convert("L")
    return colours.convert("RGB").getchannel(channel[0].upper())


def _seen(pixels: Pixels) -> Image.Image:
    """Colours whose brightness counts: as they are stored, but Lab as what it means."""
    return to_srgb(pixels)[0] if pixels.colours.mode == "LAB" else plain(pixels.colours)


def _choice(pixels: Pixels) -> tuple[Channel, tuple[Note, ...]]:
    """Alpha or luma by the stated rule, and what is to be told of a doubtful case."""
    if pixels.alpha is None:
        return "luma", ()
    low, high = _range(pixels.alpha)
    if high - low >= _FAINT:
        return "alpha", () if pixels.declared else (_SELECTION,)
    if high < _FAINT and pixels.declared:
        return _transparent(pixels)
    if high == low or not pixels.declared:
        return "luma", ()
    levels = "1 level" if high - low == 1 else f"{high - low:.0f} levels"
    message = f"has transparency that varies by {levels} of 255 only: white = painted"
    hint = "channel: luma settles it; channel: alpha takes the transparency"
    return "luma", (Note(message, hint, "channel"),)


def _transparent(pixels: Pixels) -> tuple[Channel, tuple[Note, ...]]:
    """What is transparent everywhere is empty, unless its hidden colours draw something."""
    message = "is transparent everywhere"
    if _varies(pixels):
        hint = "channel: luma settles it; channel: alpha paints nothing"
        return "luma", (Note(f"{message}: white = painted of what is hidden", hint, "channel"),)
    hint = "channel: alpha settles it; channel: luma takes its hidden colour"
    return "alpha", (Note(f"{message}: it paints nothing", hint, "channel"),)


def _varies(pixels: Pixels) -> bool:
    """Whether the colours' brightness tells anything."""
    low, high = _range(eight_bit(_seen(pixels)).convert("L"))
    return high - low >= _FAINT


def _range(picture: Image.Image) -> tuple[float, float]:
    """The least and the greatest value of a picture of one channel."""
    low, high = picture.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    return low, high


def _oversized(paint: Paint, channel: Channel, chosen: bool, pixels: Pixels) -> tuple[Note, ...]:
    """That a layer is opaque nearly everywhere, though it draws something.

    `chosen`: the scene says the channel; opaque colours are meant then.
    """
    share = paint.share
    if share <= _SOLID or channel != "alpha" or chosen or not _varies(pixels):
        return ()
    message = f"paints {share * 100:.0f} % of the canvas, though its colours vary: opaque = painted"
    hint = "channel: luma takes white = painted; channel: alpha settles it"
    return (Note(message, hint, "channel"),)
