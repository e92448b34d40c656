"""One row of a transformer for the texts of several brushes, each seen where its brush paints.

In joint attention texts and picture see each other. A row that serves P brushes holds P texts:

- a cell of the picture sees all cells, and text p as much as the brush has weight there: log m_p is
  added to what it says to the text's keys, m_p in 0..1 with a sum of 1 over p. A softmax then takes
  the shares m_p of P texts that say the same;
- text p sees itself, and the cells that are its brush's alone. It hears nothing of other texts, and
  nothing of a cell that does: what one prompt says reaches the region of another through the
  picture only.

Brushes of equal texts are one text to begin with (`engine.blending`), and a row that has only one
is an ordinary row: so equal prompts give what separate rows give. Where a picture sees its texts in
cross-attention, the first of the two rules is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.engine.contract import Conditioning

_NEVER = float("-inf")


@dataclass(frozen=True, eq=False)
class Texts:
    """The P texts of one row, one after the other, with who sees whom.

    `tokens` (1, L, D) of all texts. What is added before a softmax, 0 to see and -inf not to:
    `among` (L, L) between tokens, `by_cells` (N, L) for tokens seen by the picture's N cells,
    row by row, and `of_cells` (L, N) for cells seen by tokens; `cells` (N, N) between those.
    """

    tokens: Tensor
    among: Tensor
    by_cells: Tensor
    of_cells: Tensor
    cells: Tensor

    @staticmethod
    def of(told: Conditioning, patch: int) -> Texts:
        """Those of one blended row, for a network whose cells are so many latent cells wide."""
        weights = F.avg_pool2d(told["shares"][0], patch).flatten(1)
        count, length = told["tokens"].shape[1:3]
        owner = torch.arange(count, device=weights.device)[:, None].expand(count, length)
        mask = told.get("mask")
        if mask is not None:  # what fills a text up belongs to nobody
            owner = owner.where(mask[0], count)
        owner = owner.flatten()
        same = owner[:, None] == owner
        return Texts(
            tokens=told["tokens"].flatten(1, 2),
            among=_seen(same),
            by_cells=_of_nobody(_shares(weights).log(), _NEVER)[owner].T,
            of_cells=_seen(_of_nobody(_alone(weights), 0.0)[owner] > 0),
            cells=among_cells(weights),
        )

    def with_pads(self, cells: int, tokens: int) -> Texts:
        """The same for a network that fills both up: all see what fills texts up, and that sees
        nothing else; what fills up the picture is a cell that no text is seen by.
        """
        return replace(
            self,
            among=F.pad(F.pad(self.among, (0, 0, 0, tokens), value=_NEVER), (0, tokens)),
            by_cells=F.pad(F.pad(self.by_cells, (0, 0, 0, cells), value=_NEVER), (0, tokens)),
            of_cells=F.pad(self.of_cells, (0, cells, 0, tokens), value=_NEVER),
            cells=F.pad(self.cells, (0, cells, 0, cells)),
        )

    def bias(self, dtype: torch.dtype, *, texts_first: bool) -> Tensor:
        """(1, 1, S, S): who of a row's S = N + L places sees whom."""
        cells = [self.cells, self.by_cells]
        texts = [self.of_cells, self.among]
        blocks = [texts[::-1], cells[::-1]] if texts_first else [cells, texts]
        return torch.cat([torch.cat(row, dim=1) for row in blocks])[None, None].to(dtype)


def masked(texts: Texts | None, dtype: torch.dtype) -> dict[str, Tensor]:
    """What attention processors of diffusers that put texts first take of it; nothing for None."""
    return {} if texts is None else {"attention_mask": texts.bias(dtype, texts_first=True)}


def among_cells(weights: Tensor) -> Tensor:
    """Between the cells of a picture with weights (P, N): all see each other."""
    return weights.new_zeros(weights.shape[1], weights.shape[1])


def _shares(weights: Tensor) -> Tensor:
    """Weights (P, N) over their sum over P; where that is 0, the brushes' areas."""
    areas = weights.mean(dim=1, keepdim=True)
    total = weights.sum(dim=0)
    areas = areas / areas.sum().clamp_min(1e-30)
    return torch.where(total > 0, weights / total.clamp_min(1e-30), areas)


def _alone(weights: Tensor) -> Tensor:
    """1 in the cells (P, N) where one brush alone has weight."""
    painted = weights > 0
    return (painted & (painted.sum(dim=0) == 1)).to(weights.dtype)


def _of_nobody(values: Tensor, value: float) -> Tensor:
    """Values (P, N) and a last row for what belongs to no text."""
    return F.pad(values, (0, 0, 0, 1), value=value)


def _seen(who: Tensor) -> Tensor:
    """0 where something is seen, -inf elsewhere."""
    return torch.where(who, 0.0, _NEVER)
