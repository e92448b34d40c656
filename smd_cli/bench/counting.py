"""What a network is asked, counted: calls, rows, latent cells, floating-point operations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from smd_cli.engine.contract import Backbone, Rows


@dataclass
class Tally:
    """Network calls, rows in them, `cells` the latent cells of all rows, and operations.

    A row's area is its height times its width in cells; a product with a sum counts as two.
    """

    calls: int = 0
    rows: int = 0
    cells: int = 0
    flops: int = 0


class Counter:
    """A backbone that counts what its network is asked, and is otherwise the one within.

    The operations of a row are counted once for every shape that rows have.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._row_flops: dict[object, int] = {}
        self.tally = Tally()

    @property
    def backbone(self) -> Backbone:
        """This, as the engine takes it."""
        return cast(Backbone, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def forget(self) -> None:
        """Begin to count anew."""
        self.tally = Tally()

    def predict(self, rows: Rows) -> Tensor:
        """The network's output, counted."""
        if rows.key in self._row_flops:
            output = self._backbone.predict(rows)
        else:
            output, flops = counted(self._backbone, rows)
            self._row_flops[rows.key] = flops // len(rows)
        self.tally.calls += 1
        self.tally.rows += len(rows)
        self.tally.cells += len(rows) * math.prod(rows.x.shape[-2:])
        self.tally.flops += len(rows) * self._row_flops[rows.key]
        return output


def counted(backbone: Backbone, rows: Rows) -> tuple[Tensor, int]:
    """The network's output and the operations of its products, convolutions and attentions."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={kernel: _attention}) as mode:
        output = backbone.predict(rows)
    return output, mode.get_total_flops()


def _attention(
    query: tuple[int, ...],
    key: tuple[int, ...],
    value: tuple[int, ...],
    *_: object,
    **__: object,
) -> int:
    """Operations of attention, which torch's counter does not know of on a CPU: Q·Kᵀ and A·V."""
    *batch, queries, width = query
    return 2 * math.prod(batch) * queries * key[-2] * (width + value[-1])
