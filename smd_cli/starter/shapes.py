"""Random regions: rectangles, ellipses and blobs that take a given share of a square."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from smd_cli.starter.noise import Rng

Cells = npt.NDArray[np.bool_]

FIT = {"rectangle": 0.98, "ellipse": 0.92, "blob": 0.9}
"""How much of a region's smaller side an object fills."""

SIZES = (6, 16)
"""Objects are an even number of cells across, so many at least and at most. About the middle of a
canvas there is but one place for each, whatever the region that it is fitted to."""

ROUNDING = 0.6
"""An object may be so many cells larger than its region has room for."""

BITTEN = 0.6
"""The least share of a region that others on top of it leave."""


@dataclass(frozen=True)
class Region:
    """A region of a square of cells, and how much of its smaller side an object may fill."""

    cells: Cells
    fit: float

    @property
    def object_cells(self) -> int:
        """How many cells across an object is that is fitted to it."""
        top, left, bottom, right = self.box
        room = self.fit * min(bottom - top, right - left)
        return int(np.clip(2 * ((room + ROUNDING) // 2), *SIZES))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The bounding box (top, left, bottom, right), ends not included."""
        rows, columns = np.flatnonzero(self.cells.any(1)), np.flatnonzero(self.cells.any(0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1

    def corner(self, size_cells: int) -> tuple[int, int]:
        """The top left cell (y, x) of an object of a size, centred in the bounding box."""
        top, left, bottom, right = self.box
        return (top + bottom - size_cells) // 2, (left + right - size_cells) // 2

    @property
    def shift(self) -> tuple[int, int]:
        """How far (down, across) the region has to roll for its box to be in the middle."""
        top, left, bottom, right = self.box
        middle = self.cells.shape[0] // 2
        return middle - (top + bottom) // 2, middle - (left + right) // 2

    def centred(self) -> "Region":
        """The region rolled so that its box is in the middle of the square."""
        return replace(self, cells=np.roll(self.cells, self.shift, (0, 1)))


def outline(
    rng: Rng, kind: str, side: int, centre: tuple[float, float], half: tuple[float, float]
) -> Cells:
    """The points of a side x side grid inside a shape of a centre (y, x) and half axes (y, x)."""
    y, x = np.mgrid[:side, :side] + 0.5
    dy, dx = (y - centre[0]) / half[0], (x - centre[1]) / half[1]
    if kind == "rectangle":
        return np.asarray(np.maximum(abs(dy), abs(dx)) <= 1)
    angle, reach = np.arctan2(dy, dx), 1.0
    if kind == "blob":
        wobble = [rng.uniform(0, 0.12) * np.cos(k * angle + rng.uniform(0, 7)) for k in (2, 3, 4)]
        reach = 1 + np.sum(wobble, axis=0)
    return np.asarray(np.hypot(dy, dx) <= reach)


def draw_shape(rng: Rng, side: int, area: tuple[float, float]) -> tuple[str, Cells]:
    """A shape's kind and its points on a side x side grid; wholly inside, of a share in `area`."""
    kind = ("rectangle", "ellipse", "blob")[rng.integers(3)]
    filled = 1.0 if kind == "rectangle" else np.pi / 4
    extent = side * np.sqrt(rng.uniform(*area) / filled)
    stretch = np.sqrt(rng.uniform(0.75, 1.33))
    half = np.minimum(extent / 2 * np.array([stretch, 1 / stretch]), side / 2)
    room = half * (1.2 if kind == "blob" else 1.0)
    centre = [rng.uniform(min(r, side / 2), max(side - r, side / 2)) for r in room]
    return kind, outline(rng, kind, side, (centre[0], centre[1]), (half[0], half[1]))


def draw_region(rng: Rng, side: int, area: tuple[float, float]) -> Region:
    """A random region on a grid of cells."""
    kind, cells = draw_shape(rng, side, area)
    return Region(cells, FIT[kind])


def without(cells: Cells, others: Sequence[Cells]) -> Cells:
    """The cells that are in none of the others."""
    left: Cells = cells & ~np.logical_or.reduce([np.zeros_like(cells), *others])
    return left


def bite(region: Region, others: Sequence[Cells]) -> Region:
    """What of a region others on top of it leave; all of it where that would be too little."""
    left = without(region.cells, others)
    whole = left.sum() < BITTEN * region.cells.sum()
    return region if whole else replace(region, cells=left)
