"""Noise: a function of the seed alone."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from smd_cli.engine.noise import WALK_FRAMES, WALK_REACH, SeededNoise, gaussian, walk
from smd_cli.scene.types import NoiseKind

from .scenes import world

KINDS: list[NoiseKind] = ["independent", "fixed", "walk"]
SHAPE = (3, 6, 8)
NOISE = SeededNoise(seed=5, shape=SHAPE, slot_count=3)
LEFT = torch.zeros(6, 8, dtype=torch.bool)
LEFT[:, :4] = True
TOP = torch.zeros(6, 8, dtype=torch.bool)
TOP[:2] = True


def all_of(noise: SeededNoise) -> Tensor:
    """Everything that a scene draws: slots, starts and brushes, (…, C, h, w)."""
    starts = torch.stack([noise.start(frame) for frame in range(3)])
    return torch.cat([noise.slots(), starts, noise.brushes(2).flatten(0, 1)])


def test_each_draw_is_its_own() -> None:
    draws = [
        gaussian(SHAPE, *what)
        for what in [(1, "slot", 0), (1, "slot", 1), (2, "slot", 0), (1, "start", 0), (12, "x", 3)]
    ]
    draws += [gaussian(SHAPE, 1, "x", 23), gaussian(SHAPE, 2**63 - 1), gaussian(SHAPE, 2**63 - 2)]
    for n, one in enumerate(draws):
        assert all(not torch.isclose(one, other).any() for other in draws[:n])
    assert torch.equal(draws[0], gaussian(SHAPE, 1, "slot", 0))


def test_a_scenes_draws_are_all_different() -> None:
    flat = all_of(NOISE).flatten(1)
    correlation = torch.corrcoef(flat) - torch.eye(len(flat))
    assert correlation.abs().max() < 0.4  # 144 elements: 1/12 a deviation


@pytest.mark.parametrize("kind", KINDS)
def test_unit_variance(kind: NoiseKind) -> None:
    noise = SeededNoise(7, (4, 64, 64), 2, kind, frames=3, regions=())
    regions = ((torch.arange(64 * 64).reshape(64, 64) % 3 == 0, 9),)
    for drawn in (noise, replace(noise, regions=regions)):
        for sample in [*(drawn.start(k) for k in range(3)), *drawn.slots(), *drawn.brushes(1)[0]]:
            assert sample.mean().abs() < 0.04  # 16384 elements: five deviations
            assert (sample.var() - 1).abs() < 0.06
            assert (sample.pow(4).mean() / 3 - 1).abs() < 0.15


@pytest.mark.parametrize("kind", ["independent", "fixed"])
def test_a_frame_is_the_same_whatever_the_count(kind: NoiseKind) -> None:
    few, many = (SeededNoise(5, SHAPE, 3, kind, frames) for frames in (4, 9))
    assert all(torch.equal(few.start(k), many.start(k)) for k in range(4))


def test_kinds() -> None:
    independent = [NOISE.start(k) for k in range(3)]
    assert not any(torch.isclose(a, b).any() for a, b in pairwise(independent))
    fixed = replace(NOISE, kind="fixed")
    assert torch.equal(fixed.start(0), fixed.start(7))
    assert all(torch.equal(replace(NOISE, kind=kind).slots(), NOISE.slots()) for kind in KINDS)


# Walk


def path(frames: int, shape: tuple[int, int, int] = SHAPE) -> list[Tensor]:
    """One round of a walk, and its first frame again."""
    noise = SeededNoise(5, shape, 1, "walk", frames)
    return [noise.start(k) for k in range(frames + 1)]


def test_walk_depends_on_the_share_of_the_round() -> None:
    short, long = path(4), path(12)
    assert all(torch.allclose(short[k], long[3 * k], atol=1e-6) for k in range(5))
    assert not torch.allclose(short[1], long[1], atol=1e-2)


def test_walk_closes() -> None:
    frames = path(6)
    assert torch.equal(frames[0], frames[6])
    steps = [float((a - b).norm()) for a, b in pairwise(frames)]
    # half a round apart the step is the same turned around
    assert steps[:3] == pytest.approx(steps[3:], rel=1e-4)


def test_walk_of_a_still_moves_when_it_is_streamed() -> None:
    """As does the walk of that many frames, whose first frame is the still."""
    still, moving = (SeededNoise(5, SHAPE, 1, "walk", frames) for frames in (1, WALK_FRAMES))
    starts = [still.start(k) for k in range(WALK_FRAMES + 1)]
    assert all(torch.equal(start, moving.start(k)) for k, start in enumerate(starts))
    assert all(not torch.equal(a, b) for a, b in pairwise(starts))
    assert torch.equal(starts[0], starts[-1])


@pytest.mark.parametrize("frames", [1, 2, 7, WALK_FRAMES])
def test_walk_goes_round_for_ever(frames: int) -> None:
    """Frame k is of (scene, k) alone, however far a stream has come."""
    noise = SeededNoise(5, SHAPE, 1, "walk", frames)
    period = WALK_FRAMES if frames == 1 else frames
    for k in (period, period + 1, 5 * period - 1, 10**6 * period + 1):
        assert torch.equal(noise.start(k), noise.start(k % period))


def test_walk_has_no_jump() -> None:
    steps = [float((a - b).norm()) for a, b in pairwise(path(12, (4, 64, 64)))]
    assert max(steps) / min(steps) < 1.05
    chord = 2 * math.sin(WALK_REACH) * math.sin(math.pi / 12) * math.sqrt(4 * 64 * 64)
    assert steps == pytest.approx([chord] * 12, rel=0.05)


def test_walk_by_hand() -> None:
    """On three axes: a point at angle REACH from the centre, on the unit sphere."""
    centre, east, north = torch.eye(3)
    for turn, direction in [(0, east), (0.25, north), (0.5, -east), (0.75, -north)]:
        point = walk(centre, east, north, 2 * math.pi * turn)
        assert torch.allclose(point.norm(), torch.tensor(1.0))
        assert torch.allclose(point @ centre, torch.tensor(math.cos(WALK_REACH)))
        assert torch.allclose(point @ direction, torch.tensor(math.sin(WALK_REACH)))


# Seeds of brushes


@pytest.mark.parametrize("kind", KINDS)
def test_a_brushs_seed_changes_its_paint_alone(kind: NoiseKind) -> None:
    plain = replace(NOISE, kind=kind, frames=3)
    first, second = (all_of(replace(plain, regions=((LEFT, seed),))) for seed in (1, 2))
    outside = all_of(plain)
    assert torch.equal(first[..., ~LEFT], outside[..., ~LEFT])
    assert torch.equal(second[..., ~LEFT], outside[..., ~LEFT])
    assert not torch.isclose(first[..., LEFT], second[..., LEFT], atol=0).any()
    assert not torch.isclose(first[..., LEFT], outside[..., LEFT], atol=0).any()


def test_the_scenes_seed_leaves_a_seeded_brush() -> None:
    one = all_of(replace(NOISE, regions=((LEFT, 1),)))
    other = all_of(replace(NOISE, seed=6, regions=((LEFT, 1),)))
    assert torch.equal(one[..., LEFT], other[..., LEFT])
    assert not torch.isclose(one[..., ~LEFT], other[..., ~LEFT], atol=0).any()


def test_a_brushs_seed_is_a_scenes_seed() -> None:
    seeded = replace(NOISE, regions=((LEFT, 77),))
    assert torch.equal(all_of(seeded)[..., LEFT], all_of(replace(NOISE, seed=77))[..., LEFT])


def test_later_brushes_lie_on_top() -> None:
    drawn = all_of(replace(NOISE, regions=((LEFT, 1), (TOP, 2))))
    assert torch.equal(drawn[..., TOP], all_of(replace(NOISE, seed=2))[..., TOP])
    below = LEFT & ~TOP
    assert torch.equal(drawn[..., below], all_of(replace(NOISE, seed=1))[..., below])


# The world around


def test_global_generators_stay_untouched() -> None:
    before = world()
    all_of(replace(NOISE, regions=((LEFT, 1),)))
    assert world() == before


def test_the_default_dtype_does_not_matter() -> None:
    usual = all_of(NOISE)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(all_of(NOISE), usual)
    finally:
        torch.set_default_dtype(torch.float32)
