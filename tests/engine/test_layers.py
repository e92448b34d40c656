"""Slots counted from a mask's peak are those in which its weights are more than 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smd_cli.engine.layers import layer_weights, pad_patch, padded_paint, slot_counter
from smd_cli.engine.masks import cover_lower, cut_out
from smd_cli.engine.schedule import step_table
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import Sampler

from .scenes import brush

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
        layers.append(Painted(brush(number, **changes), paint, ()))
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
        weights = layer_weights(layers, padded_paint(layers, SIZE, FACTOR), sampler, table, FACTOR)
        counter = slot_counter(layers, SIZE, sampler, table, FACTOR)
        patches = [pad_patch(cut_out(p.paint), SIZE, FACTOR) for p in layers]
        published = preset == "paper"
        left = cover_lower(patches, counter.canvas, sampler.cover, published=published)
        counts = [
            counter.count(patch, p.brush.alpha, p.brush.blur_px)
            for patch, p in zip(left, reversed(layers), strict=True)
        ]
        wanted = weights.any(axis=(2, 3)).sum(axis=1).tolist()
        assert counts[::-1] == wanted
        seen |= {*wanted}
    assert len(seen) > 2
