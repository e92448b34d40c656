"""The denoiser is diffusers' UNet but for what it is told of places."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from smd_cli.backbone.families.denoiser import (
    LATTICE_PERIODS,
    PLACES,
    SPAN,
    PlacedUNet,
    along,
    places_on,
)
from smd_cli.starter.text import MAX_TOKENS, WIDTH
from smd_cli.starter.train import build_unet


def test_cells_know_how_far_from_the_middle_they_are_whatever_the_canvas() -> None:
    small, large = along(16), along(32)
    assert len(small) == PLACES / 2
    assert torch.equal(small[0], large[0, 8:24])
    assert small[0, -1] == pytest.approx(7.5 / SPAN)
    assert torch.equal(small[1], 2 * (torch.arange(16) + 0.5) / 16 - 1)
    middle = 2 + 2 * len(LATTICE_PERIODS)
    assert torch.allclose(small[middle:], large[middle:, 8:24], atol=1e-5)


def test_a_lattice_is_told_from_the_corner() -> None:
    waves = along(20)[2 : 2 + 2 * len(LATTICE_PERIODS)]
    for (sine, cosine), period in zip(waves.view(-1, 2, 20), LATTICE_PERIODS, strict=True):
        assert torch.allclose(sine[period:], sine[:-period], atol=1e-5)
        assert torch.allclose(sine.square() + cosine.square(), torch.ones(20), atol=1e-5)
        told = torch.stack([sine, cosine]).T[:period]
        assert torch.pdist(told).min() > 0.5


def test_places_are_told_down_and_across() -> None:
    places = places_on(8, 12)
    assert places.shape == (PLACES, 8, 12)
    assert torch.equal(places[0, :, 3], along(8)[0])
    assert torch.equal(places[PLACES // 2, 5], along(12)[0])


@torch.no_grad()
def test_without_weights_for_places_it_is_diffusers_own_network() -> None:
    torch.manual_seed(0)
    placed = build_unet()
    plain = UNet2DConditionModel.from_config(placed.config)
    weights = placed.state_dict()
    placed.conv_in.weight[:, 16:] = 0
    plain.load_state_dict({**weights, "conv_in.weight": placed.conv_in.weight[:, :16]})
    inputs = torch.randn(2, 16, 8, 12), torch.tensor([400, 20]), torch.randn(2, MAX_TOKENS, WIDTH)
    assert torch.allclose(placed(*inputs).sample, plain(*inputs).sample, atol=1e-5)
    placed.conv_in.weight[:, 16:] = 1
    assert not torch.allclose(placed(*inputs).sample, plain(*inputs).sample, atol=1e-2)


@torch.no_grad()
def test_it_is_saved_and_loaded_as_any_model_of_diffusers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    placed = build_unet()
    placed.save_pretrained(tmp_path)
    again = PlacedUNet.from_pretrained(tmp_path)
    inputs = torch.randn(1, 16, 8, 8), torch.tensor([400]), torch.randn(1, MAX_TOKENS, WIDTH)
    assert torch.allclose(placed.eval()(*inputs).sample, again.eval()(*inputs).sample, atol=1e-6)
    assert again.config.in_channels == 16
