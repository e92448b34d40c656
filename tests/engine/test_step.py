"""A step is tensor operations alone: none that copies between host and device, none a row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from smd_cli.engine.contract import Rows
from smd_cli.engine.flight import Flight, advance, launch
from smd_cli.engine.plan import Plan
from smd_cli.scene.types import Background, BlendAfter, Bootstrap, Guidance

from .fake import FakeBackbone
from .scenes import box, brush, plan, scene

BETWEEN = {"_local_scalar_dense", "_to_copy", "lift_fresh", "copy_", "nonzero", "item"}


class Halving(FakeBackbone):
    """A network of one operation."""

    def predict(self, rows: Rows) -> Tensor:
        return rows.x / 2


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that torch is asked for, by name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen[func.__name__.split(".")[0]] += 1
        return func(*args, **(kwargs or {}))


def made(count: int, guidance: Any, leak: float, blend_after: BlendAfter = "never") -> Plan:
    """A plan with so many brushes over a prompt, all bootstrapped and centred in two slots."""
    brushes = [brush(n, f"thing {n}", negative="no") for n in range(1, count + 1)]
    paint = [box(n, n, n + 9, n + 7) for n in range(count)]
    wanted = scene(
        *brushes,
        background=Background("a hill"),
        guidance=Guidance(guidance, 1.3),
        bootstrap=Bootstrap(2, 1.5, leak),
        cover=1.0,
        blend_after=blend_after,
    )
    return plan(Halving(), wanted, paint)


def in_flight(ours: Plan) -> list[Flight]:
    """A frame in every slot, as in a full pipe."""
    flights: list[Flight] = []
    for frame in range(ours.table.slots):
        flights = advance(Halving(), [*flights, launch(ours, frame)])
    return [flight for flight in flights if not flight.landed]


def operations(ours: Plan) -> Counter[str]:
    """Of a step that has been taken before."""
    flights = [*in_flight(ours), launch(ours, 9)]
    advance(Halving(), flights)
    with Counted() as mode:
        advance(Halving(), flights)
    return Counter(mode.seen)


@pytest.mark.parametrize("leak", [0.0, 5.0])
@pytest.mark.parametrize("guidance", ["none", "full", "self", "initialize"])
def test_nothing_is_copied_and_no_row_is_alone(guidance: str, leak: float) -> None:
    few, many = (operations(made(count, guidance, leak)) for count in (2, 7))
    assert not BETWEEN & set(many)
    assert few == many
    assert sum(many.values()) > 10


@pytest.mark.parametrize("guidance", ["none", "full"])
def test_nor_where_rows_serve_several_brushes(guidance: str) -> None:
    few, many = (operations(made(count, guidance, 0.0, "bootstrap")) for count in (2, 7))
    assert not BETWEEN & set(many)
    assert few == many


def test_the_counter_counts() -> None:
    with Counted() as mode:
        torch.tensor([1.0]).to(torch.float64).item()
    assert set(mode.seen) & BETWEEN >= {"_to_copy", "_local_scalar_dense", "lift_fresh"}
