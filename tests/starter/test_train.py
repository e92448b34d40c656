"""The training: what it is taught, and that it stops and goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from smd_cli.starter.codec import PatchAutoencoder, patch_components
from smd_cli.starter.distil import Distillation
from smd_cli.starter.painter import Painter
from smd_cli.starter.train import (
    CPU,
    FIRST_GUESS,
    FIRST_SLOT,
    LONGEST_STEP_S,
    ODD_SIZES,
    STAGES,
    Painted,
    Settings,
    Stage,
    Student,
    Teacher,
    Training,
    tell_chances,
)
from smd_cli.starter.train_codec import train_codec


@pytest.fixture(scope="module")
def codec() -> PatchAutoencoder:
    codec: PatchAutoencoder = PatchAutoencoder(width=16, blocks=1)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.set_components(*patch_components(pictures, 16))
    codec.eval().requires_grad_(False)
    return codec


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


def latents_of(painted: Painted, codec: PatchAutoencoder) -> torch.Tensor:
    pictures = np.stack([example.seen for example in painted.examples])
    signed = torch.from_numpy(pictures).movedim(-1, 1) * 2 - 1
    latents: torch.Tensor = codec.encode(signed).latents
    return latents


def test_early_slots_show_guesses_where_their_objects_are(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    teacher = teacher_of(painter, codec)
    painted = teacher.lessons[Stage(1.0, 256, 12), 1]
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
    assert sum(len(canvas.regions) for canvas in canvases.values()) == len(asked[0]) > 1
    alpha, _ = teacher.levels(plain.timesteps)
    for n, example in enumerate(painted.examples):
        moved = (guessed.noised - plain.noised)[n].abs().amax(0) > 1e-4
        regions = example.canvas.regions if example.canvas and example.canvas.patched else ()
        inside = np.logical_or.reduce([np.zeros((32, 32), bool), *(r.cells for r in regions)])
        assert not moved[torch.from_numpy(~inside)].any()
        if regions:
            assert moved[torch.from_numpy(inside)].float().mean() > 0.95
            noise = (plain.noised - alpha * latents_of(painted, codec))[n]
            shown = (guessed.noised[n] - noise) / alpha[n]
            assert torch.allclose(shown[:, torch.from_numpy(inside)], torch.tensor(3.0), atol=1e-3)
    assert torch.equal(guessed.weight, plain.weight)


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


@torch.no_grad()
def test_a_training_starts_from_an_older_one(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    old, folder = Student(), tmp_path / "older"
    codec.save_pretrained(folder / "codec")
    old.unet.save_pretrained(folder / "weights" / "unet")
    old.text_encoder.save_pretrained(folder / "weights" / "text_encoder")
    training = Training(tmp_path / "young", Settings(), painter, older=folder)
    training.begin()
    student = training.student
    same = zip(old.module.parameters(), student.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    same = zip(old.module.parameters(), student.ema.shadow_params, strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    theirs, ours = (c.encode(picture).latents for c in (codec, training.codec))
    assert torch.equal(theirs, ours)


def test_first_slots_are_bootstrapped_and_noisier_ones_are_pictures(
    painter: Painter, codec: PatchAutoencoder
) -> None:
    lessons = teacher_of(painter, codec).lessons
    drawn = [lessons[Stage(1.0, 128, 32), step] for step in range(12)]
    pairs = [(t, e) for one in drawn for t, e in zip(one.timesteps, one.examples, strict=True)]
    first = [e.free is not None for t, e in pairs if FIRST_SLOT[0] <= t < FIRST_SLOT[1]]
    assert 0.8 < np.mean(first) < 1
    assert 0.4 < len(first) / len(pairs) < 0.65
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


def test_time_in_which_the_process_stood_still_is_not_charged(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    training = Training(tmp_path, Settings(minutes=1.0), painter)
    hours = iter(range(0, 360_000, 3600))
    monkeypatch.setattr("smd_cli.starter.train.time.monotonic", lambda: float(next(hours)))
    monkeypatch.setattr(training, "_advance", lambda _: 0.0)
    monkeypatch.setattr(training, "export", lambda: None)
    stage = Stage(1.0, 96, 1)
    training.stages = (stage,)
    training.run()
    assert training.spent_s == 3 * LONGEST_STEP_S


@pytest.mark.slow
def test_a_training_is_saved_and_goes_on(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    training = Training(tmp_path, Settings(minutes=0.05, word_steps=2), painter)
    training.begin()
    training.run()
    assert training.step > 0
    assert (tmp_path / "weights" / "smd.json").is_file()
    again = Training(tmp_path, Settings(minutes=0.05, word_steps=2), painter)
    again.resume()
    assert again.step == training.step
    assert again.progress >= 1
    pairs = zip(again.weights, training.weights, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    run = Distillation(tmp_path, tmp_path / "few", Settings(minutes=0.05), painter)
    before = [w.clone() for w in run.weights]
    run.run()
    changed = [not torch.equal(a, b) for a, b in zip(before, run.weights, strict=True)]
    text = len(list(run.student.text_encoder.parameters()))
    assert any(changed[:-text])
    assert not any(changed[-text:])
    sampler = json.loads((tmp_path / "few" / "weights" / "smd.json").read_text())["sampler"]
    assert sampler["guidance"] == {"type": "none"}


@pytest.mark.slow
def test_the_codec_learns(painter: Painter) -> None:
    codec = train_codec(painter, seed=0, steps=3)
    latents = codec.encode(torch.ones(1, 3, 16, 16)).latents
    assert latents.shape == (1, 16, 2, 2)
