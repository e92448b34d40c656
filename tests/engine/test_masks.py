"""From paint to weights: hand values, naive loops and torch's own resize."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from smd_cli.engine import masks
from smd_cli.engine.schedule import StepTable, step_table

from . import naive
from .scenes import Array, box

TABLE = step_table({"beta_schedule": "scaled_linear"}, steps=5)
SIGMAS = naive.sigmas((999, 919, 759, 499, 259))
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
    left = np.zeros_like(paint)
    patches = [masks.cut_out(mask) for mask in paint]
    upwards = masks.cover_lower(patches, paint.shape[1:], cover, published=published)
    for mask, patch in zip(left[::-1], upwards, strict=True):
        mask[patch.window] = patch.paint
    return left


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
    assert covered(column(*paint), 0.3) == pytest.approx(column(*ours))
    assert covered(column(*paint), 0.3, published=True) == pytest.approx(column(*published))


@pytest.mark.parametrize("cover", [0.0, 1.0])
def test_cover_at_its_ends(cover: float) -> None:
    assert covered(column(0.6, 1), cover) == pytest.approx(column(0.6 * cover, 1))


@pytest.mark.parametrize("published", [False, True])
def test_cover_against_a_loop_over_pixels(published: bool) -> None:
    paint = noise(4, 6, 5).round(1)
    before = paint.copy()
    wanted = naive.covered(paint.astype(np.float64), 0.3, published)
    assert covered(paint, 0.3, published=published) == pytest.approx(wanted, abs=1e-6)
    assert (paint == before).all()


# 2. Blur


@pytest.mark.parametrize(("std_px", "radius_px"), [(1, 3), (2.5, 8), (0.2, 1), (2, 9), (4, 12)])
def test_blur_is_a_two_dimensional_gaussian(std_px: float, radius_px: int) -> None:
    mask = noise(11, 9)
    wanted = naive.blurred(mask.astype(np.float64), std_px, radius_px)
    assert masks.gaussian_blur(mask, std_px, radius_px) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("std_px", "radius_px"), [(1, 3), (1.1, 4), (2.5, 8)])
def test_blur_reaches_three_deviations(std_px: float, radius_px: int) -> None:
    ours = masks.gaussian_blur(noise(20, 20), std_px)
    assert (ours == masks.gaussian_blur(noise(20, 20), std_px, radius_px)).all()


def test_blur_zero_is_none_and_flat_stays_flat() -> None:
    assert (masks.gaussian_blur(noise(8, 8), 0) == noise(8, 8)).all()
    flat = np.full((8, 8), 0.7, dtype=np.float32)
    assert masks.gaussian_blur(flat, 3) == pytest.approx(flat)


def test_blur_on_the_latent_grid_is_the_blur_resized() -> None:
    mask = noise(16, 24)
    whole = masks.to_latent_grid(masks.gaussian_blur(mask, 2.5), 8)
    assert masks.gaussian_blur(mask, 2.5, factor=8) == pytest.approx(whole, abs=1e-6)
    assert (masks.gaussian_blur(mask, 0, factor=8) == masks.to_latent_grid(mask, 8)).all()


def test_blur_of_one_brush_leaves_the_others() -> None:
    paint = np.stack([box(2, 2, 20, 20), box(4, 10, 30, 22)])

    def first(blur_px: float, published: bool) -> Array:
        weights = masks.brush_weights(
            paint, [1, 1], [1.5, blur_px], TABLE, factor=2, published=published
        )
        return np.asarray(weights[0])

    assert (first(0, published=False) == first(9, published=False)).all()
    assert (first(0, published=True) != first(9, published=True)).any()  # one radius for all


def test_padding_and_blur_commute() -> None:
    """What is added right and below to fit the model changes nothing of the picture's blur."""
    mask = noise(13, 10)
    padded = masks.pad_paint(mask[None], 8)[0]
    assert padded.shape == (16, 16)
    assert (padded[:13, :10] == mask).all()
    assert (padded[13:, :10] == mask[-1]).all()
    assert (padded[:13, 10:] == mask[:, -1:]).all()
    blurred = masks.gaussian_blur(padded, 2)[:13, :10]
    assert blurred == pytest.approx(masks.gaussian_blur(mask, 2), abs=1e-6)


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
    weights = masks.brush_weights(paint, [1], [blur_px], levels, factor=2, mask_type=mask_type)
    assert weights[0, :, :, :16] == pytest.approx(1, abs=1e-4)
    assert not weights[0, :, :, 47].any()


def test_alpha_and_the_published_rule_still_skip_a_slot_of_pure_noise() -> None:
    full = np.ones((1, 4, 4), dtype=np.float32)

    def acts(alpha: float, published: bool) -> list[bool]:
        weights = masks.brush_weights(
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
        weights = masks.brush_weights(full, [0.98], [0], TABLE, factor=2, mask_type=mask_type)
        return np.asarray(weights[0, :, 0, 0])

    assert per_slot("discrete").tolist() == [0, 0, 1, 1, 1]
    fading = (0.98 - SIGMAS[2]) / (SIGMAS[1] - SIGMAS[2])
    assert per_slot("continuous") == pytest.approx([0, fading, 1, 1, 1], abs=1e-5)
    assert 0.2 < fading < 0.4


# 5. Resize


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_resize_is_torchs_nearest(factor: int) -> None:
    mask = noise(3, 16, 24)
    size = (16 // factor, 24 // factor)
    wanted = F.interpolate(torch.from_numpy(mask)[None], size=size, mode="nearest")[0]
    assert (masks.to_latent_grid(mask, factor) == wanted.numpy()).all()


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
    assert masks.background_weight(per_slot) == pytest.approx(ours)
    assert masks.background_weight(per_slot, column(*paint)) == pytest.approx(published)


@pytest.mark.parametrize("mask_type", TYPES)
@pytest.mark.parametrize("blur_px", [0, 1.5, 6])
@pytest.mark.parametrize("kind", ["hard", "airbrushed"])
def test_soft_brushes_leave_no_hole(kind: str, blur_px: float, mask_type: str) -> None:
    """Over a prompted background the weights add up to 1 or more, everywhere in every slot."""
    soft = np.linspace(0, 1, 32, dtype=np.float32)
    paint = np.stack([box(6, 4, 26, 20), box(12, 8, 32, 16)])
    if kind == "airbrushed":
        paint = paint * soft
    weights = masks.brush_weights(
        paint, [0.98, 1], [blur_px, 2 * blur_px], TABLE, factor=2, mask_type=mask_type
    )
    total = masks.background_weight(weights) + weights.sum(axis=0)
    assert total.min() >= 1 - 1e-6


# All together


@pytest.mark.parametrize("mask_type", TYPES)
@pytest.mark.parametrize("published", [False, True])
def test_weights_against_the_naive_loop(mask_type: str, published: bool) -> None:
    ramp = np.linspace(0.4, 1, 16, dtype=np.float32)
    small = (16, 12)
    paint = np.stack([box(1, 1, 12, 11, small), box(5, 3, 16, 9, small) * ramp])
    paint = np.concatenate([paint, box(9, 5, 14, 12, small)[None]])
    alphas, blurs_px = [1, 0.98, 1], [0, 1, 2]
    weights = masks.brush_weights(
        paint, alphas, blurs_px, TABLE, factor=2, mask_type=mask_type, published=published
    )
    own = masks.to_latent_grid(paint, 2) if published else None
    below = masks.background_weight(weights, own)[None]
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
    paint = np.concatenate([noise(1, 40, 48), paint * noise(5, 40, 48)])
    alphas, blurs_px = [1.0, 0.98, 1.0, 0.5, 1.0, 1.0], [6.0, 1.5, 0.0, 2.0, 20.0, 4.0]
    top, weights = np.zeros((40, 48), dtype=np.float32), []
    for mask, alpha, blur_px in zip(paint[::-1], alphas[::-1], blurs_px[::-1], strict=True):
        left = mask * (1 - (1 - 0.3) * top)
        soft = masks.gaussian_blur(left, blur_px, 60 if published else None, factor=4)
        weights.append(masks.quantise(soft * np.float32(alpha), TABLE, mask_type))
        top = np.maximum(top, (mask > 0).astype(np.float32) if published else mask)
    ours = masks.brush_weights(
        paint, alphas, blurs_px, TABLE, factor=4, mask_type=mask_type, published=published
    )
    assert ours.tobytes() == np.stack(weights[::-1]).tobytes()


def test_no_brushes() -> None:
    weights = masks.brush_weights(np.zeros((0, 8, 12), np.float32), [], [], TABLE, factor=2)
    assert weights.shape == (0, 5, 4, 6)
    assert (masks.background_weight(weights) == 1).all()
