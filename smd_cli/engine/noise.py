"""Noise as a function of the seed alone: the same on every device, for any number of frames.

Every draw takes a CPU generator of its own; the global generator is never touched.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from smd_cli.scene.types import Fade, NoiseKind


def gaussian(shape: Sequence[int], seed: int, *what: str | int) -> Tensor:
    """Standard normal noise of `shape`, on the CPU, from (seed, what it is for)."""
    label = "/".join(map(str, (seed, *what))).encode()
    key = int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "big") >> 1
    draw = torch.Generator("cpu").manual_seed(key)
    return torch.randn(tuple(shape), generator=draw, dtype=torch.float32, device="cpu")


@dataclass(frozen=True, eq=False)
class SeededNoise:
    """The noise of a scene.

    `shape` (C, h, w); `kind` says how the start noise moves from frame to frame; `frames` N closes
    the path of `walk`, which a still's, N = 1, does after WALK_FRAMES: frame k ≥ N, of a stream, is
    frame k mod N. `regions` are (mask (h, w) of bool, seed): where the mask is True, that
    brush's own seed draws the noise instead. Later regions lie on top. `fades`: for some
    of them, by their number, the seed whose noise theirs is on its way to, and the share of it.
    """

    seed: int
    shape: tuple[int, int, int]
    slot_count: int
    kind: NoiseKind = "independent"
    frames: int = 1
    regions: tuple[tuple[Tensor, int], ...] = ()
    fades: Mapping[int, Fade[int]] = field(default_factory=dict)

    def slots(self) -> Tensor:
        """The fixed noise n_i of every slot, (T, C, h, w)."""
        return torch.stack([self._draw("slot", i) for i in range(self.slot_count)])

    def brushes(self, count: int) -> Tensor:
        """Slot noise of each brush alone, (P, T, C, h, w): for averaging after the noise."""
        draws = [self._draw("brush", p, i) for p in range(count) for i in range(self.slot_count)]
        shape = (count, self.slot_count, *self.shape)
        return torch.stack(draws).reshape(shape) if draws else torch.zeros(shape)

    def start(self, frame: int) -> Tensor:
        """Start noise (C, h, w) of frame 0, 1, …, without end."""
        if self.kind == "independent":
            return self._draw("start", frame)
        if self.kind == "fixed":
            return self._draw("start", 0)
        period = self.frames if self.frames > 1 else WALK_FRAMES
        angle = 2 * math.pi * (frame % period) / period
        return walk(self._draw("walk", 0), self._draw("walk", 1), self._draw("walk", 2), angle)

    def _draw(self, *what: str | int) -> Tensor:
        noise = gaussian(self.shape, self.seed, *what)
        for number, (mask, seed) in enumerate(self.regions):
            own = gaussian(self.shape, seed, *what)
            if number in self.fades:
                fade = self.fades[number]
                own = between(own, gaussian(self.shape, fade.to, *what), fade.share)
            noise = torch.where(mask, own, noise)
        return noise


def between(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Spherical interpolation of independent unit noises of one shape: share 0 is `one`, 1 `other`.

    Its variance is 1 all the way: cos(a)·one + sin(a)·other, a = share·π/2.
    """
    angle = share * math.pi / 2
    return math.cos(angle) * one + math.sin(angle) * other


WALK_FRAMES = 60  # of a round where the scene has one frame: five seconds at the usual 12 a second
WALK_REACH = 1.4  # radians from the centre of the circle: how far a walk morphs, π/2 at most


def walk(centre: Tensor, east: Tensor, north: Tensor, angle: float) -> Tensor:
    """A point of a small circle around `centre` on the sphere of Gaussian noises.

    Spherical interpolation by WALK_REACH from `centre` towards cos(angle)·east + sin(angle)·north:
    a closed path of constant speed and unit variance, for independent unit noises of any shape.
    """
    rim = math.cos(angle) * east + math.sin(angle) * north
    return math.cos(WALK_REACH) * centre + math.sin(WALK_REACH) * rim
