"""Distillation: what the student is drawn to."""

import pytest
import torch

from smd_cli.starter.codec import PatchAutoencoder
from smd_cli.starter.distil import GUIDANCE, Distillation
from smd_cli.starter.lessons import Batch, Settings
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import build_tokenizer, tokenize
from smd_cli.starter.train import Student
from smd_cli.starter.train_codec import to_signed


@pytest.fixture(scope="module")
def run(
    painter: Painter, codec: PatchAutoencoder, tmp_path_factory: pytest.TempPathFactory
) -> Distillation:
    folder = tmp_path_factory.mktemp("run")
    codec.save_pretrained(folder / "codec")
    torch.manual_seed(1)
    teacher = Student()
    teacher.unet.save_pretrained(folder / "weights" / "unet")
    teacher.text_encoder.save_pretrained(folder / "weights" / "text_encoder")
    build_tokenizer().save_pretrained(folder / "weights" / "tokenizer")
    return Distillation(folder, folder / "few", Settings(), painter)


def batch_of(run: Distillation) -> Batch:
    generator = torch.Generator().manual_seed(3)
    noised, velocity = torch.randn(2, 3, 16, 8, 8, generator=generator)
    return Batch(
        noised,
        torch.tensor([600, 600, 300]),
        velocity,
        torch.ones(3, 1, 8, 8),
        tokenize(run.teacher.tokenizer, ["a fox", "grass", "a fox"]),
        torch.tensor([[1, 1, 5], [0, 0, 0], [1, 1, 5]]),
    )


@torch.no_grad()
def test_what_is_wanted_is_true_but_for_objects_of_first_slots_which_lean_to_the_prompt(
    run: Distillation,
) -> None:
    batch, found = batch_of(run), torch.randn(3, 16, 8, 8)
    silent = tokenize(run.teacher.tokenizer, ["", "", ""])
    leaning = found - run.guide.guess(batch.noised, batch.timesteps, silent)
    wanted = run.wanted(batch, found)
    assert torch.allclose(wanted[0], batch.velocity[0] + leaning[0] / 3, atol=1e-5)
    assert torch.equal(wanted[1:], batch.velocity[1:])


@torch.no_grad()
def test_without_objects_in_first_slots_all_that_is_wanted_is_true(run: Distillation) -> None:
    batch, found = batch_of(run), torch.randn(3, 16, 8, 8)
    batch.boxes.zero_()
    assert torch.equal(run.wanted(batch, found), batch.velocity)


@torch.no_grad()
def test_a_student_that_finds_what_is_guided_at_the_scale_is_at_rest(run: Distillation) -> None:
    batch = batch_of(run)
    silent = tokenize(run.teacher.tokenizer, ["", "", ""])
    unsaid = run.guide.guess(batch.noised, batch.timesteps, silent)
    guided = unsaid + GUIDANCE * (batch.velocity - unsaid)
    assert torch.allclose(run.wanted(batch, guided)[0], guided[0], atol=1e-4)


def test_the_guide_stays_while_the_student_learns(run: Distillation) -> None:
    before = [w.clone() for w in run.guide.unet.parameters()]
    batch = batch_of(run)
    losses = [run._advance(batch) for _ in range(3)]
    assert all(loss > 0 for loss in losses)
    same = zip(before, run.guide.unet.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_pictures_reach_the_codec_signed() -> None:
    white = torch.ones(4, 4, 3).numpy()
    assert torch.equal(to_signed([white]), torch.ones(1, 3, 4, 4))
