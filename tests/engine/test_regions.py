"""Region maths by hand: single pixels, whose results can be worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from smd_cli.engine import regions

ALPHA, SIGMA = torch.tensor(0.6), torch.tensor(0.8)


def pixels(*values: float) -> Tensor:
    """One channel, one row: (1, 1, w)."""
    return torch.tensor(values)[None, None]


def test_noised() -> None:
    assert regions.noised(pixels(2), pixels(-1), 0.6, 0.8) == pytest.approx(0.4)


def test_bootstrapped() -> None:
    seen = regions.bootstrapped(pixels(1, 1, 1), pixels(1, 0, 0.25), pixels(5, 5, 5))
    assert seen[0, 0].tolist() == [1, 5, 4]


@pytest.mark.parametrize(
    ("apart", "leak", "share"),
    [
        ((0, 0), 0.2, 0.0),
        ((0.2, 0.6), 0.2, 2 / (1 + math.exp(-1)) - 1),  # (0.04 + 0.36)/2 = 0.2
        ((0.2, 0.6), 0.4, 2 / (1 + math.exp(-0.5)) - 1),
        ((-0.2, 0.6), 0.2, 0.46211715726),
        ((50, 0), 0.2, 1.0),
    ],
)
def test_kept_share_by_hand(apart: tuple[float, float], leak: float, share: float) -> None:
    plain = torch.full((2, 1, 1), 0.3)
    x0 = plain + torch.tensor(apart)[:, None, None]
    kept = regions.kept_share(x0, plain, leak)
    assert kept.shape == (1, 1, 1)
    assert kept.item() == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ((1, 0), 2),
        ((0, 1), 4),
        ((1, 1), 3),
        ((0.75, 0.25), 2.5),
        ((0.5, 0), 0.5 * 2 + 0.5 * 10),
        ((0.3, 0.1), 0.4 * (0.3 * 2 + 0.1 * 4) / 0.4 + 0.6 * 10),
        ((0, 0), 10),
        ((1, 3), 3.5),  # more than 1 in all: no background
        ((1e-20, 0), 10),
    ],
)
def test_weighted_mean_by_hand(weights: tuple[float, float], wanted: float) -> None:
    values = torch.stack([pixels(2), pixels(4)])
    mean = regions.weighted_mean(values, torch.tensor(weights)[:, None, None, None], pixels(10))
    assert mean.item() == pytest.approx(wanted)


def test_guidance_by_hand() -> None:
    e_c, e_u = pixels(3), pixels(1)
    assert regions.guided(e_c, e_u, 1.0).item() == 3
    assert regions.guided(e_c, e_u, 2.5).item() == pytest.approx(1 + 2.5 * 2)
    assert regions.residual_guided(e_c, e_u, 2.0, 1.0).item() == pytest.approx(1 + 2 * 2)
    assert regions.residual_guided(e_c, e_u, 2.0, 0.5).item() == pytest.approx(0.5 + 2 * 2.5)
    assert regions.residual_guided(e_c, e_u, 2.0, 0.0).item() == pytest.approx(6)


def test_virtual_residual_by_hand() -> None:
    e_v = regions.virtual_residual(pixels(2), pixels(0.5), ALPHA, SIGMA)
    assert e_v.item() == pytest.approx((2 - 0.6 * 0.5) / 0.8)
