"""From a painting of flat colours to a mask for each colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from smd_cli.errors import UsageError
from smd_cli.scene.paint.boxes import HALF
from smd_cli.scene.paint.errors import quote
from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import Size, dimensions, picture_size
from smd_cli.units import MAX_SIDE_PX, MIN_SIDE_PX

Rgb = tuple[int, int, int]
Places = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

MOST_COLOURS = 64
_FLAT_SHARE = 0.5  # of a painting's pixels: less of them of flat colour is no such painting
_NEIGHBOURS = 3  # of its colour that a flat pixel has: in the soft border of a shape there are two
_AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


@dataclass(frozen=True, eq=False)
class FlatColour:
    """A colour of a painting: `places` (H, W) are where it is, all of its soft borders that are
    nearer to it than to their other colour among them.
    """

    colour: Rgb
    name: str
    places: Places

    @property
    def share(self) -> float:
        """How much of the painting it has, 0..1."""
        return float(self.places.mean())

    @property
    def code(self) -> str:
        """``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


def flat_colours(painting: Path) -> tuple[FlatColour, ...]:
    """The flat colours of a painting, the one with most pixels first; transparent ones are none.

    Raises UsageError where it cannot be read, or is not made of flat colours.
    """
    written = str(painting)
    size = picture_size(painting, written)
    refuse_no_canvas(size, written)
    photo = read_photo(painting, written, size)
    opaque = np.ones(size[::-1], dtype=np.bool_)
    if photo.has_alpha:
        opaque = np.asarray(photo.in_8_bits[..., 3] >= HALF)
    packed = photo.seen.astype(np.int64) @ np.array([65536, 256, 1])
    values, numbers = np.unique(np.where(opaque, packed, -1), return_inverse=True)
    numbers = numbers.reshape(opaque.shape)
    seeds = _seeds(numbers) & opaque
    found = np.unique(numbers[seeds])
    if not opaque.any() or seeds.sum() < _FLAT_SHARE * opaque.sum():
        share = seeds.sum() / max(1, opaque.sum())
        message = f"{quote(written)} is no painting of flat colours: they cover {share:.0%} of it"
        raise UsageError(
            message, "paint with a hard brush, and save it as PNG: JPEG changes colours"
        )
    if len(found) > MOST_COLOURS:
        message = (
            f"{quote(written)} has {len(found)} flat colours, of which {MOST_COLOURS} are taken"
        )
        raise UsageError(message, "paint with fewer colours, each for one thing")
    colours = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
    owners = _spread(np.where(seeds, numbers, -1), photo.seen, colours, opaque)
    return _named([(colours[n], owners == n) for n in found])


def refuse_no_canvas(size: Size, written: str) -> None:
    """Raise UsageError for a picture whose size no canvas can have."""
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in size):
        message = f"{quote(written)} measures {dimensions(size)}: "
        raise UsageError(message + f"a canvas has from {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side")


def _seeds(numbers: Numbers) -> Places:
    """Where a pixel has enough neighbours of its own colour (H, W)."""
    alike = np.zeros(numbers.shape, dtype=np.int64)
    for other in _shifted(numbers):
        alike += other == numbers
    return alike >= _NEIGHBOURS


def _spread(owners: Numbers, seen: npt.NDArray[np.uint8], colours: Numbers, to: Places) -> Numbers:
    """Owners (H, W), -1 where there is none yet, handed on from neighbour to neighbour until all
    of `to` has one: to a pixel goes that of its neighbours whose colour is nearest to its own.
    """
    while (todo := (owners < 0) & to).any():
        nearest = np.full(int(todo.sum()), np.iinfo(np.int64).max)
        chosen = np.full(len(nearest), -1)
        for other in _shifted(owners):
            theirs = other[todo]
            apart = ((colours[theirs] - seen[todo]) ** 2).sum(axis=1)
            nearer = (theirs >= 0) & (apart < nearest)
            nearest[nearer], chosen[nearer] = apart[nearer], theirs[nearer]
        if (chosen < 0).all():  # islands in what is transparent
            break
        owners = owners.copy()
        owners[todo] = chosen
    return owners


def _shifted(values: Numbers) -> Iterator[Numbers]:
    """The values of all eight neighbours of each place (H, W); -1 beyond the edge."""
    height, width = values.shape
    wide = np.pad(values, 1, constant_values=-1)
    for down, right in _AROUND:
        yield wide[1 + down : 1 + down + height, 1 + right : 1 + right + width]


def _named(found: list[tuple[Numbers, Places]]) -> tuple[FlatColour, ...]:
    """The colours with their names, the largest first; a name that is there gets a number."""
    taken: dict[str, int] = {}
    made = []
    for colour, places in sorted(found, key=lambda one: -int(one[1].sum())):
        red, green, blue = (int(part) for part in colour)
        name = _nearest_name((red, green, blue))
        taken[name] = taken.get(name, 0) + 1
        label = name if taken[name] == 1 else f"{name}-{taken[name]}"
        made.append(FlatColour((red, green, blue), label, places))
    return tuple(made)


def _nearest_name(colour: Rgb) -> str:
    """The CSS name of the colour that is nearest."""

    def apart(name: str) -> int:
        named = ImageColor.getrgb(name)
        return sum((a - b) ** 2 for a, b in zip(colour, named, strict=False))

    return min(ImageColor.colormap, key=apart)
