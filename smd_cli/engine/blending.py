"""One row for several brushes: in a network's attention to prompts each brush has its own place.

After the bootstrap all brushes look at the same x and differ in their prompts alone. A row that
serves P of them attends to all P prompts, out = Σ_p m_p ⊙ softmax(Q·K_pᵀ/√d)·V_p, and all else of
the network runs once. Letters as in `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.engine.contract import Conditioning
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Legal, Support, Window, windows_of
from smd_cli.errors import UsageError
from smd_cli.scene.types import Scene, Wrapped


@dataclass(frozen=True, eq=False)
class Shared:
    """A window and the brushes that have weight in it: one row serves them all."""

    window: Window
    brushes: tuple[int, ...]


def first_blended(scene: Scene, slots: int, possible: bool) -> int:
    """The first slot whose brushes share rows; `slots` where none do.

    Raises UsageError where they are to and the model cannot (`possible`).
    """
    sampler = scene.sampler
    asked, boot = sampler.blend_after, sampler.bootstrap.steps
    if sampler.preset == "paper" or asked == "never":
        return slots
    if not possible:
        raise UsageError(
            f"the model {scene.model.name} cannot serve several brushes in one row",
            "sampler.blend_after: never paints each by itself",
        )
    return min(boot if asked == "bootstrap" else max(asked, boot), slots)


def shared_rows(
    weights: Weights, legal: Legal | None, wraps: Wrapped, first: int
) -> tuple[tuple[Shared, ...], ...]:
    """The rows that brushes share in each slot, none before slot `first`."""
    return tuple(
        _shared(weights, slot, legal, wraps) if slot >= first else ()
        for slot in range(weights.slots)
    )


def _shared(weights: Weights, slot: int, legal: Legal | None, wraps: Wrapped) -> tuple[Shared, ...]:
    own = [weights.support(brush, slot) for brush in range(len(weights))]
    whole = (slice(0, weights.grid[0]), slice(0, weights.grid[1]))
    every = Support(weights.painted(slot), whole, weights.grid)
    return tuple(
        Shared(window, tuple(p for p, support in enumerate(own) if support.inside(window)))
        for window in windows_of(every, legal, wraps, centred=False)
    )


def blended(parts: Sequence[Conditioning], weights: Tensor) -> Conditioning:
    """One row for the prompts of P brushes with these weights (P, h, w) in its window.

    `tokens` become (1, P, L, D) and `mask` (1, P, L), which tells prompts that are shorter than the
    longest from what fills them up; `shares` (1, P, h, w) are the weights. Of all else there can be
    one alone: the mean by the brushes' areas.
    """
    areas = weights.mean(dim=(1, 2))
    areas = areas / areas.sum()
    made = {
        name: _mean([part[name] for part in parts], areas)
        for name in parts[0].tensors
        if name not in ("tokens", "mask")
    }
    tokens = [part["tokens"] for part in parts]
    masks = [part.get("mask") for part in parts]
    lengths = {rows.shape[1] for rows in tokens}
    if len(lengths) > 1 or masks[0] is not None:
        known = [
            rows.new_ones(rows.shape[:2], dtype=torch.bool) if mask is None else mask
            for rows, mask in zip(tokens, masks, strict=True)
        ]
        filled = [F.pad(mask, (0, max(lengths) - mask.shape[1])) for mask in known]
        made["mask"] = torch.stack(filled, dim=1)
    even = [F.pad(rows, (0, 0, 0, max(lengths) - rows.shape[1])) for rows in tokens]
    return Conditioning({**made, "tokens": torch.stack(even, dim=1), "shares": weights[None]})


def _mean(rows: Sequence[Tensor], shares: Tensor) -> Tensor:
    """The mean (1, …) of rows (1, …) by their shares (P,)."""
    return torch.einsum("p,pr...->r...", shares, torch.stack([*rows]))
