"""Distillation: what the student is drawn to."""

import pytest
import torch

from smd_cli.starter.codec import PatchAutoencoder, patch_components
from smd_cli.starter.distil import GUIDANCE, LOWEST, Distillation
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import build_tokenizer, tokenize
from smd_cli.starter.train import Batch, Settings, Student
from smd_cli.starter.train_codec import to_signed


@pytest.fixture(scope="module")
def run(painter: Painter, tmp_path_factory: pytest.TempPathFactory) -> Distillation:
    folder = tmp_path_factory.mktemp("run")
    codec: PatchAutoencoder = PatchAutoencoder(width=16, blocks=1)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.set_components(*patch_components(pictures, 16))
    codec.save_pretrained(folder / "codec")
    torch.manual_seed(1)
    teacher = Student()
    teacher.unet.save_pretrained(folder / "weights" / "unet")
    teacher.text_encoder.save_pretrained(folder / "weights" / "text_encoder")
    build_tokenizer().save_pretrained(folder / "weights" / "tokenizer")
    return Distillation(folder, folder / "few", Settings(), painter)


def batch_of(run: Distillation, timestep: int, plain: bool) -> Batch:
    generator = torch.Generator().manual_seed(3)
    noised = torch.randn(2, 16, 8, 8, generator=generator)
    return Batch(
        noised,
        torch.tensor([timestep, timestep]),
        torch.zeros_like(noised),
        torch.ones(2, 1, 8, 8),
        tokenize(run.teacher.tokenizer, ["a fox", "grass"]),
        torch.tensor([plain, plain]),
        torch.zeros(2, 3),
    )


@torch.no_grad()
def test_silence_is_the_empty_prompt(run: Distillation) -> None:
    empty = run.words(tokenize(run.teacher.tokenizer, ["", ""]))
    assert torch.allclose(run.silence.expand_as(empty), empty, atol=1e-6)


@torch.no_grad()
def test_guidance_goes_from_nothing_said_through_what_is_said(run: Distillation) -> None:
    batch = batch_of(run, 500, plain=False)
    states = run.words(batch.tokens)
    silent = run.words(tokenize(run.teacher.tokenizer, ["", ""]))
    said = run.guide(batch.noised, batch.timesteps, states).sample
    unsaid = run.guide(batch.noised, batch.timesteps, silent).sample
    guided = run.guided(batch, states)
    assert torch.allclose(guided, unsaid + GUIDANCE * (said - unsaid), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("timestep", "plain"), [(640, False), (LOWEST + 20, True)])
def test_off_the_path_and_at_its_end_the_teachers_estimate_is_wanted(
    run: Distillation, timestep: int, plain: bool
) -> None:
    batch = batch_of(run, timestep, plain)
    states = run.words(batch.tokens)
    assert torch.allclose(run.wanted(batch, states), run.guided(batch, states), atol=2e-4)


@torch.no_grad()
def test_on_the_path_the_students_later_estimate_is_wanted(
    run: Distillation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "randint_like", lambda t, *_: torch.full_like(t, 140))
    batch = batch_of(run, 640, plain=True)
    states = run.words(batch.tokens)
    power = run.teacher.alphas_cumprod
    a, b = power[640].sqrt(), (1 - power[640]).sqrt()
    velocity = run.guided(batch, states)
    guess, noise = a * batch.noised - b * velocity, b * batch.noised + a * velocity
    later = power[500].sqrt() * guess + (1 - power[500]).sqrt() * noise
    found = run.target(later, torch.tensor([500, 500]), states).sample
    goal = power[500].sqrt() * later - (1 - power[500]).sqrt() * found
    wanted = run.wanted(batch, states)
    assert torch.allclose(a * batch.noised - b * wanted, goal, atol=1e-3)


def test_pictures_reach_the_codec_signed() -> None:
    white = torch.ones(4, 4, 3).numpy()
    assert torch.equal(to_signed([white]), torch.ones(1, 3, 4, 4))
