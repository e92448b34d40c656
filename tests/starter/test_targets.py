"""TrainingTargets as tensors: what the slots of a sampling see, and what noise tells of it."""

import numpy as np
import pytest
import torch

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.painter import Painter
from smd_cli.starter.supervision import MOST_WEIGHT, contrast_weight, tell_chances, tell_texture
from smd_cli.starter.targets import (
    FIRST_GUESS,
    FIRST_SLOT,
    LATER_SLOT,
    LEAST_GUESS,
    MENDED,
    SECOND_SLOT,
    SHARES,
    Painted,
    Settings,
    Teacher,
    draw_slot,
    guess_share,
)
from smd_cli.starter.train import CPU, STAGES


def teacher_of(painter: Painter, codec: PatchAutoencoder, workers: int = 0) -> Teacher:
    return Teacher(painter, codec, Settings(workers=workers), CPU)


def nothing(noised: torch.Tensor, timesteps: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """A model that finds no velocity at all."""
    assert len(noised) == len(timesteps) == len(tokens)
    return torch.zeros_like(noised)


@pytest.mark.parametrize("size_px", [128, 256])
def test_the_velocity_leads_to_the_target(
    painter: Painter, codec: PatchAutoencoder, size_px: int
) -> None:
    teacher = teacher_of(painter, codec)
    painted = teacher.targets[size_px, 12, 5]
    batch = teacher.batch(painted, nothing)
    side = size_px // 8
    assert batch.noised.shape == batch.velocity.shape == (12, 16, side, side)
    power = teacher.alphas_cumprod[batch.timesteps][:, None, None, None]
    assert torch.allclose(batch.sigmas[:, None, None, None].square(), 1 - power, atol=1e-6)
    found = power.sqrt() * batch.noised - (1 - power).sqrt() * batch.velocity
    assert torch.allclose(found, latents_of(painted, codec), atol=1e-3)


def latents_of(painted: Painted, codec: PatchAutoencoder) -> torch.Tensor:
    pictures = np.stack([example.target for example in painted.examples])
    signed = torch.from_numpy(pictures).movedim(-1, 1) * 2 - 1
    latents: torch.Tensor = codec.encode(signed).latents
    return latents


def test_slots_after_the_first_see_guesses_where_these_are(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    teacher = teacher_of(painter, codec)
    painted = teacher.targets[256, 30, 2]
    asked: list[torch.Tensor] = []

    def threes(noised: torch.Tensor, timesteps: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        """The velocity that makes every guess a picture of nothing but 3."""
        asked.append(noised)
        assert set(timesteps.tolist()) == {FIRST_GUESS}
        alpha, sigma = teacher.levels(timesteps)
        return (alpha * noised - 3) / sigma

    batch = teacher.batch(painted, threes)
    target, white = latents_of(painted, codec), teacher.white
    alpha, sigma = teacher.levels(batch.timesteps)
    generator = torch.Generator().manual_seed(painted.step)
    noise = torch.randn(2, *target.shape, generator=generator)[0]
    seen = (batch.noised - sigma * noise) / alpha
    kinds = []
    for n, (example, slot) in enumerate(zip(painted.examples, painted.slots, strict=True)):
        share = painted.shares[n]
        if slot == "second" and example.free is not None:
            free = torch.from_numpy(example.free)
            guessed = target[n].lerp(torch.tensor(3.0), share)
            inside = torch.where(free >= 0.5, guessed, target[n])
            assert torch.allclose(seen[n], free * inside + (1 - free) * white, atol=1e-2)
            kinds.append("second")
        elif slot == "later" and example.canvas is not None and share > 0:
            canvas = example.canvas
            cells = [np.zeros((32, 32), bool), *(r.cells for r in canvas.regions)]
            taken = torch.from_numpy(np.logical_or.reduce(cells))
            shown = target[n].lerp(torch.tensor(3.0), share)
            assert torch.allclose(seen[n][:, taken], shown[:, taken], atol=1e-2)
            below = target[n] if canvas.ground.any() else shown
            assert torch.allclose(seen[n][:, ~taken], below[:, ~taken], atol=1e-2)
            kinds.append("on ground" if canvas.ground.any() else "later")
        elif slot in ("later", "any"):
            assert torch.allclose(seen[n], target[n], atol=1e-2)
    assert {"second", "later"} <= set(kinds)
    assert len(asked) == 1


def test_first_guesses_are_asked_for_in_the_middle_in_noised_white(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    teacher = teacher_of(painter, codec)
    painted = teacher.targets[256, 30, 2]
    asked: list[torch.Tensor] = []

    def keep(noised: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        asked.append(noised)
        return nothing(noised, *rest)

    teacher.batch(painted, keep)
    alpha, _ = teacher.levels(torch.tensor([FIRST_GUESS]))
    strongest = int(teacher.white.abs().flatten().argmax())
    level = (alpha * teacher.white)[0, strongest, 0, 0]
    shown = asked[0][:, strongest] / level  # 1 on white, 0 in the noise, with noise on both
    corners = shown[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean()
    middle = shown[:, 14:18, 14:18].mean()
    assert corners > middle + 0.2


def test_the_later_a_slot_the_less_it_sees_of_first_guesses() -> None:
    rng = np.random.default_rng(0)

    def shares(slot: str, timestep: int) -> list[float]:
        return [guess_share(slot, timestep, rng) for _ in range(400)]

    assert set(shares("first", 420)) == set(shares("any", 100)) == {0.0}
    assert LEAST_GUESS <= min(shares("second", 200)) < max(shares("second", 200)) <= 1
    soon, late = shares("later", MENDED), shares("later", MENDED - 1)
    assert np.mean(soon) > 0.5 > np.mean(late) > 0.2
    assert 0.03 < np.mean([share == 0 for share in soon]) < 0.2


def test_a_step_draws_the_same_whenever_it_comes(painter: Painter, codec: PatchAutoencoder) -> None:
    plan = [(128, 8, 3), (128, 8, 3), (128, 8, 4)]
    first, again, other = teacher_of(painter, codec).batches(iter(plan), lambda: nothing)
    assert torch.equal(first.noised, again.noised)
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.noised, other.noised)


def test_worker_processes_paint_the_same(painter: Painter, codec: PatchAutoencoder) -> None:
    plan = [(96, 4, step) for step in range(3)]
    at_home = list(teacher_of(painter, codec).batches(iter(plan), lambda: nothing))
    abroad = list(teacher_of(painter, codec, workers=1).batches(iter(plan), lambda: nothing))
    assert len(at_home) == len(abroad) == 3
    for ours, theirs in zip(at_home, abroad, strict=True):
        assert torch.equal(ours.noised, theirs.noised)
        assert torch.equal(ours.tokens, theirs.tokens)


def test_canvases_come_in_many_sizes_with_fewer_pictures_where_they_are_large() -> None:
    drawn = [STAGES[-1].at(step, factor=1) for step in range(40)]
    assert {256, 384, 512} < {size for size, _ in drawn}
    assert all(3 <= count <= 48 for _, count in drawn)
    assert max(count * size**2 for size, count in drawn) <= 1.3 * 10 * 256**2
    assert STAGES[0].at(7, factor=8)[1] == 8 * STAGES[0].at(7, factor=1)[1]


def test_slots_come_as_often_as_they_should_at_their_timesteps() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_slot(rng) for _ in range(4000)]
    for slot, (low, high) in (
        ("first", FIRST_SLOT),
        ("second", SECOND_SLOT),
        ("later", LATER_SLOT),
        ("any", (0, 1000)),
    ):
        own = [timestep for one, timestep in drawn if one == slot]
        assert len(own) / len(drawn) == pytest.approx(SHARES[slot], abs=0.03)
        assert low <= min(own) < max(own) < high


def test_bootstrapped_slots_have_a_region(painter: Painter, codec: PatchAutoencoder) -> None:
    painted = teacher_of(painter, codec).targets[128, 40, 0]
    for slot, example in zip(painted.slots, painted.examples, strict=True):
        assert (example.free is not None) == (slot in ("first", "second"))


def test_errors_count_more_where_a_material_hardly_varies() -> None:
    generator = torch.Generator().manual_seed(0)
    texture = torch.randn(1, 16, 8, 8, generator=generator)
    target = torch.cat([texture, 0.05 * texture + 2, 0.001 * texture, 0.05 * texture])
    weight, boxes = torch.ones(4, 1, 8, 8), torch.zeros(4, 3, dtype=torch.int64)
    boxes[3, 2] = 5
    weight[:, :, 4:] = 0.1
    more = contrast_weight(target, weight, boxes).flatten()
    assert more[0] == more[3] == 1
    assert more[1] == pytest.approx(0.5 / (0.05 * 4), rel=0.05)
    assert more[2] == MOST_WEIGHT


def test_noise_tells_chances_and_stays_standard_normal() -> None:
    torch.manual_seed(0)
    free = torch.zeros(8, 8, dtype=torch.bool)
    free[2:6, 1:7] = True
    noises = torch.randn(4000, 3, 8, 8)
    chances = torch.randn(4000, 2)
    before = noises.clone()
    for noise, pair in zip(noises, chances.tolist(), strict=True):
        tell_chances(noise, free, pair)
    assert torch.equal(noises[:, 2], before[:, 2])
    assert torch.equal(noises[:, :, ~free], before[:, :, ~free])
    told = noises[:, :2, free].mean(2) * free.sum().sqrt()
    assert torch.allclose(told, chances, atol=1e-4)
    values = noises[:, :2, free]
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    covariance = torch.cov(values[:, 0].T) - torch.eye(int(free.sum()))
    assert covariance.abs().max() < 0.1


@pytest.mark.slow
def test_noise_tells_a_texture_and_stays_white() -> None:
    """Of textures of random waves, long ones strongest, as of Gaussian fields."""
    generator = torch.Generator().manual_seed(0)
    at = torch.arange(16)
    strength = 1 / (1 + torch.hypot(at[:, None].float(), at.float()))
    waves = torch.cos(torch.pi / 16 * at[:, None] * (at + 0.5)) * (2 / 16) ** 0.5
    waves[0] /= 2**0.5
    amplitudes = strength * torch.randn(3000, 16, 16, generator=generator)
    textures = waves.T @ amplitudes @ waves
    noises = torch.randn(3000, 16, 16, generator=generator)
    before = noises.clone()
    for noise, texture in zip(noises, textures, strict=True):
        tell_texture(noise, texture)
    assert torch.allclose(noises.mean((1, 2)), before.mean((1, 2)), atol=1e-5)
    assert torch.allclose(noises.square().sum((1, 2)), before.square().sum((1, 2)), rtol=1e-4)
    assert abs(noises.mean()) < 0.01
    covariance = torch.cov(noises[:, ::5, ::5].flatten(1).T) - torch.eye(16)
    assert covariance.abs().max() < 0.12
    detail = textures - textures.mean((1, 2), keepdim=True)
    told = torch.nn.functional.cosine_similarity(noises.flatten(1), detail.flatten(1))
    untold = torch.nn.functional.cosine_similarity(before.flatten(1), detail.flatten(1))
    assert told.mean() > 0.5
    assert abs(untold.mean()) < 0.02


def test_of_a_flat_texture_nothing_is_told() -> None:
    noise = torch.randn(16, 16)
    before = noise.clone()
    tell_texture(noise, torch.full((16, 16), 2.0))
    assert torch.equal(noise, before)
