"""From paint to weights: hand values, naive loops and torch's own resize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dense import boxed, dense, levels, rounded

from smd_cli.engine import masks, softening
from smd_cli.engine.layers import Pile, SoftMasks, layer_weights, rules_of
from smd_cli.engine.schedule import StepTable, step_table
from smd_cli.engine.softening import Rules, soften
from smd_cli.scene.paint import boxes
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler

from . import naive
from .scenes import Array, box, brush

TABLE = step_table({"beta_schedule": "scaled_linear"}, steps=5)
SIGMAS = naive.sigmas((999, 919, 759, 499, 259))
LEVEL = 1 / 255  # paint has 8 bits
TYPES = ("discrete", "continuous", "semi-continuous")


def noise(*shape: int) -> Array:
    return np.random.default_rng(3).random(shape, dtype=np.float32)


def column(*values: float) -> Array:
    """One pixel of several brushes, (P, 1, 1)."""
    return np.array(values, dtype=np.float32)[:, None, None]


def table(*sigmas: float) -> StepTable:
    """A table of the given noise levels; nothing else of it matters to masks."""
    zeros = tuple(0.0 for _ in sigmas)
    return StepTable(tuple(range(len(sigmas))), zeros, sigmas, zeros, zeros)


# 1. Cover


def covered(paint: Array, cover: float, *, published: bool = False) -> Array:
    """What covering leaves of every mask (P, H, W)."""
    levels = np.rint(paint * 255).astype(np.uint8)
    above = [levels[p + 1 :].max(axis=0, initial=0) for p in range(len(levels))]
    left = [
        masks.covered(m, top, cover, published=published)
        for m, top in zip(levels, above, strict=True)
    ]
    return np.stack(left)


def blur(paint: Array, std_px: float, radius_px: int | None = None, factor: int = 1) -> Array:
    """A mask (H, W) blurred, its edges going on around it."""
    kernel = masks.gaussian_kernel(std_px, radius_px)
    return masks.gaussian_blur(np.pad(paint, len(kernel) // 2, mode="edge"), kernel, factor)


def brush_weights(
    paint: Array,
    alphas: Sequence[float],
    blurs_px: Sequence[float],
    table: StepTable,
    *,
    factor: int,
    mask_type: Any = "continuous",
    published: bool = False,
) -> Array:
    """All steps for brushes of some paint (P, H, W)."""
    layers = [
        Painted(brush(n, alpha=alpha, blur_px=blur_px), boxed(mask), ())
        for n, (mask, alpha, blur_px) in enumerate(zip(paint, alphas, blurs_px, strict=True), 1)
    ]
    size = (paint.shape[2], paint.shape[1])
    sampler = Sampler(preset="paper" if published else "auto", cover=0.3)
    rules = rules_of(layers, size, sampler, factor, factor)
    return layer_weights(layers, Pile(size), rules, table, mask_type, SoftMasks()).dense()


@pytest.mark.parametrize(
    ("paint", "ours", "published"),
    [
        ((1, 1), (0.3, 1), (0.3, 1)),
        ((1, 0), (1, 0), (1, 0)),
        ((1, 1, 1), (0.3, 0.3, 1), (0.3, 0.3, 1)),  # once, however many lie on top
        ((1, 0.5), (0.65, 0.5), (0.3, 0.5)),  # 1 - 0.7·0.5
        ((1, 0.5, 0.2), (0.65, 0.43, 0.2), (0.3, 0.15, 0.2)),  # 0.5·(1 - 0.7·0.2)
        ((0.4, 0.2, 0.5), (0.26, 0.13, 0.5), (0.12, 0.06, 0.5)),
        ((0.8,), (0.8,), (0.8,)),
    ],
)
def test_cover_by_hand(
    paint: tuple[float, ...], ours: tuple[float, ...], published: tuple[float, ...]
) -> None:
    assert covered(column(*paint), 0.3) == pytest.approx(column(*ours), abs=LEVEL)
    assert covered(column(*paint), 0.3, published=True) == pytest.approx(
        column(*published), abs=LEVEL
    )


@pytest.mark.parametrize("cover", [0.0, 1.0])
def test_cover_at_its_ends(cover: float) -> None:
    assert covered(column(0.6, 1), cover) == pytest.approx(column(0.6 * cover, 1), abs=LEVEL)


@pytest.mark.parametrize("published", [False, True])
def test_cover_against_a_loop_over_pixels(published: bool) -> None:
    paint = rounded(noise(4, 6, 5).round(1))
    before = paint.copy()
    wanted = naive.covered(paint.astype(np.float64), 0.3, published)
    assert covered(paint, 0.3, published=published) == pytest.approx(wanted, abs=1e-6)
    assert (paint == before).all()


# 2. Blur


@pytest.mark.parametrize(("std_px", "radius_px"), [(1, 3), (2.5, 8), (0.2, 1), (2, 9), (4, 12)])
def test_blur_is_a_two_dimensional_gaussian(std_px: float, radius_px: int) -> None:
    mask = noise(11, 9)
    wanted = naive.blurred(mask.astype(np.float64), std_px, radius_px)
    assert blur(mask, std_px, radius_px) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("std_px", "radius_px"), [(1, 3), (1.1, 4), (2.5, 8)])
def test_blur_reaches_three_deviations(std_px: float, radius_px: int) -> None:
    ours = blur(noise(20, 20), std_px)
    assert (ours == blur(noise(20, 20), std_px, radius_px)).all()


def test_blur_zero_is_none_and_flat_stays_flat() -> None:
    assert (blur(noise(8, 8), 0) == noise(8, 8)).all()
    flat = np.full((8, 8), 0.7, dtype=np.float32)
    assert blur(flat, 3) == pytest.approx(flat)


def test_blur_on_the_latent_grid_is_the_blur_resized() -> None:
    mask = noise(16, 24)
    whole = blur(mask, 2.5)[::8, ::8]
    assert blur(mask, 2.5, factor=8) == pytest.approx(whole, abs=1e-6)
    assert (blur(mask, 0, factor=8) == mask[::8, ::8]).all()


def test_blur_of_one_brush_leaves_the_others() -> None:
    paint = np.stack([box(2, 2, 20, 20), box(4, 10, 30, 22)])

    def first(blur_px: float, published: bool) -> Array:
        weights = brush_weights(paint, [1, 1], [1.5, blur_px], TABLE, factor=2, published=published)
        return np.asarray(weights[0])

    assert (first(0, published=False) == first(9, published=False)).all()
    assert (first(0, published=True) != first(9, published=True)).any()  # one radius for all


def test_padding_and_blur_commute() -> None:
    """What is added right and below to fit the model: the canvas' edge goes on there."""
    paint = boxed(noise(13, 10))
    padded = boxed(np.pad(dense(paint), ((0, 3), (0, 6)), mode="edge"))
    for std_px in (0.0, 1.0, 2.0, 4.0):
        rules = Rules((10, 13), 2, (8, 8), 0.3)
        ours = soften(paint, np.zeros((13, 10), np.uint8), std_px, rules)
        whole = Rules((16, 16), 2, (8, 8), 0.3)
        wanted = soften(padded, np.zeros((16, 16), np.uint8), std_px, whole)
        assert ours.window == wanted.window == (slice(0, 8), slice(0, 8))
        assert (ours.values == wanted.values).all()


@pytest.mark.parametrize("block_px", [4, 12, 512])
def test_blocks_and_tiles_change_no_bit(monkeypatch: pytest.MonkeyPatch, block_px: int) -> None:
    """Flat ones, of which a pixel is worked out, and others."""
    mask = box(6, 5, 70, 60, (80, 72)) * np.where(np.arange(80) < 50, 1, 0.6)
    above = np.rint(255 * box(40, 0, 80, 40, (80, 72))).astype(np.uint8)
    rules = Rules((80, 72), 4, (18, 20), 0.3)
    wanted = blur(masks.covered(np.rint(255 * mask).astype(np.uint8), above, 0.3), 2, None, 4)
    monkeypatch.setattr(softening, "_BLOCK_PX", block_px)
    monkeypatch.setattr(boxes, "TILE_PX", 16)
    ours = soften(boxed(mask), above, 2, rules)
    found = np.zeros_like(wanted)
    found[ours.window] = ours.values
    assert found.tobytes() == wanted.tobytes()


# 3. and 4. Alpha and quantisation


@pytest.mark.parametrize(
    ("mask_type", "mask", "wanted"),
    [
        ("discrete", 0.8, (0, 1, 1)),  # equal is enough
        ("discrete", 0.9, (1, 1, 1)),
        ("discrete", 0.5, (0, 0, 1)),
        ("discrete", 0.2, (0, 0, 1)),
        ("discrete", 0.0, (0, 0, 0)),
        ("discrete", 1.0, (1, 1, 1)),
        ("continuous", 0.8, (0, 1, 1)),
        ("continuous", 0.5, (0, 0.5, 1)),  # (0.5 - 0.2)/(0.8 - 0.2)
        ("continuous", 0.85, (0.5, 1, 1)),  # (0.85 - 0.8)/(0.9 - 0.8)
        ("continuous", 0.05, (0, 0, 0.25)),  # 0.05/0.2
        ("continuous", 1.0, (1, 1, 1)),
        ("continuous", 0.0, (0, 0, 0)),
        ("semi-continuous", 0.5, (0, 0, 1)),
        ("semi-continuous", 0.05, (0, 0, 0.25)),
        ("semi-continuous", 0.85, (0, 1, 1)),
    ],
)
def test_quantise_by_hand(mask_type: str, mask: float, wanted: tuple[float, ...]) -> None:
    weights = masks.quantise(column(mask)[0], table(0.9, 0.8, 0.2), mask_type)
    assert weights[:, 0, 0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("mask", "ours", "published"),
    [(0.9, (1, 1, 1), (0, 1, 1)), (0.8, (0, 1, 1), (0, 0, 1)), (0.2, (0, 0, 1), (0, 0, 0))],
)
def test_equal_to_the_noise(
    mask: float, ours: tuple[float, ...], published: tuple[float, ...]
) -> None:
    levels = table(0.9, 0.8, 0.2)
    for rule, wanted in ((False, ours), (True, published)):
        weights = masks.quantise(column(mask)[0], levels, "discrete", published=rule)
        assert tuple(weights[:, 0, 0]) == wanted


ZERO_SNR = step_table(
    {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}, timesteps=(999, 599, 199)
)
FLOW = table(1.0, 0.75, 0.5, 0.25)  # of a model whose α is 1 - σ


@pytest.mark.parametrize("levels", [ZERO_SNR, FLOW], ids=["zero SNR", "flow"])
@pytest.mark.parametrize("mask_type", TYPES)
@pytest.mark.parametrize("blur_px", [0.0, 1.0, 3.0, 8.0])
def test_full_paint_acts_in_a_slot_of_pure_noise(
    blur_px: float, mask_type: str, levels: StepTable
) -> None:
    """σ = 1 exactly; inside, a blur leaves full paint short of 1 by a rounding or two."""
    assert levels.sigmas[0] == 1
    paint = box(0, 0, 64, 64, (96, 64))[None]
    weights = brush_weights(paint, [1], [blur_px], levels, factor=2, mask_type=mask_type)
    assert weights[0, :, :, :16] == pytest.approx(1, abs=1e-4)
    assert not weights[0, :, :, 47].any()


def test_alpha_and_the_published_rule_still_skip_a_slot_of_pure_noise() -> None:
    full = np.ones((1, 4, 4), dtype=np.float32)

    def acts(alpha: float, published: bool) -> list[bool]:
        weights = brush_weights(
            full, [alpha], [0], FLOW, factor=2, mask_type="discrete", published=published
        )
        return [bool(weight) for weight in weights[0, :, 0, 0]]

    assert acts(0.98, published=False) == [False, True, True, True]
    assert acts(1, published=True) == [False, True, True, True]


def test_no_paint_acts_nowhere_even_without_noise() -> None:
    assert not masks.quantise(column(0.0)[0], table(0.5, 0.0), "discrete").any()


@pytest.mark.parametrize(("mask_type", "wanted"), [("discrete", 0), ("continuous", 0.5)])
def test_quantise_one_slot(mask_type: str, wanted: float) -> None:
    assert masks.quantise(column(0.45)[0], table(0.9), mask_type) == pytest.approx(wanted)


def test_alpha_acts_on_time() -> None:
    """σ = .998, .994, .974, .850, .584: at alpha 0.98 the first two slots are skipped."""
    full = np.ones((1, 4, 4), dtype=np.float32)

    def per_slot(mask_type: str) -> Array:
        weights = brush_weights(full, [0.98], [0], TABLE, factor=2, mask_type=mask_type)
        return np.asarray(weights[0, :, 0, 0])

    assert per_slot("discrete").tolist() == [0, 0, 1, 1, 1]
    fading = (0.98 - SIGMAS[2]) / (SIGMAS[1] - SIGMAS[2])
    assert per_slot("continuous") == pytest.approx([0, fading, 1, 1, 1], abs=1e-5)
    assert 0.2 < fading < 0.4


# 5. Resize


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_resize_is_torchs_nearest(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "TILE_PX", 5)
    mask = boxed(noise(16, 24))
    grid = (16 // factor, 24 // factor)
    wanted = F.interpolate(torch.from_numpy(dense(mask))[None, None], size=grid, mode="nearest")
    assert (mask.cells(factor, grid) == np.rint(wanted[0, 0].numpy() * 255)).all()


def test_cells_beyond_the_canvas_take_its_edge() -> None:
    mask = boxed(noise(5, 6))
    wanted = np.pad(levels(mask), ((0, 3), (0, 6)), mode="edge")[::4, ::4]
    assert (mask.cells(4, (2, 3)) == wanted).all()


# The background's weight


@pytest.mark.parametrize(
    ("weights", "paint", "ours", "published"),
    [
        ((0.3, 0.5), (0.9, 0.9), 0.2, 0),
        ((0.8, 0.7), (1, 1), 0, 0),  # never below 0
        ((0, 0), (0.1, 0), 1, 0),  # faint paint that acts in no slot
        ((0, 0), (0, 0), 1, 1),
    ],
)
def test_background_weight_by_hand(
    weights: tuple[float, ...], paint: tuple[float, ...], ours: float, published: float
) -> None:
    per_slot = column(*weights)[:, None]
    assert masks.background_weight(per_slot.sum(axis=0)) == pytest.approx(ours)
    bare = np.asarray(column(*paint).max(axis=0) == 0)
    assert masks.background_weight(per_slot.sum(axis=0), bare) == pytest.approx(published)


@pytest.mark.parametrize("mask_type", TYPES)
@pytest.mark.parametrize("blur_px", [0, 1.5, 6])
@pytest.mark.parametrize("kind", ["hard", "airbrushed"])
def test_soft_brushes_leave_no_hole(kind: str, blur_px: float, mask_type: str) -> None:
    """Over a prompted background the weights add up to 1 or more, everywhere in every slot."""
    soft = np.linspace(0, 1, 32, dtype=np.float32)
    paint = np.stack([box(6, 4, 26, 20), box(12, 8, 32, 16)])
    if kind == "airbrushed":
        paint = paint * soft
    weights = brush_weights(
        paint, [0.98, 1], [blur_px, 2 * blur_px], TABLE, factor=2, mask_type=mask_type
    )
    total = weights.sum(axis=0)
    total += masks.background_weight(total)
    assert total.min() >= 1 - 1e-6


# All together


@pytest.mark.parametrize("mask_type", TYPES)
@pytest.mark.parametrize("published", [False, True])
def test_weights_against_the_naive_loop(mask_type: str, published: bool) -> None:
    ramp = np.linspace(0.4, 1, 16, dtype=np.float32)
    small = (16, 12)
    paint = np.stack([box(1, 1, 12, 11, small), box(5, 3, 16, 9, small) * ramp])
    paint = rounded(np.concatenate([paint, box(9, 5, 14, 12, small)[None]]))
    alphas, blurs_px = [1, 0.98, 1], [0, 1, 2]
    weights = brush_weights(
        paint, alphas, blurs_px, TABLE, factor=2, mask_type=mask_type, published=published
    )
    bare = np.asarray(paint.max(axis=0) == 0)[::2, ::2] if published else None
    below = masks.background_weight(weights.sum(axis=0), bare)[None]
    wanted = naive.weights(
        paint.astype(np.float64),
        alphas,
        blurs_px,
        SIGMAS,
        factor=2,
        mask_type=mask_type,
        cover=0.3,
        published=published,
        background=True,
    )
    assert np.concatenate([below, weights]) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("mask_type", TYPES)
def test_work_around_the_paint_alone_changes_no_bit(mask_type: str, published: bool) -> None:
    """The same as covering and blurring whole canvases, one by one: corners, dots, nothing, all."""
    boxes = [(0, 0, 5, 4), (9, 30, 10, 31), (0, 0, 0, 0), (3, 20, 40, 24), (44, 36, 48, 40)]
    paint = np.stack([box(*each, (48, 40)) for each in boxes])
    paint = rounded(np.concatenate([noise(1, 40, 48), paint * noise(5, 40, 48)]))
    alphas, blurs_px = [1.0, 0.98, 1.0, 0.5, 1.0, 1.0], [6.0, 1.5, 0.0, 2.0, 20.0, 4.0]
    top, weights = np.zeros((40, 48), dtype=np.float32), []
    for mask, alpha, blur_px in zip(paint[::-1], alphas[::-1], blurs_px[::-1], strict=True):
        left = mask * (1 - (1 - 0.3) * top)
        soft = blur(left, blur_px, 60 if published else None, 4)
        weights.append(masks.quantise(soft * np.float32(alpha), TABLE, mask_type))
        top = np.maximum(top, (mask > 0).astype(np.float32) if published else mask)
    ours = brush_weights(
        paint, alphas, blurs_px, TABLE, factor=4, mask_type=mask_type, published=published
    )
    assert ours.tobytes() == np.stack(weights[::-1]).tobytes()


def test_no_brushes() -> None:
    weights = brush_weights(np.zeros((0, 8, 12), np.float32), [], [], TABLE, factor=2)
    assert weights.shape == (0, 5, 4, 6)
    assert (masks.background_weight(weights.sum(axis=0)) == 1).all()
