"""Lessons as tensors: what the slots of a sampling see, and what noise tells of it."""

import numpy as np
import pytest
import torch

from smd_cli.starter.codec import PatchAutoencoder
from smd_cli.starter.lessons import (
    FIRST_GUESS,
    FIRST_SLOT,
    ODD_SIZES,
    WHOLE_GUESS,
    Painted,
    Settings,
    Stage,
    Teacher,
    guess_share,
    tell_chances,
    tell_texture,
)
from smd_cli.starter.painter import Painter
from smd_cli.starter.train import CPU, STAGES


def teacher_of(painter: Painter, codec: PatchAutoencoder, workers: int = 0) -> Teacher:
    return Teacher(painter, codec, Settings(workers=workers), CPU)


@pytest.mark.parametrize("stage", STAGES)
def test_the_velocity_leads_to_the_target(
    painter: Painter, codec: PatchAutoencoder, stage: Stage
) -> None:
    teacher = teacher_of(painter, codec)
    batch = teacher.batch(teacher.lessons[stage, 5])
    side = stage.size_px // 8
    assert batch.noised.shape == batch.velocity.shape == (stage.batch, 16, side, side)
    power = teacher.alphas_cumprod[batch.timesteps][:, None, None, None]
    found = power.sqrt() * batch.noised - (1 - power).sqrt() * batch.velocity
    decoded = codec.decode(found).sample
    assert torch.isfinite(decoded).all()
    assert found.std() < 3


def latents_of(painted: Painted, codec: PatchAutoencoder, what: str) -> torch.Tensor:
    pictures = np.stack([getattr(example, what) for example in painted.examples])
    signed = torch.from_numpy(pictures).movedim(-1, 1) * 2 - 1
    latents: torch.Tensor = codec.encode(signed).latents
    return latents


def test_slots_show_guesses_where_their_objects_are(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    teacher = teacher_of(painter, codec)
    painted = teacher.lessons[Stage(1.0, 256, 12), 2]
    asked: list[torch.Tensor] = []

    def guess(noised: torch.Tensor, timesteps: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The velocity that makes every guess a picture of nothing but 3."""
        asked.append(noised)
        assert set(timesteps.tolist()) == {FIRST_GUESS}
        assert len(tokens) == len(noised)
        alpha, sigma = teacher.levels(timesteps)
        return (alpha * noised - 3) / sigma

    plain, guessed = teacher.batch(painted), teacher.batch(painted, guess)
    canvases = {id(e.canvas): e.canvas for e in painted.examples if e.canvas and e.canvas.patched}
    views = sum(len(canvas.regions) for canvas in canvases.values())
    assert asked[0].shape == (views, 16, 32, 32)
    alpha, _ = teacher.levels(plain.timesteps)
    noise = plain.noised - alpha * latents_of(painted, codec, "seen")
    shown = (guessed.noised - noise) / alpha
    target = latents_of(painted, codec, "target")
    checked = 0
    for n, example in enumerate(painted.examples):
        if not (example.canvas and example.canvas.patched):
            assert torch.equal(guessed.noised[n], plain.noised[n])
            continue
        cells = [np.zeros((32, 32), bool), *(r.cells for r in example.canvas.regions)]
        inside = torch.from_numpy(np.logical_or.reduce(cells))
        assert torch.allclose(shown[n][:, ~inside], target[n][:, ~inside], atol=1e-3)
        shares = ((shown - target)[n] / (3 - target[n]))[:, inside]
        assert torch.allclose(shares, shares.median(), atol=1e-2)
        if painted.timesteps[n] >= WHOLE_GUESS:
            assert torch.allclose(shares, torch.ones(()), atol=1e-2)
            checked += 1
    assert checked > 0
    assert torch.equal(guessed.weight, plain.weight)


def test_the_later_a_slot_the_less_it_sees_of_first_guesses() -> None:
    assert guess_share(WHOLE_GUESS, 0.0) == guess_share(600, 0.9) == 1
    assert guess_share(0, 0.4) == 0
    assert guess_share(WHOLE_GUESS // 2, 0.5) == 0.5
    assert guess_share(WHOLE_GUESS // 2, 0.0) == 0
    assert guess_share(WHOLE_GUESS // 2, 1.0) == 1


def test_a_step_draws_the_same_whenever_it_comes(painter: Painter, codec: PatchAutoencoder) -> None:
    teacher = teacher_of(painter, codec)
    first, again, other = teacher.batches(iter([(STAGES[0], 3), (STAGES[0], 3), (STAGES[0], 4)]))
    assert torch.equal(first.noised, again.noised)
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.noised, other.noised)


def test_worker_processes_paint_the_same(painter: Painter, codec: PatchAutoencoder) -> None:
    plan = [(Stage(1.0, 96, 4), step) for step in range(3)]
    at_home = list(teacher_of(painter, codec).batches(iter(plan)))
    abroad = list(teacher_of(painter, codec, workers=1).batches(iter(plan)))
    assert len(at_home) == len(abroad) == 3
    for ours, theirs in zip(at_home, abroad, strict=True):
        assert torch.equal(ours.noised, theirs.noised)
        assert torch.equal(ours.tokens, theirs.tokens)


def test_canvases_come_in_odd_sizes_too_with_fewer_pictures_where_they_are_large() -> None:
    stages = [STAGES[-1].at(step, factor=1) for step in range(8 * len(ODD_SIZES))]
    assert {stage.size_px for stage in stages} == {256, *ODD_SIZES}
    assert all(4 <= stage.batch <= 64 for stage in stages)
    cells = [stage.batch * stage.size_px**2 for stage in stages]
    assert max(cells) <= 1.01 * 16 * 256**2
    assert STAGES[0].at(7, factor=8).batch == 8 * STAGES[0].batch


def test_first_slots_are_bootstrapped_and_noisier_ones_are_pictures(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    lessons = teacher_of(painter, codec).lessons
    drawn = [lessons[Stage(1.0, 128, 32), step] for step in range(12)]
    pairs = [(t, e) for one in drawn for t, e in zip(one.timesteps, one.examples, strict=True)]
    first = [e.free is not None for t, e in pairs if FIRST_SLOT[0] <= t < FIRST_SLOT[1]]
    assert 0.8 < np.mean(first) < 1
    assert len(first) / len(pairs) == pytest.approx(Settings.first_share, abs=0.08)
    assert all(e.free is None for t, e in pairs if not FIRST_SLOT[0] <= t < FIRST_SLOT[1])
    assert any(t >= FIRST_SLOT[1] for t, _ in pairs)


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
