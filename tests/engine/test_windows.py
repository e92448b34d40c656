"""Windows see all of a brush, count once, and give what whole canvases give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from smd_cli.engine import flight, weights
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import single, stream
from smd_cli.engine.windows import Cells, Legal, Support, windows_of
from smd_cli.scene.kept import Kept
from smd_cli.scene.types import NOT_WRAPPED, Background, Bootstrap, Guidance, Windows

from .fake import FakeBackbone
from .scenes import box, brush, plan, relative, scene

LEGAL = Legal(least=16, tile=32, most=48, grid=4)


def painted(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Cells:
    """Cells (h, w) that are true in boxes of top, left, bottom and right."""
    cells = np.zeros(shape, dtype=bool)
    for top, left, bottom, right in boxes:
        cells[top:bottom, left:right] = True
    return cells


def whole(cells: Cells) -> Support:
    """The support of a brush that is told cell by cell of a canvas."""
    height, width = cells.shape
    return Support(cells, (slice(0, height), slice(0, width)), (height, width))


@pytest.mark.parametrize(
    ("hits", "size", "shift"),
    [
        ((0, 0), 8, 4),  # one cell at 0: box centre (0+0+1)//2 = 0
        ((1, 1), 8, 3),  # (1+1+1)//2 = 1
        ((0, 1), 8, 3),  # (0+1+1)//2 = 1
        ((0, 2), 8, 3),  # (0+2+1)//2 = 1
        ((6, 7), 8, -3),  # (6+7+1)//2 = 7
        ((0, 7), 8, 0),  # the whole line
        ((1, 4), 7, 0),  # 3 = 7//2
        ((0, 6), 7, 0),
        ((2, 2), 1 + 4, 0),
    ],
)
def test_whole_canvases_are_centred_by_hand(hits: tuple[int, int], size: int, shift: int) -> None:
    cells = np.zeros((size, 11), dtype=bool)
    cells[list(hits), 9] = True
    (window,) = windows_of(whole(cells), None, centred=True)
    assert window.corner == (-shift, -(5 - 9))
    (window,) = windows_of(whole(cells.T), None, centred=True)
    assert window.corner == (-(5 - 9), -shift)
    (window,) = windows_of(whole(cells), None, centred=False)
    assert (window.corner, window.shape) == ((0, 0), (size, 11))


@pytest.mark.parametrize(
    ("span", "canvas", "start", "length"),
    [
        ((20, 28), 64, 16, 16),  # the middle, 24, less 8
        ((21, 31), 64, 20, 16),  # 26 - 8 = 18 is no multiple of 4; 18/4 = 4.5 rounds to 4 … 16
        ((0, 8), 64, 0, 16),  # at the edge
        ((58, 64), 64, 48, 16),
        ((20, 33), 64, 16, 24),  # 13 cells and two on either side are more than 16
        ((10, 50), 64, 8, 48),  # the largest: 40 + 4 is more than 40
        ((3, 40), 40, 0, 40),  # a canvas that is not larger than the largest
        ((3, 5), 12, 0, 12),  # one that is smaller than any
    ],
)
def test_a_side_by_hand(span: tuple[int, int], canvas: int, start: int, length: int) -> None:
    cells = painted((canvas, 16), (span[0], 0, span[1], 16))
    (window,) = windows_of(whole(cells), LEGAL, centred=False)
    assert (window.rows.length, window.columns.length) == (length, 16)
    assert window.rows.start % 4 == 0
    assert window.rows.start <= span[0]
    assert span[1] <= window.rows.start + length
    if span != (21, 31):
        assert window.rows.start == start


def test_a_centred_window_goes_on_at_the_other_end() -> None:
    (window,) = windows_of(whole(painted((64, 64), (0, 60, 4, 64))), LEGAL, centred=True)
    assert (window.corner, window.shape) == ((2 - 8, 62 - 8), (16, 16))


def test_nothing_has_no_window() -> None:
    assert windows_of(whole(painted((64, 64))), LEGAL, centred=True) == ()


def test_tiles_by_hand() -> None:
    windows = windows_of(whole(painted((64, 16), (0, 0, 64, 16))), LEGAL, centred=False)
    assert [w.corner for w in windows] == [(0, 0), (16, 0), (32, 0)]
    assert {w.shape for w in windows} == {(32, 16)}
    first, second = windows[0].share[:, 0], windows[1].share[:, 0]
    assert np.allclose(first[:16], 1)
    # Row 16 is half a cell inside the second, and 15.5 inside the first.
    assert np.isclose(first[16], 15.5 / 16)
    assert np.isclose(second[0], 0.5 / 16)


def test_tiles_without_paint_are_left_out() -> None:
    cells = painted((128, 16), (0, 0, 8, 16), (120, 0, 128, 16))
    windows = windows_of(whole(cells), LEGAL, centred=False)
    assert [w.corner[0] for w in windows] == [0, 96]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_all_is_seen_and_counts_once(seed: int, centred: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (4 * int(rng.integers(1, 40)), 4 * int(rng.integers(1, 40)))
    cells = painted(shape)
    for _ in range(rng.integers(1, 4)):
        top, left = (int(rng.integers(0, side)) for side in shape)
        cells[top : top + rng.integers(1, 50), left : left + rng.integers(1, 50)] = True
    total = np.zeros(shape)
    legal = {16, 24, 32, 40, 48, *(side for side in shape if side <= 48)}
    for window in windows_of(whole(cells), LEGAL, centred=centred):
        assert {*window.shape} <= legal
        down, across = (
            np.arange(s.start, s.start + s.length) % side
            for s, side in zip((window.rows, window.columns), shape, strict=True)
        )
        assert len({*down}) == len(down)
        total[np.ix_(down, across)] += window.share
    assert np.allclose(total[cells], 1)


def test_windows_of_equal_cells_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the slots of a plan, and in the next plan; the ground acts where it takes back."""
    made = []

    def counted(support: Support, legal: Legal, wraps: Any, *, centred: bool) -> Any:
        made.append(centred)
        return windows_of(support, legal, wraps, centred=centred)

    monkeypatch.setattr(weights, "windows_of", counted)
    low, high, ground = (
        painted((64, 64), at) for at in [(0, 0, 20, 20), (30, 30, 60, 50), (20, 0, 64, 64)]
    )
    box = (slice(0, 64), slice(0, 64))
    acts = [np.stack([one] * 3).astype(np.float32) for one in (ground, low, high)]
    brushes = weights.Weights((64, 64), 3, tuple(weights.Boxed(one, box) for one in acts))
    kept: Kept[Any] = Kept()
    for fresh in ([True] * 3 + [False] * 3, []):
        made.clear()
        found = weights.windows_of_slots(
            brushes, LEGAL, NOT_WRAPPED, kept, centred=1, returns=range(1), apart=3
        )
        assert made == fresh
    for slot, rows in enumerate(found):
        seen = [ground | low | high if slot == 0 else ground, low, high]
        for own, cells in zip(rows, seen, strict=True):
            alone = windows_of(whole(cells), LEGAL, centred=slot < 1)
            assert [(w.corner, w.shape) for w in own] == [(w.corner, w.shape) for w in alone]
            assert all((w.share == a.share).all() for w, a in zip(own, alone, strict=True))


@pytest.mark.parametrize(
    ("asked", "legal"),
    [
        ("auto", Legal(16, 32, 48, 4)),
        ("off", None),
        (200, Legal(28, 32, 48, 4)),  # 25 cells, rounded up to fours
        (512, Legal(64, 64, 96, 4)),
    ],
)
def test_what_is_legal(asked: Windows, legal: Legal | None) -> None:
    assert Legal.of(asked, 128, 256, 8, 32) == legal


# The engine


def both(fake: FakeBackbone, **changes: Any) -> tuple[Plan, Plan]:
    """A plan with small windows, and one that is the same without."""
    paint = [box(4, 4, 16, 20, SIZE), box(30, 30, 60, 44, SIZE), box(60, 2, 128, 60, SIZE)]
    brushes = [brush(n, f"thing {n}", negative="no", blur_px=1.0) for n in (1, 2, 3)]
    made = [
        plan(
            replace(fake, window_px=16, native_px=32),
            scene(*brushes, **{"background": Background("a hill"), "windows": own, **changes}),
            paint,
            SIZE,
        )
        for own in ("auto", "off")
    ]
    return made[0], made[1]


def frames(run: Any, ours: Plan, fake: FakeBackbone) -> Tensor:
    """The latents of two frames."""
    return torch.stack([frame.latents for frame in run(lambda _: ours, fake, 2)])


def seen_by(ours: Plan, brushes: Sequence[int]) -> Plan:
    """The plan with no rows but those of some brushes."""
    slots = [[own if p in brushes else () for p, own in enumerate(s)] for s in ours.windows]
    return replace(ours, windows=tuple(tuple(slot) for slot in slots))


SIZE = (128, 64)
CHANGES: list[dict[str, Any]] = [
    {},
    {"bootstrap": Bootstrap(2, 1.5, 0.3)},
    {"guidance": Guidance("full", 1.4)},
    {"guidance": Guidance("self", 1.4), "bootstrap": Bootstrap(2)},
    {"guidance": Guidance("initialize", 1.4), "bootstrap": Bootstrap(1)},
    {"preaverage": False, "bootstrap": Bootstrap(1, 1, 2.0)},
    {"background": Background(color=(10, 200, 90))},
]


@pytest.mark.parametrize("run", [single, stream])
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_of_a_network_that_knows_no_place_all_windows_are_alike(
    changes: dict[str, Any], run: Any
) -> None:
    fake = FakeBackbone(placed=False)
    windowed, whole = both(fake, **changes)
    assert relative(frames(run, windowed, fake), frames(run, whole, fake)) <= 1e-5
    if "initialize" not in str(changes):
        assert windowed.cells < 0.8 * whole.cells


@pytest.mark.parametrize("changes", CHANGES[:2], ids=str)
def test_the_margin_is_what_a_network_needs(changes: dict[str, Any]) -> None:
    """A network that sees a cell around each sees in windows what it sees on the canvas."""
    fake = FakeBackbone(placed=False, reach=1)
    windowed, whole = both(fake, **changes)
    frame = [frames(single, seen_by(p, (1, 2)), fake) for p in (windowed, whole)]
    assert windowed.windows[4][1][0].shape != whole.windows[4][1][0].shape
    assert relative(*frame) <= 1e-5


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_bands_of_memory_change_nothing(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeBackbone()
    windowed, _ = both(fake, **changes)
    wanted = frames(stream, windowed, fake)
    monkeypatch.setattr(flight, "MOST_GATHERED", 3 * 4 * 64 * 5)
    assert relative(frames(stream, windowed, fake), wanted) <= 1e-6


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("run", [single, stream])
def test_a_window_as_large_as_the_canvas_changes_no_bit(changes: dict[str, Any], run: Any) -> None:
    fake = FakeBackbone(reach=1)
    paint = [box(4, 4, 16, 20, SIZE), box(60, 2, 128, 60, SIZE)]
    wanted = scene(
        *(brush(n, f"thing {n}", negative="no", blur_px=1.0) for n in (1, 2)),
        **{"background": Background("a hill"), "windows": "off", **changes},
    )
    large = replace(wanted, sampler=replace(wanted.sampler, windows=max(SIZE)))
    off, on = (plan(fake, each, paint, SIZE) for each in (wanted, large))
    assert torch.equal(frames(run, on, fake), frames(run, off, fake))
