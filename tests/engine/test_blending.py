"""One row that serves several brushes gives what a row for each of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from smd_cli.engine.blending import blended
from smd_cli.engine.contract import Conditioning
from smd_cli.engine.masks import Array
from smd_cli.engine.plan import Plan
from smd_cli.engine.rows import shared_rows
from smd_cli.engine.stream import single, stream
from smd_cli.engine.weights import Boxed, Weights
from smd_cli.engine.windows import Legal
from smd_cli.errors import UsageError
from smd_cli.scene.types import NOT_WRAPPED, Background, Bootstrap, Guidance

from .fake import FakeBackbone
from .scenes import box, brush, plan, relative, scene

SIZE = (128, 64)
PAINT = [box(4, 4, 16, 20, SIZE), box(30, 30, 60, 44, SIZE), box(40, 2, 128, 60, SIZE)]
BELOW = Background("hill", negative="no")
SLOTS = 5


class Unpooled(FakeBackbone):
    """A network in which a prompt acts in single cells alone: blending loses nothing there."""

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        told = super().encode_prompts(prompts, length)
        return Conditioning({**told.tensors, "pooled": torch.zeros_like(told["pooled"])})


def both(
    fake: FakeBackbone, *prompts: str, blur_px: float = 2.0, **changes: Any
) -> tuple[Plan, Plan]:
    """A plan whose brushes share rows, and one that is the same with a row for each."""
    texts = prompts or ("a fox", "an owl", "a hen")
    brushes = [brush(n, text, negative="no", blur_px=blur_px) for n, text in enumerate(texts, 1)]
    shared, alone = (
        plan(
            fake,
            scene(*brushes, **{"background": BELOW, **changes, "blend_after": own}),
            PAINT,
            SIZE,
        )
        for own in (changes.get("blend_after", "bootstrap"), "never")
    )
    return shared, alone


def frames(run: Any, ours: Plan, fake: FakeBackbone) -> Tensor:
    """The latents of two frames."""
    return torch.stack([frame.latents for frame in run(lambda _: ours, fake, 2)])


CHANGES: list[dict[str, Any]] = [
    {},
    {"bootstrap": Bootstrap(2, 1.5, 0.3)},
    {"blend_after": 3, "bootstrap": Bootstrap(1)},
    {"guidance": Guidance("full", 1.4), "bootstrap": Bootstrap(1)},
    {"guidance": Guidance("self", 1.4)},
    {"background": Background(color=(10, 200, 90))},
    {
        "method": "multidiffusion",
        "noise_between": "kept",
        "preaverage": False,
        "mask_type": "discrete",
    },
]


@pytest.mark.parametrize("windowed", [False, True], ids=["whole", "windows"])
@pytest.mark.parametrize("run", [single, stream])
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_prompts_that_act_in_cells_alone_lose_nothing(
    changes: dict[str, Any], run: Any, windowed: bool
) -> None:
    fake = Unpooled(placed=False, window_px=16, native_px=32 if windowed else 128)
    shared, alone = both(fake, windows="auto" if windowed else "off", **changes)
    assert windowed or shared.rows < alone.rows  # few small brushes may see less by themselves
    assert relative(frames(run, shared, fake), frames(run, alone, fake)) <= 1e-5


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_equal_prompts_are_those_of_separate_rows(changes: dict[str, Any]) -> None:
    fake = FakeBackbone()
    shared, alone = both(fake, "hill", "hill", "hill", windows="off", **changes)
    assert relative(frames(single, shared, fake), frames(single, alone, fake)) <= 1e-5


def test_other_prompts_are_not() -> None:
    """Of the pooled text there can be one alone."""
    fake = FakeBackbone()
    shared, alone = both(fake)
    assert relative(frames(single, shared, fake), frames(single, alone, fake)) > 1e-3


@pytest.mark.parametrize("guides", [1, 2])
@pytest.mark.parametrize("boot", [0, 1, 3])
def test_rows_of_a_frame(boot: int, guides: int) -> None:
    """T·P become S·P + (T - S); twice as many where negative prompts are asked."""
    fake = FakeBackbone()
    guidance = Guidance() if guides == 1 else Guidance("full", 2.0)
    shared, alone = both(fake, blur_px=0, bootstrap=Bootstrap(boot), guidance=guidance)
    assert alone.rows == guides * SLOTS * 4
    assert shared.rows == guides * (boot * 4 + SLOTS - boot)
    frames(single, shared, fake)
    assert fake.rows == 2 * shared.rows  # two frames


def test_a_live_edit_goes_on_in_shared_rows() -> None:
    """Frames that began in rows of their own, and end in shared ones."""
    fake = Unpooled()
    shared, alone = both(fake, bootstrap=Bootstrap(1))

    def edited(_: int) -> Plan:
        return alone if len(fake.calls) < 4 else shared

    mixed = [frame.latents for frame in stream(edited, fake, 6, blend=True)]
    wanted = [frame.latents for frame in stream(lambda _: alone, fake, 6)]
    assert relative(torch.stack(mixed), torch.stack(wanted)) <= 1e-5


def boxed(weights: Array) -> Weights:
    """Weights (P, T, h, w), each held in the box of the whole grid."""
    grid = weights.shape[2:]
    own = (Boxed(one, (slice(0, grid[0]), slice(0, grid[1]))) for one in weights)
    return Weights(grid, weights.shape[1], tuple(own))


def test_who_shares_a_window() -> None:
    """A canvas that is too large for one row: each tile serves those that it sees."""
    weights = np.zeros((3, 2, 16, 128), dtype=np.float32)
    weights[0, :, :, :] = 1
    weights[1, :, 4:8, 0:8] = 0.5
    weights[2, 1, :, 100:128] = 0.5
    legal = Legal(least=16, tile=64, most=96, grid=4)
    early, late = shared_rows(boxed(weights), legal, NOT_WRAPPED, 1)
    assert early == ()
    found = [(s.window.columns.start, s.window.columns.length, s.brushes) for s in late]
    assert found == [(0, 64, (0, 1)), (32, 64, (0,)), (64, 64, (0, 2))]
    [whole] = shared_rows(boxed(weights), None, NOT_WRAPPED, 1)[1]
    assert (whole.window.shape, whole.brushes) == ((16, 128), (0, 1, 2))


def test_a_row_for_several_prompts_by_hand() -> None:
    """Prompts of 1 and 2 tokens; weights 3 and 1 in sum, so areas of 3/4 and 1/4."""
    short = Conditioning({"tokens": torch.ones(1, 1, 2), "pooled": torch.tensor([[8.0]])})
    long = Conditioning({"tokens": torch.full((1, 2, 2), 5.0), "pooled": torch.tensor([[4.0]])})
    weights = torch.tensor([[[1.0, 1.0, 1.0]], [[0.0, 0.5, 0.5]]])
    made = blended([short, long], weights)
    assert made["tokens"].tolist() == [[[[1, 1], [0, 0]], [[5, 5], [5, 5]]]]
    assert made["mask"].tolist() == [[[True, False], [True, True]]]
    assert made["pooled"].tolist() == [[7.0]]
    assert torch.equal(made["shares"][0], weights)
    assert made.get("guidance") is None
    assert blended([long, long], weights).get("mask") is None


def test_masks_of_prompts_are_kept() -> None:
    def masked(*said: bool) -> Conditioning:
        mask = torch.tensor([said])
        return Conditioning({"tokens": mask[..., None].float(), "mask": mask})

    made = blended([masked(True, False, False), masked(True, True)], torch.ones(2, 1, 1))
    assert made["mask"].tolist() == [[[True, False, False], [True, True, False]]]


def test_a_model_that_cannot() -> None:
    with pytest.raises(UsageError, match="fake cannot serve several brushes in one row"):
        both(FakeBackbone(blends=False))
    plan(FakeBackbone(blends=False), scene(brush(1), background="hill"), PAINT[:1], SIZE)


def test_the_paper_has_no_shared_rows() -> None:
    shared, alone = both(FakeBackbone(), preset="paper")
    assert shared.rows == alone.rows
