"""The similarity filter: frames that would hardly differ are not painted (arXiv 2312.12491, 3.5).

What is compared is what a plan says a frame is made from, but for the start noise: masks, prompts,
the picture beneath, and the seeds. Letters as in `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.engine.noise import uniform
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import Plans
from smd_cli.engine.weights import Boxed

MOST_SKIPPED = 10
"""So many frames in a row are skipped at the most, however alike they are."""


class Skips:
    """Which frames of a film are skipped: a function of its plans and its seed, from frame 0 on.

    A frame is skipped with the probability max(0, (s - t) / (1 - t)), where s is how alike it is to
    the last one that was not, and t the `threshold`, 0 ≤ t < 1. Plans are asked for in order, each
    once; no network is.
    """

    def __init__(self, plan_for: Plans, threshold: float, seed: int) -> None:
        self._plan_for, self._threshold, self._seed = plan_for, threshold, seed
        self._painted: list[int] = []
        self._last: Plan | None = None

    def __call__(self, frame: int) -> bool:
        """Whether frame `frame` is skipped."""
        return self.shown(frame) != frame

    def shown(self, frame: int) -> int:
        """The painted frame that stands for frame `frame`: itself, or the last one before it."""
        while len(self._painted) <= frame:
            self._decide(len(self._painted))
        return self._painted[frame]

    def _decide(self, frame: int) -> None:
        plan = self._plan_for(frame)
        if self._last is not None and frame - self._painted[-1] <= MOST_SKIPPED:
            share = (alike(self._last, plan) - self._threshold) / (1 - self._threshold)
            if uniform(self._seed, "similarity", frame) < share:
                self._painted.append(self._painted[-1])
                return
        self._painted.append(frame)
        self._last = plan


@torch.inference_mode()
def alike(one: Plan, other: Plan) -> float:
    """How alike two frames are by their plans, -1 to 1: 1 where all is equal.

    The least cosine similarity of any of these: a brush's weights in all slots, a prompt's row, the
    clean latents beneath, the slots' noise. So a small brush counts as much as a large one.
    """
    if one is other:
        return 1.0
    if one.weights.grid != other.weights.grid or len(one.weights) != len(other.weights):
        return 0.0
    masks = zip(one.weights.brushes, other.weights.brushes, strict=True)
    return min(
        *(_alike_masks(*pair) for pair in masks),
        *(_cosine(*pair) for pair in _tensors(one, other)),
    )


def _tensors(one: Plan, other: Plan) -> Iterator[tuple[Tensor, Tensor]]:
    """All but the masks that is compared, in pairs."""
    yield one.background, other.background
    yield one.slot_noise, other.slot_noise
    rows = [(plan.conditioning, plan.negative or ()) for plan in (one, other)]
    for ours, theirs in zip(*rows, strict=True):
        for row, its in zip(ours, theirs, strict=True):
            for name, tensor in row.tensors.items():
                yield tensor, its[name]


def _cosine(one: Tensor, other: Tensor) -> float:
    """The cosine similarity of two tensors of any shape; 0 where the shapes differ."""
    if one is other:
        return 1.0
    if one.shape != other.shape:
        return 0.0
    if torch.equal(one, other):
        return 1.0
    return float(F.cosine_similarity(one.float().flatten(), other.float().flatten(), dim=0))


def _alike_masks(one: Boxed, other: Boxed) -> float:
    """The cosine similarity of two brushes' weights, which are zero around their boxes."""
    if one.box == other.box and np.array_equal(one.values, other.values):
        return 1.0
    inside = [
        slice(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))
        for a, b in zip(one.box, other.box, strict=True)
    ]
    shared, lengths = [], []
    for own in (one, other):
        (top, left), (rows, columns) = ((strip.start for strip in own.box), inside)
        down = slice(rows.start - top, rows.stop - top)
        across = slice(columns.start - left, columns.stop - left)
        shared.append(own.values[:, down, across].astype(np.float64))
        lengths.append(float(np.linalg.norm(own.values.astype(np.float64))))
    if not all(lengths):
        return float(lengths[0] == lengths[1])
    return float((shared[0] * shared[1]).sum()) / (lengths[0] * lengths[1])
