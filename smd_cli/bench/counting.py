"""What a model is asked, counted: calls, rows, latent cells, floating-point operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from smd_cli.engine.contract import Backbone, Finish, Rows, as_it_is
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

Asked = TypeVar("Asked", Rows, Tensor)
Answer = tuple[Tensor, int]


@dataclass
class Tally:
    """Network calls, rows in them, `cells` the latent cells of all rows, and operations.

    A row's area is its height times its width in cells; a product with a sum counts as two.
    `codec_flops` are the autoencoder's, `flops` the network's.
    """

    calls: int = 0
    rows: int = 0
    cells: int = 0
    flops: int = 0
    codec_flops: int = 0


class Counter:
    """A backbone that counts what it is asked, and is otherwise the one within.

    The operations of a row or a picture are counted once for every shape that they have.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._known: dict[object, int] = {}
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
        output, flops = self._counted(rows.key, self._backbone.predict, rows)
        self.tally.calls += 1
        self.tally.rows += len(rows)
        self.tally.cells += len(rows) * math.prod(rows.x.shape[-2:])
        self.tally.flops += flops
        return output

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        """The latents of pictures, counted."""
        key = ("encode", image.shape[1:], wraps)
        work = partial(self._backbone.encode_image, wraps=wraps)
        latents, flops = self._counted(key, work, image)
        self.tally.codec_flops += flops
        return latents

    def decode_latents(
        self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED, finish: Finish = as_it_is
    ) -> Tensor:
        """The pictures of latents, counted."""
        key = ("decode", latents.shape[1:], wraps)
        work = partial(self._backbone.decode_latents, wraps=wraps, finish=finish)
        pictures, flops = self._counted(key, work, latents)
        self.tally.codec_flops += flops
        return pictures

    def _counted(self, key: object, work: Callable[[Asked], Tensor], asked: Asked) -> Answer:
        """What comes of a question to the model, and the operations that it took."""
        if key in self._known:
            return work(asked), len(asked) * self._known[key]
        output, flops = counted(work, asked)
        self._known[key] = flops // len(asked)
        return output, flops


def counted(work: Callable[[Asked], Tensor], asked: Asked) -> Answer:
    """What comes of some work, and the operations of its products, convolutions, attentions."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={kernel: _attention}) as mode:
        output = work(asked)
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
