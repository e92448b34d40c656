"""Slots counted from a mask's peak are those in which its weights are more than 0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from dense import boxed, dense

from smd_cli.engine import layers as engine_layers
from smd_cli.engine import softening
from smd_cli.engine.layers import (
    Pile,
    SoftMasks,
    downwards,
    largest_weights,
    layer_weights,
    rules_of,
)
from smd_cli.engine.masks import gaussian_blur
from smd_cli.engine.schedule import step_table
from smd_cli.engine.softening import Patch, Rules, bare_peak, soften
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler

from .scenes import box, brush

SIZE, FACTOR = (60, 45), 8


def random_layers(seed: int) -> list[Painted]:
    """Boxes of any strength, some empty, some over the edge, blurred or not."""
    rng = np.random.default_rng(seed)
    layers = []
    for number in range(1, 6):
        paint = np.zeros((SIZE[1], SIZE[0]), dtype=np.float32)
        left, top = rng.integers(0, 40, 2)
        width, height = rng.integers(0, 40, 2)
        paint[top : top + height, left : left + width] = rng.choice([1.0, 0.97, 0.5])
        changes: Any = {
            "alpha": float(rng.choice([1.0, 0.98, 0.6])),
            "blur_px": float(rng.choice([0, 3])),
        }
        layers.append(Painted(brush(number, **changes), boxed(paint), ()))
    return layers


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("mask_type", ["discrete", "continuous", "semi-continuous"])
@pytest.mark.parametrize("preset", ["auto", "paper"])
def test_slots_are_those_of_the_weights(preset: Any, mask_type: Any, zero_snr: bool) -> None:
    table = step_table({"rescale_betas_zero_snr": zero_snr}, steps=5)
    sampler = Sampler(preset=preset, mask_type=mask_type)
    seen = set()
    for seed in range(12):
        layers = random_layers(seed)
        rules = rules_of(layers, SIZE, sampler, FACTOR, FACTOR)
        weights = layer_weights(layers, Pile(SIZE), rules, table, mask_type, SoftMasks()).dense()
        largest = [
            largest_weights(laid.soft().peak, laid.painted.brush.alpha, table, mask_type, rules)
            for laid in downwards(layers, Pile(SIZE), rules, SoftMasks())
        ]
        assert np.array_equal(np.stack(largest[::-1]), weights.max(axis=(2, 3)))
        seen |= {*(weights > 0).any(axis=(2, 3)).sum(axis=1).tolist()}
    assert len(seen) > 2


def test_a_bare_peak_is_that_of_the_mask_alone() -> None:
    """Whether flat paint tells it or the whole mask has to be blurred."""
    rng = np.random.default_rng(0)
    for side, std_px in [(40, 2.0), (40, 0.0), (12, 4.0), (40, 5.0)]:
        paint = np.zeros((45, 60))
        paint[3 : 3 + side, 5 : 5 + side] = 0.8
        for noisy in (False, True):
            mask = boxed(np.clip(paint * (rng.random(paint.shape) if noisy else 1), 0, 1))
            rules = Rules(SIZE, FACTOR, (6, 8), 0.3)
            nothing = np.zeros((45, 60), dtype=np.uint8)
            assert bare_peak(mask, std_px, rules) == soften(mask, nothing, std_px, rules).peak


def test_what_did_not_change_is_not_softened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(paint: Paint, *rest: Any) -> Patch:
        made.append(paint)
        return soften(paint, *rest)

    monkeypatch.setattr(engine_layers, "soften", counted)
    table, sampler, kept = step_table({}, steps=5), Sampler(), SoftMasks()

    def plan(layers: list[Painted]) -> Any:
        rules = rules_of(layers, SIZE, sampler, FACTOR, FACTOR)
        return layer_weights(layers, Pile(SIZE), rules, table, "continuous", kept).dense()

    low, high, apart = (
        Painted(brush(n), boxed(box(*at, SIZE)), ())
        for n, at in enumerate([(0, 0, 20, 20), (10, 10, 30, 30), (40, 30, 60, 45)], 1)
    )
    first = plan([low, high, apart])
    assert (plan([low, high, apart]) == first).all()
    assert len(made) == 3
    moved = Painted(high.brush, boxed(box(11, 11, 31, 31, SIZE)), ())
    plan([low, moved, apart])
    assert made[3:] == [moved.paint, low.paint]
    assert len(kept.laid) == 3
    fresh = plan([low, high, apart])
    assert (fresh == first).all()
    assert made[5:] == [high.paint, low.paint]


# What an edit leaves as it was

WIDE = (1024, 512)


def edited(layers: list[Painted], rng: np.random.Generator) -> list[Painted]:
    """Layers after a stroke, a move, another blur, a muted brush or a change of order."""
    at = int(rng.integers(len(layers)))
    paint, own = dense(layers[at].paint), layers[at].brush
    match rng.integers(6):
        case 0 | 1:
            top, left = rng.integers(0, 30, 2)
            paint[top : top + 9, left : left + 12] = rng.choice([0.0, 0.4, 1.0])
            changed = Painted(own, boxed(paint), ())
        case 2:
            changed = Painted(own, boxed(np.roll(paint, rng.integers(-9, 9, 2), (0, 1))), ())
        case 3:
            changed = Painted(replace(own, blur_px=float(rng.choice([0, 2, 3]))), boxed(paint), ())
        case 4:
            return layers[:at] + layers[at + 1 :] if len(layers) > 2 else random_layers(at)
        case _:
            order = rng.permutation(len(layers))
            return [
                Painted(replace(layers[old].brush, number=new), layers[old].paint, ())
                for new, old in enumerate(order, 1)
            ]
    return [*layers[:at], changed, *layers[at + 1 :]]


@pytest.mark.parametrize("preset", ["auto", "paper"])
@pytest.mark.parametrize("seed", range(3))
def test_masks_after_any_edits_are_those_of_a_fresh_start(
    preset: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softening, "_BLOCK_PX", 24)
    table, sampler, kept = step_table({}, steps=5), Sampler(preset=preset), SoftMasks()
    rng, layers = np.random.default_rng(seed), random_layers(seed)
    for _ in range(25):
        layers = edited(layers, rng)
        rules = rules_of(layers, SIZE, sampler, FACTOR, 32)

        def weights(rules: Rules, layers: list[Painted], known: SoftMasks) -> Any:
            return layer_weights(layers, Pile(SIZE), rules, table, "continuous", known).dense()

        ours = weights(rules, layers, kept)
        assert (ours == weights(rules, layers, SoftMasks())).all()
        assert set(kept.last) == {layer.brush.number for layer in layers}


@pytest.mark.parametrize(("blur_px", "cells"), [(0.0, 1), (2.0, 9)])
@pytest.mark.parametrize("at", [0, 7, 15])
def test_a_stroke_is_softened_where_it_reaches(
    at: int, blur_px: float, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell, or what lies 6 px around it, of the edited mask and of those under it."""
    blurred: list[int] = []

    def counted(*given: Any) -> Any:
        soft = gaussian_blur(*given)
        blurred.append(soft.size)
        return soft

    monkeypatch.setattr(softening, "gaussian_blur", counted)
    rng, kept, table = np.random.default_rng(0), SoftMasks(), step_table({}, steps=5)
    paints = [0.1 + 0.5 * rng.random((512, 1024)) for _ in range(16)]

    def plan(known: SoftMasks) -> Any:
        rules = rules_of(layers, WIDE, Sampler(), FACTOR, FACTOR)
        return layer_weights(layers, Pile(WIDE), rules, table, "continuous", known).dense()

    layers = [
        Painted(brush(n, blur_px=blur_px), boxed(paint), ()) for n, paint in enumerate(paints, 1)
    ]
    plan(kept)
    assert sum(blurred) == 16 * 64 * 128
    blurred.clear()
    paints[at][80:88, 160:168] = 0.99
    layers[at] = Painted(layers[at].brush, boxed(paints[at]), ())
    ours = plan(kept)
    assert sum(blurred) == cells * (at + 1)
    assert (ours == plan(SoftMasks())).all()
