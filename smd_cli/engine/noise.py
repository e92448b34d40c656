"""Noise as a function of the seed alone: the same on every device, for any number of frames.

Every draw takes a CPU generator of its own; the global generator is never touched.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.scene.types import Fade, NoiseKind


def gaussian(shape: Sequence[int], seed: int, *what: str | int) -> Tensor:
    """Standard normal noise of `shape`, on the CPU, from (seed, what it is for)."""
    draw = _generator(seed, *what)
    return torch.randn(tuple(shape), generator=draw, dtype=torch.float32, device="cpu")


def uniform(seed: int, *what: str | int) -> float:
    """A number from 0 to below 1, from (seed, what it is for)."""
    return float(torch.rand((), generator=_generator(seed, *what), device="cpu"))


def _generator(seed: int, *what: str | int) -> torch.Generator:
    label = "/".join(map(str, (seed, *what))).encode()
    key = int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "big") >> 1
    return torch.Generator("cpu").manual_seed(key)


@dataclass(frozen=True, eq=False)
class Region:
    """Where a brush's noise is its own: in the cells of `mask` (h, w), of bool.

    `seed` draws it, or is on its way to the noise of another, `fade`. `travel`: how many cells
    right and down what is painted has gone, and its noise with it; None where it stays.
    """

    mask: Tensor
    seed: int
    fade: Fade[int] | None = None
    travel: tuple[float, float] | None = None

    def drawn(self, shape: Sequence[int], *what: str | int) -> Tensor:
        """Its noise on a whole canvas (C, h, w)."""

        def draw(*more: str) -> Tensor:
            own = gaussian(shape, self.seed, *what, *more)
            if self.fade is None:
                return own
            return between(own, gaussian(shape, self.fade.to, *what, *more), self.fade.share)

        return draw() if self.travel is None else travelled(draw, *self.travel)


@dataclass(frozen=True, eq=False)
class SeededNoise:
    """The noise of a scene.

    `shape` (C, h, w); `kind` says how the start noise moves from frame to frame; `frames` N closes
    the path of `walk`, which a still's, N = 1, does after WALK_FRAMES: frame k ≥ N, of a stream, is
    frame k mod N. `flow` is as `fixed`, but for `regions` that travel. Later regions lie on top.
    """

    seed: int
    shape: tuple[int, int, int]
    slot_count: int
    kind: NoiseKind = "independent"
    frames: int = 1
    regions: tuple[Region, ...] = ()

    def slots(self) -> Tensor:
        """The fixed noise n_i of every slot, (T, C, h, w)."""
        noise = torch.empty(self.slot_count, *self.shape, dtype=torch.float32, device="cpu")
        for i, one in enumerate(noise):  # not held twice, of a large canvas
            one.copy_(self._draw("slot", i))
        return noise

    def brushes(self, count: int) -> Tensor:
        """Slot noise of each brush alone, (P, T, C, h, w): for averaging after the noise."""
        draws = [self._draw("brush", p, i) for p in range(count) for i in range(self.slot_count)]
        shape = (count, self.slot_count, *self.shape)
        return torch.stack(draws).reshape(shape) if draws else torch.zeros(shape)

    def start(self, frame: int) -> Tensor:
        """Start noise (C, h, w) of frame 0, 1, …, without end."""
        if self.kind == "independent":
            return self._draw("start", frame)
        if self.kind in ("fixed", "flow"):
            return self._draw("start", 0)
        period = self.frames if self.frames > 1 else WALK_FRAMES
        angle = 2 * math.pi * (frame % period) / period
        return walk(self._draw("walk", 0), self._draw("walk", 1), self._draw("walk", 2), angle)

    def _draw(self, *what: str | int) -> Tensor:
        noise = gaussian(self.shape, self.seed, *what)
        for region in self.regions:
            noise = torch.where(region.mask, region.drawn(self.shape, *what), noise)
        return noise


def between(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Spherical interpolation of independent unit noises of one shape: share 0 is `one`, 1 `other`.

    Its variance is 1 all the way: cos(a)·one + sin(a)·other, a = share·π/2.
    """
    angle = share * math.pi / 2
    return math.cos(angle) * one + math.sin(angle) * other


TAKEN_ALONG = 2
"""So many cells around what moves take its noise along: blur and the network reach there.

Measured with the starter's fox (`starter.steadiness`, by whole cells, the first five frames of one
seed): it differs from its first frame by 6 levels of 255 without them, by 3 with them, and by 14
where noise is fixed.
"""


def widened(mask: Tensor, cells: int) -> Tensor:
    """A mask (h, w) of bool, and all within so many cells of it, diagonally too."""
    around = F.max_pool2d(mask[None, None].float(), 2 * cells + 1, stride=1, padding=cells)
    return around[0, 0] > 0


def travelled(draw: Callable[..., Tensor], right: float, down: float) -> Tensor:
    """White noise (C, h, w) moved by any number of cells, what leaves at one end coming in again.

    `draw` gives independent unit noises by name, the one that is moved without any. By whole cells
    it is rolled. By less, each cell of noise is divided among those that it comes to lie in, as an
    integral of white noise is: the result is as white as before, of variance 1, and goes steadily
    from roll to roll. (Interpolated noise is neither: it would be smoother half way between cells.)
    """
    columns, rows = math.floor(right), math.floor(down)
    over, under = right - columns, down - rows
    moved = _divided(draw(), lambda: draw("across"), over, -1)
    moved = _divided(
        moved, lambda: _divided(draw("down"), lambda: draw("both"), over, -1), under, -2
    )
    return torch.roll(moved, (rows, columns), (-2, -1))


def _divided(noise: Tensor, bridge: Callable[[], Tensor], share: float, axis: int) -> Tensor:
    """Noise moved along an axis by a `share` of a cell, 0 ≤ share < 1.

    Of a cell's n the part (1-a)·n + sqrt(a(1-a))·z stays in it and the rest, a·n - sqrt(a(1-a))·z,
    goes on to the next one: a Brownian bridge, cut at 1 - a.
    """
    if not share:
        return noise
    slack = math.sqrt(share * (1 - share)) * bridge()
    return (1 - share) * noise + slack + torch.roll(share * noise - slack, 1, axis)


WALK_FRAMES = 60  # of a round where the scene has one frame: five seconds at the usual 12 a second
WALK_REACH = 1.4  # radians from the centre of the circle: how far a walk morphs, π/2 at most


def walk(centre: Tensor, east: Tensor, north: Tensor, angle: float) -> Tensor:
    """A point of a small circle around `centre` on the sphere of Gaussian noises.

    Spherical interpolation by WALK_REACH from `centre` towards cos(angle)·east + sin(angle)·north:
    a closed path of constant speed and unit variance, for independent unit noises of any shape.
    """
    rim = math.cos(angle) * east + math.sin(angle) * north
    return math.cos(WALK_REACH) * centre + math.sin(WALK_REACH) * rim
