"""Documents of layers: one layer, or the group of that name, as a picture of the document's size.

What a layer shows is what its pixels, its opacity, its masks and the groups around it make. Layers
of a group are laid over each other as they are seen, each as if its blending were normal.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from smd_cli.scene.paint.errors import Note, PictureError, Size, quote
from smd_cli.scene.paint.pixels import Pixels

Levels = npt.NDArray[np.uint8]

MAX_DEPTH = 100
"""How deep groups may lie in groups."""

_SHOWN = 8  # layers that a hint names


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer, or a group of layers: `children`, from the top down, None for a layer.

    `draw` gives its pixels, RGBA of the document's size; `masks` what each of its masks leaves of
    them (H, W), 255 for all. `opacity` is 0..1. `ignored`: what else it has, which counts for
    nothing here. One without `paint` holds no pixels, and is passed over in its group.
    """

    name: str
    visible: bool
    opacity: float
    draw: Callable[[], Image.Image]
    masks: Sequence[Callable[[], Levels]] = ()
    children: tuple[Layer, ...] | None = None
    ignored: tuple[str, ...] = ()
    paint: bool = True

    @property
    def seen_within(self) -> Iterator[Layer]:
        """It, and all that is visible of what is in it."""
        yield self
        for child in self.children or ():
            if child.visible:
                yield from child.seen_within


@dataclass(frozen=True, eq=False)
class Document:
    """A file of layers: its (width, height), its layers from the top down, and what they make."""

    written: str
    size: Size
    layers: tuple[Layer, ...]
    merged: Callable[[], Pixels]


@dataclass(frozen=True)
class Spot:
    """A layer with the groups around it, the outermost first."""

    layer: Layer
    groups: tuple[Layer, ...] = ()

    @property
    def path(self) -> str:
        """Its name behind those of its groups: ``animals/fox``."""
        return "/".join(one.name for one in (*self.groups, self.layer))

    @property
    def visible(self) -> bool:
        """Whether it is seen in the document."""
        return all(one.visible for one in (*self.groups, self.layer))


def group(name: str, visible: bool, opacity: float, children: Sequence[Layer]) -> Layer:
    """A group without masks."""
    made = tuple(children)
    return Layer(name, visible, opacity, lambda: stacked(made), children=made)


def stacked(layers: Sequence[Layer]) -> Image.Image:
    """What the visible ones of layers make, RGBA; `layers` are from the top down.

    Raises PictureError where none of them is visible and holds pixels.
    """
    made: Image.Image | None = None
    for layer in reversed([one for one in layers if one.visible and one.paint]):
        above = shown(layer)
        made = above if made is None else Image.alpha_composite(made, above)
    if made is None:
        raise PictureError("it is a group without a layer of pixels that is visible")
    return made


def shown(layer: Layer) -> Image.Image:
    """What a layer shows by itself, visible or not."""
    picture = layer.draw()
    return _thinned(picture, layer)


def _thinned(picture: Image.Image, by: Layer) -> Image.Image:
    """A picture as a layer's, or a group's, opacity and masks leave it."""
    if by.opacity >= 1 and not by.masks:
        return picture
    alpha = np.asarray(picture.getchannel("A")).astype(np.float32) * np.float32(by.opacity)
    for mask in by.masks:
        alpha *= mask().astype(np.float32) / 255
    made = picture.copy()
    made.putalpha(Image.fromarray(np.rint(alpha).astype(np.uint8)))
    return made


def spots(document: Document) -> Iterator[Spot]:
    """All layers and groups, from the top down, a group before what is in it."""

    def below(layers: Sequence[Layer], groups: tuple[Layer, ...]) -> Iterator[Spot]:
        for layer in layers:
            yield Spot(layer, groups)
            yield from below(layer.children or (), (*groups, layer))

    yield from below(document.layers, ())


def picture_at(spot: Spot) -> Image.Image:
    """What the layer at a spot shows, RGBA, as the groups around it leave it."""
    picture = shown(spot.layer)
    for around in reversed(spot.groups):
        picture = _thinned(picture, around)
    return picture


@dataclass(frozen=True, eq=False)
class LayerSource:
    """A document's picture, or that of one layer of it."""

    document: Document
    spot: Spot | None
    turn: int = 1
    several: str = ""
    size: Size = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.document.size)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the layer has that counts for nothing here."""
        if self.spot is None:
            return ()
        spot = self.spot
        counted = (*spot.groups, *spot.layer.seen_within)
        ignored = [what for one in counted for what in one.ignored]
        hint = "flatten the layer in the program that painted it"
        return tuple(
            Note(f"has {what} at its layer {quote(spot.path)}, which smd does not follow", hint)
            for what in dict.fromkeys(ignored)
        )

    def load(self, _: Size, /) -> Pixels:
        """The picture at its full size."""
        if self.spot is None:
            return self.document.merged()
        try:
            picture = picture_at(self.spot)
        except PictureError as wrong:
            named = f"{quote(self.document.written)}, layer {quote(self.spot.path)}"
            raise PictureError(f"{named}: {wrong.message}", wrong.hint) from wrong
        return Pixels(picture.convert("RGB"), picture.getchannel("A"))


def layer_source(document: Document, name: str | None) -> LayerSource:
    """The picture of the layer that `name` means; of the whole document where it is None.

    A name alone, or behind those of its groups. Raises PictureError where none or several have it.
    """
    if name is None:
        return LayerSource(document, None)
    known = [*spots(document)]
    found = [spot for spot in known if name in (spot.path, spot.layer.name)]
    whole = [spot for spot in found if spot.path == name]
    if len(found) == 1 or len(whole) == 1:
        return LayerSource(document, (whole if len(whole) == 1 else found)[0])
    raise _several(document, name, found) if found else _none(document, name, known)


def _several(document: Document, name: str, found: Sequence[Spot]) -> PictureError:
    paths = list(dict.fromkeys(quote(spot.path) for spot in found))
    hint = "give each layer a name of its own"
    if len(paths) == len(found):
        hint = f"name it with its groups: {_listed(paths)}"
    message = f"{quote(document.written)} has {len(found)} layers named {quote(name)}"
    return PictureError(message, hint, "layer")


def _none(document: Document, name: str, known: Sequence[Spot]) -> PictureError:
    """The error of a name that no layer has, with those that there are, the closest first."""
    message = f"{quote(document.written)} has no layer {quote(name)}"
    if not known:
        return PictureError(message, "it has no layers at all", "layer")

    def far(spot: Spot) -> float:
        words = (spot.layer.name.lower()[:60], spot.path.lower()[:60])
        return -max(difflib.SequenceMatcher(None, name.lower()[:60], w).ratio() for w in words)

    names = [quote(spot.path) for spot in sorted(known, key=far)]
    return PictureError(message, f"its layers are {_listed(names)}", "layer")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
