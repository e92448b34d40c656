"""Autoencoders that work in tiles give what they give of the whole, or fade into each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import TINY
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor

from smd_cli.backbone import autoencoder
from smd_cli.backbone.autoencoder import Autoencoder
from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.backbone.tiling import Tiles
from smd_cli.scene.types import Wrapped

WRAPS: list[Wrapped] = [(False, False), (False, True), (True, False), (True, True)]
LEVEL = 2 / 255


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def codec() -> PatchAutoencoder:
    """The starter's, of two blocks, with random weights in all of its layers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: PatchAutoencoder = PatchAutoencoder(latent_channels=4, width=8, blocks=2)
        made.eval()
        return made


def tiny(**config: Any) -> Any:
    """diffusers' tiny autoencoder with random weights, of few channels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        channels = (8, 8, 8, 8)
        return AutoencoderTiny(
            encoder_block_out_channels=channels, decoder_block_out_channels=channels, **config
        ).eval()


CONVOLVING = {
    "the starter's": codec,
    "tiny": tiny,
    "tiny of 16 channels": lambda: tiny(latent_channels=16),
    "tiny of other depths": lambda: tiny(
        num_decoder_blocks=(1, 1, 2, 1), num_encoder_blocks=(1, 1, 1, 1)
    ),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of few cells, and for any canvas."""
    monkeypatch.setattr(autoencoder, "MOST_CELLS", 0)
    monkeypatch.setattr(autoencoder, "_EXACT_CORE", 7)


@torch.inference_mode()
@pytest.mark.parametrize("make", CONVOLVING.values(), ids=CONVOLVING)
def test_tiles_of_a_network_that_convolves_are_the_whole(make: Any, small: None) -> None:  # noqa: ARG001
    model, vae = Autoencoder(make(), torch.device("cpu")), make()
    latents = noise(2, vae.config.latent_channels, 17, 29)
    wanted = vae.decode(latents / vae.config.scaling_factor).sample
    assert (model.decode(latents) - wanted).abs().max() < LEVEL / 100 * wanted.std()
    pictures = noise(2, 3, 8 * 15, 8 * 22)
    wanted = vae.encode(pictures).latents * vae.config.scaling_factor
    assert (model.encode(pictures) - wanted).abs().max() < 1e-4 * wanted.std()


@torch.inference_mode()
@pytest.mark.parametrize("wraps", WRAPS[1:])
@pytest.mark.parametrize("make", CONVOLVING.values(), ids=CONVOLVING)
@pytest.mark.parametrize("sides", [(9, 20), (40, 3)])
def test_a_side_that_wraps_has_no_end(
    sides: tuple[int, int],
    make: Any,
    wraps: Wrapped,
    small: None,  # noqa: ARG001
) -> None:
    """It is what is in the middle of copies side by side, 21 cells or more before either end."""
    model, vae = Autoencoder(make(), torch.device("cpu")), make()
    latents = noise(1, vae.config.latent_channels, *sides)
    copies = [1 + 2 * -(-21 // side) if w else 1 for w, side in zip(wraps, sides, strict=True)]
    factor = vae.decode(latents).sample.shape[-1] // sides[1]
    wanted = vae.decode(latents.repeat(1, 1, *copies) / vae.config.scaling_factor).sample
    middle = [
        slice(count // 2 * side * factor, (count // 2 + 1) * side * factor)
        for count, side in zip(copies, sides, strict=True)
    ]
    wanted = wanted[:, :, middle[0], middle[1]]
    assert (model.decode(latents, wraps) - wanted).abs().max() < LEVEL / 100 * wanted.std()


@torch.inference_mode()
@pytest.mark.parametrize("wraps", WRAPS)
@pytest.mark.parametrize("tiles", [Tiles(6, 4, 2), Tiles(64, 4, 2), Tiles(5, 3, 0), Tiles(1, 1, 1)])
@pytest.mark.parametrize("sides", [(6, 13), (24, 1), (8, 8)])
def test_shares_add_up(sides: tuple[int, int], tiles: Tiles, wraps: Wrapped) -> None:
    """Of a network that sees nothing around a cell, the tiles are the whole."""
    x = noise(1, 2, *(2 * side for side in sides))

    def work(part: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(part, scale_factor=1.5, mode="nearest") * 3

    assert torch.allclose(tiles.run(work, x, (2, 3), wraps), work(x), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("wraps", WRAPS)
@pytest.mark.parametrize("fade", [0, 2])
def test_what_is_finished_is_all_that_is_held(fade: int, wraps: Wrapped) -> None:
    """Levels of 8 bits, of the bytes of the whole, from no more than the tiles of a row at once."""
    x, rows = noise(1, 3, 64, 20).abs(), []

    def work(part: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(part, scale_factor=2.0)

    def levels(pictures: Tensor) -> Tensor:
        rows.append(pictures.shape[-2])
        return (pictures * 50).to(torch.uint8)

    tiles = Tiles(8, 4, fade)
    made = tiles.run(work, x, (1, 2), wraps, levels)
    assert made.dtype == torch.uint8
    assert torch.equal(made, levels(tiles.run(work, x, (1, 2), wraps)))
    assert len(rows) > 8
    assert max(rows[:-1]) <= 2 * (8 + fade)
    assert sum(rows[:-1]) == 128


def test_tiles_fade_into_each_other() -> None:
    """Four tiles, 0, 1, 2 and 3 all over: slopes of 8 cells between them, and over the edge."""
    numbers = iter(range(4))
    made = Tiles(12, 6, 4).run(
        lambda part: torch.full_like(part, next(numbers)), noise(1, 1, 5, 48), (1, 1), (False, True)
    )
    slope = [(at + 0.5) / 8 for at in range(8)]
    assert made[0, 0, 0].tolist() == made[0, 0, 4].tolist()
    tiles = made[0, 0, 0].view(4, 12).tolist()
    early, late = slope[:4], slope[4:]
    assert tiles[0] == pytest.approx([*(3 - 3 * s for s in late), *[0] * 4, *early])
    assert tiles[1] == pytest.approx([*late, *[1] * 4, *(1 + s for s in early)])
    assert tiles[3] == pytest.approx(
        [*(2 + s for s in late), *[3] * 4, *(3 - 3 * s for s in early)]
    )


@torch.inference_mode()
def test_an_autoencoder_with_statistics_knows_no_end_of_a_side_that_wraps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rolled by a tile, latents give the rolled picture."""
    vae = AutoencoderKL.from_pretrained(TINY / "vae").eval()
    monkeypatch.setattr(autoencoder, "_FADED", Tiles(core=24, margin=16, fade=8))
    model, latents = Autoencoder(vae, torch.device("cpu")), noise(1, 4, 6, 72)
    picture = model.decode(latents, (False, True))
    rolled = model.decode(latents.roll(24, -1), (False, True))
    assert picture.shape == (1, 3, 6 * 8, 72 * 8)
    assert torch.allclose(rolled, picture.roll(24 * 8, -1), atol=1e-4)
    latents = model.encode(picture, (False, True))
    rolled = model.encode(picture.roll(24 * 8, -1), (False, True))
    assert torch.allclose(rolled, latents.roll(24, -1), atol=1e-4)


@torch.inference_mode()
def test_up_to_a_large_canvas_nothing_is_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(Tiles, "run", refuse)
    model = Autoencoder(codec(), torch.device("cpu"))
    model.decode(noise(1, 4, 181, 181))
    with pytest.raises(AssertionError):
        model.decode(noise(1, 4, 182, 182))
    with pytest.raises(AssertionError):
        model.decode(noise(1, 4, 8, 8), (True, False))
