"""What a material's estimate should have of each kind of detail."""

import pytest
import torch

from smd_cli.starter.targets import Batch
from smd_cli.starter.texture import MOST, filters, strengths, texture_loss

SIGMA = 0.6
ALPHA = 0.8


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


def batch_of(target: torch.Tensor, textured: list[bool]) -> Batch:
    noised = ALPHA * target + SIGMA * drawn(*target.shape)
    n = len(target)
    return Batch(
        noised=noised,
        timesteps=torch.full((n,), 300),
        velocity=(ALPHA * noised - target) / SIGMA,
        weight=torch.ones(n, 1, *target.shape[2:]),
        tokens=torch.zeros(n, 1),
        boxes=torch.zeros(n, 3),
        sigmas=torch.full((n,), SIGMA),
        textured=torch.tensor(textured),
    )


def velocity_to(estimate: torch.Tensor, batch: Batch) -> torch.Tensor:
    return (ALPHA * batch.noised - estimate) / SIGMA


def test_filters_see_no_mean_and_are_the_same_every_time() -> None:
    kernel = filters(16, torch.device("cpu"))
    assert torch.allclose(kernel.sum((2, 3)), torch.zeros(()), atol=1e-5)
    assert torch.allclose(kernel.flatten(1).norm(dim=1), torch.ones(()))
    assert torch.equal(kernel, filters.__wrapped__(16, torch.device("cpu")))


def test_strengths_are_those_of_the_region_alone() -> None:
    flat, noisy = torch.full((1, 16, 12, 24), 3.0), drawn(1, 16, 12, 24)
    inside = torch.zeros(1, 1, 12, 24)
    inside[..., 1:10] = 1
    near = torch.zeros_like(inside, dtype=torch.bool)
    near[..., :11] = True
    mixed = torch.where(near, flat, noisy)
    assert torch.allclose(strengths(mixed, inside), strengths(flat, inside), atol=1e-3)
    assert strengths(noisy, inside).mean() == pytest.approx(1, abs=0.1)


def test_another_texture_of_the_same_kind_is_as_good_and_a_mean_is_not() -> None:
    target = torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    batch = batch_of(target, [True, False])
    assert texture_loss(batch.velocity, batch) < 1e-6
    other = target.roll((5, 9), (2, 3))
    assert texture_loss(velocity_to(other, batch), batch) < 0.01
    faded = texture_loss(velocity_to(0.5 * target, batch), batch)
    assert faded == pytest.approx(0.25, abs=0.02)
    assert texture_loss(velocity_to(9 * target, batch), batch) == MOST


def test_where_nothing_is_textured_nothing_is_lost() -> None:
    batch = batch_of(drawn(2, 16, 8, 8), [False, False])
    assert texture_loss(drawn(2, 16, 8, 8), batch) == 0
