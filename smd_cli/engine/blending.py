"""One row for several brushes: in a network's attention to prompts each brush has its own place.

After the bootstrap all brushes look at the same x and differ in their prompts alone. A row that
serves P of them attends to all P prompts, out = Σ_p m_p ⊙ softmax(Q·K_pᵀ/√d)·V_p, and all else of
the network runs once. Letters as in `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.engine.contract import Conditioning


def blended(parts: Sequence[Conditioning], weights: Tensor) -> Conditioning:
    """One row for the prompts of P brushes with these weights (P, h, w) in its window.

    `tokens` become (1, P, L, D) and `mask` (1, P, L), which tells prompts that are shorter than the
    longest from what fills them up; `shares` (1, P, h, w) are the weights. Of all else there can be
    one alone: the mean by the brushes' areas. Brushes of equal prompts count as one: where all are
    equal, the row is that of any of them.
    """
    parts, weights = _different(parts, weights)
    if len(parts) == 1:
        return parts[0]
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


def _different(
    parts: Sequence[Conditioning], weights: Tensor
) -> tuple[Sequence[Conditioning], Tensor]:
    """The prompts without those that are there already, whose weights are added to theirs."""
    found: list[Conditioning] = []
    sums: list[Tensor] = []
    for part, own in zip(parts, weights, strict=True):
        number = next((n for n, known in enumerate(found) if known.equals(part)), None)
        if number is None:
            found.append(part)
            sums.append(own)
        else:
            sums[number] = sums[number] + own
    return found, torch.stack(sums)


def _mean(rows: Sequence[Tensor], shares: Tensor) -> Tensor:
    """The mean (1, …) of rows (1, …) by their shares (P,)."""
    return torch.einsum("p,pr...->r...", shares, torch.stack([*rows]))
