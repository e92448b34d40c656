"""A side that wraps has no end: windows, masks and frames are those of a ring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dense import boxed, weighed
from torch import Tensor

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.engine.layers import Pile, SoftMasks, layer_weights, rules_of
from smd_cli.engine.plan import Plan
from smd_cli.engine.schedule import step_table
from smd_cli.engine.stream import picture, single, stream
from smd_cli.engine.windows import Cells, Legal, Support, Window, places, windows_of
from smd_cli.errors import UsageError
from smd_cli.models.facts import resolve_model
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Background, Bootstrap, Guidance, Sampler, Scene, Wrap, Wrapped

from .fake import FakeBackbone
from .scenes import box, brush, plan, relative, scene

LEGAL = Legal(least=16, tile=32, most=48, grid=4)
BOTH: Wrapped = (True, True)


def whole(cells: Cells) -> Support:
    """The support of a brush that is told cell by cell of a canvas."""
    height, width = cells.shape
    return Support(cells, (slice(0, height), slice(0, width)), (height, width))


def patches(seed: int, shape: tuple[int, int]) -> Cells:
    """Cells of up to three boxes, any of which may lie over the edges."""
    rng = np.random.default_rng(seed)
    cells = np.zeros(shape, dtype=bool)
    for _ in range(rng.integers(1, 4)):
        own = np.zeros(shape, dtype=bool)
        own[: rng.integers(1, 40), : rng.integers(1, 40)] = True
        cells |= np.roll(own, rng.integers(0, 200, 2), (0, 1))
    return cells


# Windows


def inner(window: Window, sides: tuple[int, int]) -> Cells:
    """The cells of a canvas that a window sees, but for those at its ends."""
    cells = np.zeros(sides, dtype=bool)
    down, across = (places(s, side)[1:-1] for s, side in zip(window.strips, sides, strict=True))
    cells[np.ix_(down, across)] = True
    return cells


@pytest.mark.parametrize("legal", [LEGAL, None])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_all_is_seen_counts_once_and_lies_at_no_end(
    seed: int, centred: bool, legal: Legal | None
) -> None:
    rng = np.random.default_rng(seed)
    shape = (4 * int(rng.integers(2, 40)), 4 * int(rng.integers(2, 40)))
    cells = patches(seed, shape)
    total, seen = np.zeros(shape), np.zeros(shape, dtype=bool)
    for window in windows_of(whole(cells), legal, BOTH, centred=centred):
        at = [places(s, side) for s, side in zip(window.strips, shape, strict=True)]
        assert [len({*own}) for own in at] == [*window.shape]
        total[np.ix_(*at)] += window.share
        seen |= inner(window, shape)
    assert np.allclose(total[cells], 1)
    assert seen[cells].all()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_rolled_by_the_stride_windows_roll(seed: int, centred: bool) -> None:
    """A ring of 96 cells has four tiles of 32, and so does one of 192 have eight."""
    cells = patches(seed, (96, 192))
    seen = {
        (w.corner[0] % 96, w.corner[1] % 192, w.shape)
        for w in windows_of(whole(cells), LEGAL, BOTH, centred=centred)
    }
    rolled = windows_of(whole(np.roll(cells, (24, 48), (0, 1))), LEGAL, BOTH, centred=centred)
    moved = {((top + 24) % 96, (left + 48) % 192, shape) for top, left, shape in seen}
    assert {(w.corner[0] % 96, w.corner[1] % 192, w.shape) for w in rolled} == moved


def test_a_brush_over_the_edge_has_one_window() -> None:
    cells = np.zeros((64, 16), dtype=bool)
    cells[:4], cells[-6:] = True, True
    (window,) = windows_of(whole(cells), LEGAL, (True, False), centred=False)
    # Ten cells from 58 on: the middle, 63, less 8 is 55, and 56 is the next multiple of 4.
    assert (window.rows.start, window.rows.length) == (56, 16)
    assert len(windows_of(whole(cells), LEGAL, centred=False)) == 2


# Masks


@pytest.mark.parametrize("wraps", [(False, True), (True, False), BOTH])
@pytest.mark.parametrize("seed", range(6))
def test_masks_are_those_of_a_canvas_in_many_copies(seed: int, wraps: Wrapped) -> None:
    rng, size, factor = np.random.default_rng(seed), (40, 24), 4
    table, layers, copies = step_table({}, steps=5), [], []
    for number in range(1, 4):
        left, top = (int(rng.integers(0, side - 4)) for side in size)
        paint = box(left, top, left + int(rng.integers(1, 20)), top + 5, size)
        one = brush(number, blur_px=float(rng.choice([0.0, 2.0, 9.0])), alpha=0.99)
        layers.append(Painted(one, boxed(paint), ()))
        copies.append(Painted(one, boxed(np.tile(paint, [5 if w else 1 for w in wraps])), ()))

    def weights(painted: list[Painted], size: tuple[int, int], wraps: Wrapped) -> Any:
        rules = rules_of(painted, size, Sampler(), factor, factor, wraps)
        args = (painted, Pile(size), rules, table, "continuous", SoftMasks())
        return layer_weights(*args).dense()

    ours = weights(layers, size, wraps)
    tall, wide = (side * (5 if wrap else 1) for side, wrap in zip((24, 40), wraps, strict=True))
    rows, columns = (
        slice(2 * cells, 3 * cells) if wrap else slice(0, cells)
        for cells, wrap in zip((6, 10), wraps, strict=True)
    )
    wanted = weights(copies, (wide, tall), (False, False))[:, :, rows, columns]
    assert ours == pytest.approx(wanted, abs=1e-6)
    assert ours.any()


# The engine


@pytest.fixture
def fake() -> FakeBackbone:
    return FakeBackbone()


CHANGES: list[dict[str, Any]] = [
    {},
    {"bootstrap": Bootstrap(2, 1.5, 0.3)},
    {"guidance": Guidance("full", 1.4)},
    {"windows": "off", "bootstrap": Bootstrap(1)},
    {"preaverage": False},
    {"background": Background(color=(10, 200, 90))},
]


def rolled(made: Plan, again: Plan, cells: int) -> Plan:
    """A plan of rolled masks with the noise of another, rolled with them."""
    noise = None if made.brush_noise is None else made.brush_noise.roll(cells, -1)
    return replace(
        again,
        slot_noise=made.slot_noise.roll(cells, -1),
        start_noise=lambda frame: made.start_noise(frame).roll(cells, -1),
        brush_noise=noise,
    )


def pair(model: Backbone, wanted: Scene, paint: list[Any], cells: int) -> tuple[Plan, Plan]:
    """The plan of a scene, and that of all of it rolled by so many cells along x."""
    size = (paint[0].shape[1], paint[0].shape[0])
    made = plan(model, wanted, paint, size)
    again = plan(model, wanted, [np.roll(p, cells * model.factor, 1) for p in paint], size)
    return made, rolled(made, again, cells)


@pytest.mark.parametrize("run", [single, stream])
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_rolled_by_the_stride_frames_roll(changes: dict[str, Any], run: Any) -> None:
    fake = FakeBackbone(placed=False, reach=1, window_px=32, native_px=64)
    brushes = [brush(n, f"thing {n}", negative="no", blur_px=3.0) for n in (1, 2)]
    paint = [box(0, 4, 30, 40, (192, 64)), box(100, 20, 186, 64, (192, 64))]
    keys = {"background": Background("a hill"), "wrap": "x", **changes}
    made, moved = pair(fake, scene(*brushes, **keys), paint, 48)
    assert not torch.equal(weighed(made.weights), weighed(moved.weights))

    def frames(ours: Plan) -> Tensor:
        return torch.stack([frame.latents for frame in run(lambda _: ours, fake, 2)])

    assert relative(frames(moved), frames(made).roll(48, -1)) <= 1e-5


@pytest.mark.slow
def test_on_the_starter_the_picture_rolls() -> None:
    model = load_backbone(resolve_model("starter", Path()), "cpu", "fp32")
    size, cells = (768, 64), 24  # four tiles
    paint = [box(0, 8, 60, 60, size), box(700, 8, 768, 60, size)]
    wanted = scene(
        brush(1, "a fox", blur_px=2.0),
        brush(2, "a house", blur_px=2.0),
        background="grass",
        timesteps=(420, 180, 50),
        bootstrap=Bootstrap(1),
        wrap="x",
    )
    shots = []
    for ours in pair(model, wanted, paint, cells):
        (frame,) = single(lambda _: ours, model, 1)  # noqa: B023
        shots.append(picture(frame, model).astype(int))
    assert np.abs(np.roll(shots[0], cells * 8, 1) - shots[1]).max() <= 1
    assert shots[0].std() > 10


@pytest.mark.parametrize("wrap", ["x", "y", "both"])
def test_a_side_that_is_padded_cannot_wrap(wrap: Wrap, fake: FakeBackbone) -> None:
    sides = {"x": (30, 24), "y": (32, 22), "both": (30, 22)}
    wanted = scene(background="a hill", wrap=wrap)
    with pytest.raises(UsageError, match="cannot wrap: the model fake takes multiples of 4"):
        plan(fake, wanted, size=sides[wrap])
    other = {"x": (32, 22), "y": (30, 24), "both": (32, 24)}
    assert plan(fake, wanted, size=other[wrap]).wraps == wanted.wraps
