"""The plan: a scene compiled to the tensors that the stream works on.

Letters: P brushes that are generated, painter's order, brush 0 being the background when it has a
prompt and no picture · T denoising slots · C, h, w latent channels and size · H, W canvas pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smd_cli.engine.contract import Conditioning
from smd_cli.engine.paste import Paste
from smd_cli.engine.regions import noised
from smd_cli.engine.rows import Seen, Shared, row_cells, seen
from smd_cli.engine.schedule import FloatArray, StepTable
from smd_cli.engine.step import At, Coefficients, Step, make_step
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Window
from smd_cli.scene.types import NOT_WRAPPED, Guidance, Wrapped

MOST_KEPT_CELLS = 2**18
"""Of a canvas of so many latent cells all steps are kept: they take some 60 MB each."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that a frame depends on, but the frame's number.

    `weights`: what each brush weighs in every slot; `conditioning` and `negative`: a row for each
    of the P brushes, which may differ in length, the latter None where guidance needs none;
    `background` (C, h, w): the clean latent under everything; `boot_backgrounds` (S, C, h, w): what
    surrounds a brush in the bootstrap slots; `windows[i][p]`: what a brush's own rows see in a
    slot, `shared[i]` the rows of a slot that serve several; `slot_noise` (T, C, h, w);
    `start_noise` gives a frame's first x (C, h, w); `brush_noise` (P, T, C, h, w) only where
    averaging comes after the noise; `returns_leak`: brush 0 takes what the others give back; `size`
    (W, H) of the finished picture; `wraps`: which of its sides go on at the other end; `factor`:
    canvas pixels per latent cell; `keeps_noise`: a DDIM or Euler step, which goes on with the noise
    that it found instead of drawing any; `preaverages`: the brushes' estimates are averaged before
    they are noised. `paste`: how the result, of `size`, is laid into a picture, where the scene has
    one. `repainters`: the brushes that start from what they find, and so see all of it, with
    nothing plain around them. `draft`: the plan of half the size by which a frame is painted first,
    so that it begins with this one's slot `first`.
    """

    table: StepTable
    weights: Weights
    conditioning: tuple[Conditioning, ...]
    negative: tuple[Conditioning, ...] | None
    background: Tensor
    boot_backgrounds: Tensor
    windows: tuple[tuple[tuple[Window, ...], ...], ...]
    shared: tuple[tuple[Shared, ...], ...]
    slot_noise: Tensor
    start_noise: Callable[[int], Tensor]
    guidance: Guidance
    leak: float
    size: tuple[int, int]
    factor: int
    returns_leak: bool
    wraps: Wrapped = NOT_WRAPPED
    brush_noise: Tensor | None = None
    keeps_noise: bool = False
    preaverages: bool = True
    paste: Paste | None = None
    repainters: frozenset[int] = frozenset()
    draft: Plan | None = None
    first: int = 0
    _steps: dict[tuple[At, ...], Step] = field(init=False, repr=False, default_factory=dict)

    @property
    def passes(self) -> int:
        """How many slots a frame goes through, those of its draft included."""
        return self.table.slots - self.first + (self.draft.passes if self.draft else 0)

    @property
    def bootstrap_slots(self) -> int:
        """S, the number of slots that are bootstrapped."""
        return len(self.boot_backgrounds)

    def bootstraps(self, slot: int, brush: int) -> bool:
        """Whether a brush has plain surroundings in a slot instead of what is there."""
        return slot < self.bootstrap_slots and brush not in self.repainters

    @cached_property
    def acting(self) -> tuple[tuple[int, ...], ...]:
        """For every slot the brushes that have any weight in it; the others cost no network row."""
        return tuple(
            tuple(sorted({brush for brushes, _ in self.seen_in(slot) for brush in brushes}))
            for slot in range(self.table.slots)
        )

    def seen_in(self, slot: int) -> Iterator[Seen]:
        """The network rows of a frame in a slot."""
        return seen(self.windows[slot], self.shared[slot])

    @property
    def rows(self) -> int:
        """Network rows of one frame, those of negative prompts included."""
        return len(self._row_cells)

    @property
    def cells(self) -> int:
        """Latent cells of all network rows of one frame."""
        return sum(self._row_cells)

    @cached_property
    def _row_cells(self) -> list[int]:
        slots = ([*self.seen_in(slot)] for slot in range(self.first, self.table.slots))
        own = row_cells(slots, self.guidance.type)
        return own if self.draft is None else [*self.draft._row_cells, *own]

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the canvas in latent cells."""
        height, width = self.background.shape[-2:]
        return height, width

    @cached_property
    def coefficients(self) -> Coefficients:
        """The step table as tensors beside the latents."""
        table = self.table

        def pair(columns: tuple[FloatArray, FloatArray]) -> tuple[Tensor, Tensor]:
            return self._column(columns[0]), self._column(columns[1])

        return Coefficients(
            alpha=self._column(table.alphas),
            sigma=self._column(table.sigmas),
            next_alpha=self._column(table.next_alphas),
            next_sigma=self._column(table.next_sigmas),
            to_denoised=pair(table.to_denoised),
            to_clean=pair(table.to_clean),
            to_noise=pair(table.to_noise),
            bounds=pair((np.array(table.c_skip), np.array(table.c_out))),
        )

    @cached_property
    def noised_backgrounds(self) -> Tensor:
        """What surrounds a brush in each bootstrap slot, noised for it, (S, C, h, w)."""
        own, slots = self.coefficients, self.bootstrap_slots
        alpha, sigma = own.alpha[:slots], own.sigma[:slots]
        return noised(self.boot_backgrounds, self.slot_noise[0], alpha, sigma)

    def step(self, at: tuple[At, ...]) -> Step:
        """The step of flights at these slots, made when it is first asked for.

        That of a large canvas makes room for the next one: a network takes longer to go over it.
        """
        if at not in self._steps:
            if math.prod(self.sides) > MOST_KEPT_CELLS:
                self._steps.clear()
            self._steps[at] = make_step(self, at)
        return self._steps[at]

    def indices(self, numbers: npt.ArrayLike) -> Tensor:
        """Whole numbers beside the latents."""
        return self.beside(np.asarray(numbers, dtype=np.int64))

    def beside(self, numbers: npt.NDArray[Any]) -> Tensor:
        """Numbers as a tensor beside the latents."""
        return torch.from_numpy(numbers).to(self.background.device)

    def _column(self, values: Sequence[float] | FloatArray) -> Tensor:
        like = self.background
        return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None, None]

    def carries(self, other: Plan) -> bool:
        """Whether frames in flight under `other` can go on under this plan."""
        if self.draft or other.draft:
            return False
        fixed = ((p.table, p.slot_noise.shape, p.paste and p.paste.crop) for p in (self, other))
        return next(fixed) == next(fixed)
