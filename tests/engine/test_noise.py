"""Noise: a function of the seed alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from smd_cli.engine.noise import (
    WALK_FRAMES,
    WALK_REACH,
    Region,
    SeededNoise,
    gaussian,
    travelled,
    walk,
    widened,
)
from smd_cli.scene.types import Fade, NoiseKind

from .scenes import world

KINDS: list[NoiseKind] = ["independent", "fixed", "walk", "flow"]
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
    regions = (Region(torch.arange(64 * 64).reshape(64, 64) % 3 == 0, 9, travel=(1.3, -2.6)),)
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
    fixed, flow = replace(NOISE, kind="fixed"), replace(NOISE, kind="flow")
    assert torch.equal(fixed.start(0), fixed.start(7))
    assert torch.equal(flow.start(7), fixed.start(0)), "what does not travel stays"
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
    first, second = (all_of(replace(plain, regions=(Region(LEFT, seed),))) for seed in (1, 2))
    outside = all_of(plain)
    assert torch.equal(first[..., ~LEFT], outside[..., ~LEFT])
    assert torch.equal(second[..., ~LEFT], outside[..., ~LEFT])
    assert not torch.isclose(first[..., LEFT], second[..., LEFT], atol=0).any()
    assert not torch.isclose(first[..., LEFT], outside[..., LEFT], atol=0).any()


def test_the_scenes_seed_leaves_a_seeded_brush() -> None:
    one = all_of(replace(NOISE, regions=(Region(LEFT, 1),)))
    other = all_of(replace(NOISE, seed=6, regions=(Region(LEFT, 1),)))
    assert torch.equal(one[..., LEFT], other[..., LEFT])
    assert not torch.isclose(one[..., ~LEFT], other[..., ~LEFT], atol=0).any()


def test_a_brushs_seed_is_a_scenes_seed() -> None:
    seeded = replace(NOISE, regions=(Region(LEFT, 77),))
    assert torch.equal(all_of(seeded)[..., LEFT], all_of(replace(NOISE, seed=77))[..., LEFT])


def test_later_brushes_lie_on_top() -> None:
    drawn = all_of(replace(NOISE, regions=(Region(LEFT, 1), Region(TOP, 2))))
    assert torch.equal(drawn[..., TOP], all_of(replace(NOISE, seed=2))[..., TOP])
    below = LEFT & ~TOP
    assert torch.equal(drawn[..., below], all_of(replace(NOISE, seed=1))[..., below])


# The world around


def test_global_generators_stay_untouched() -> None:
    before = world()
    all_of(replace(NOISE, regions=(Region(LEFT, 1),)))
    assert world() == before


def test_the_default_dtype_does_not_matter() -> None:
    usual = all_of(NOISE)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(all_of(NOISE), usual)
    finally:
        torch.set_default_dtype(torch.float32)


# Flow


def source(shape: tuple[int, int, int]) -> Callable[..., Tensor]:
    """Independent noises by name, as a region draws them."""
    return lambda *name: gaussian(shape, 3, "start", 0, *name)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-11, 40)])
def test_noise_travels_by_whole_cells_as_it_is(right: int, down: int) -> None:
    drawn = gaussian(SHAPE, 3, "start", 0)
    wanted = torch.empty_like(drawn)
    for y in range(6):
        for x in range(8):
            wanted[:, (y + down) % 6, (x + right) % 8] = drawn[:, y, x]
    assert torch.equal(travelled(source(SHAPE), right, down), wanted)


@pytest.mark.parametrize("travel", [(0.5, 0), (0.3, 0.8), (2.1, -0.5), (0, -7.25)])
def test_noise_between_cells_is_as_white_as_any(travel: tuple[float, float]) -> None:
    moved = travelled(source((4, 128, 128)), *travel)
    assert moved.mean().abs() < 0.02  # 65536 elements: five deviations
    assert (moved.var() - 1).abs() < 0.03
    assert (moved.pow(4).mean() / 3 - 1).abs() < 0.07
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2)):
        neighbour = torch.roll(moved, (down, right), (-2, -1))
        assert (moved * neighbour).mean().abs() < 0.02


def test_noise_goes_steadily_from_cell_to_cell() -> None:
    """Half a cell on it shares half with what it was, and nowhere on the way does it jump."""
    shape = (4, 128, 128)
    places = [(k / 10, 0.37 * k / 10) for k in range(31)]
    fields = [travelled(source(shape), *place) for place in places]
    alike = [float((a * b).mean()) for a, b in pairwise(fields)]
    overlap = 0.9 * (1 - 0.037)
    assert min(alike) > overlap - 0.03, "what two cells have in common is the least that is kept"
    whole = travelled(source(shape), 0, 0)
    halfway = travelled(source(shape), 0.5, 0.25)
    assert float((whole * halfway).mean()) == pytest.approx(0.5 * 0.75, abs=0.02)


def test_what_travels_takes_its_noise_along_and_the_rest_stays() -> None:
    noise = SeededNoise(5, (3, 16, 16), 3, "flow", regions=())
    here, there = torch.zeros(2, 16, 16, dtype=torch.bool)
    here[4:9, 2:7], there[5:10, 8:13] = True, True
    at_rest = replace(noise, regions=(Region(here, 5, travel=(0, 0)),))
    moved = replace(noise, regions=(Region(there, 5, travel=(6, 1)),))
    for before, after in [
        (at_rest.start(0), moved.start(9)),
        *zip(at_rest.slots(), moved.slots(), strict=True),
    ]:
        assert torch.equal(after[:, 5:10, 8:13], before[:, 4:9, 2:7])
        assert torch.equal(after[:, ~there], before[:, ~there])
    assert torch.equal(at_rest.start(0), noise.start(0)), "at first it is as fixed"


def test_a_mask_is_widened_on_all_sides() -> None:
    mask = torch.zeros(9, 8, dtype=torch.bool)
    mask[2, 1] = mask[7, 6] = True
    wanted = torch.zeros_like(mask)
    wanted[0:5, 0:4] = wanted[5:9, 4:8] = True
    assert torch.equal(widened(mask, 2), wanted)


def test_a_seed_on_its_way_travels_as_well() -> None:
    everywhere = torch.ones(6, 8, dtype=torch.bool)
    region = Region(everywhere, 1, Fade(2, 0.4), (3.0, 1.0))
    moved = replace(NOISE, kind="flow", regions=(region,)).start(0)
    still = replace(NOISE, kind="flow", regions=(replace(region, travel=None),)).start(0)
    assert torch.equal(moved, torch.roll(still, (1, 3), (-2, -1)))
