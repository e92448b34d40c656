"""The training: what it is taught, and that it stops and goes on."""

from pathlib import Path

import pytest
import torch

from smd_cli.starter.codec import PatchAutoencoder, patch_components
from smd_cli.starter.painter import Painter
from smd_cli.starter.train import STAGES, Settings, Stage, Teacher, Training
from smd_cli.starter.train_codec import train_codec


@pytest.fixture(scope="module")
def codec() -> PatchAutoencoder:
    codec: PatchAutoencoder = PatchAutoencoder(width=16, blocks=1)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.set_components(*patch_components(pictures, 16))
    codec.eval().requires_grad_(False)
    return codec


@pytest.mark.parametrize("stage", STAGES)
def test_the_velocity_leads_to_the_target(
    painter: Painter, codec: PatchAutoencoder, stage: Stage
) -> None:
    teacher = Teacher(painter, codec, Settings())
    batch = teacher.batch(stage, step=5)
    side = stage.size_px // 8
    assert batch.noised.shape == batch.velocity.shape == (stage.batch, 16, side, side)
    power = teacher.alphas_cumprod[batch.timesteps][:, None, None, None]
    found = power.sqrt() * batch.noised - (1 - power).sqrt() * batch.velocity
    decoded = codec.decode(found).sample
    assert torch.isfinite(decoded).all()
    assert found.std() < 3


def test_a_step_draws_the_same_whenever_it_comes(painter: Painter, codec: PatchAutoencoder) -> None:
    teacher = Teacher(painter, codec, Settings())
    first, again, other = (teacher.batch(STAGES[0], step) for step in (3, 3, 4))
    assert torch.equal(first.noised, again.noised)
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.noised, other.noised)


@pytest.mark.slow
def test_a_training_is_saved_and_goes_on(
    painter: Painter, codec: PatchAutoencoder, tmp_path: Path
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    training = Training(tmp_path, Settings(minutes=0.05, word_steps=2), painter)
    training.run()
    assert training.step > 0
    assert (tmp_path / "weights" / "smd.json").is_file()
    again = Training(tmp_path, Settings(minutes=0.05, word_steps=2), painter)
    again.resume()
    assert again.step == training.step
    assert again.progress >= 1
    pairs = zip(again.weights, training.weights, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_the_codec_learns(painter: Painter) -> None:
    codec = train_codec(painter, seed=0, steps=3)
    latents = codec.encode(torch.ones(1, 3, 16, 16)).latents
    assert latents.shape == (1, 16, 2, 2)
