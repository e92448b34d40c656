"""The codec has diffusers' autoencoder interface and undoes itself."""

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput

from smd_cli.backbone.families.codec import PatchAutoencoder, patch_components
from smd_cli.starter.train_codec import to_signed


def fitted(channels: int, pictures: torch.Tensor) -> PatchAutoencoder:
    codec: PatchAutoencoder = PatchAutoencoder(latent_channels=channels, width=16, blocks=1)
    codec.set_components(*patch_components(pictures, channels))
    codec.eval()
    return codec


def smooth_pictures() -> torch.Tensor:
    coarse = torch.rand(6, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (32, 48), mode="bicubic").clamp(0, 1) * 2 - 1


@torch.no_grad()
def test_shapes_and_types_are_those_of_diffusers() -> None:
    pictures = smooth_pictures()
    codec = fitted(16, pictures)
    encoded = codec.encode(pictures)
    assert isinstance(encoded, AutoencoderTinyOutput)
    assert encoded.latents.shape == (6, 16, 4, 6)
    decoded = codec.decode(encoded.latents)
    assert isinstance(decoded, DecoderOutput)
    assert decoded.sample.shape == pictures.shape
    assert torch.equal(codec.decode(encoded.latents, return_dict=False)[0], decoded.sample)
    assert torch.equal(codec.encode(pictures, return_dict=False)[0], encoded.latents)
    assert codec.config.scaling_factor == 1.0
    assert codec.config.latent_channels == 16


@torch.no_grad()
def test_latents_have_power_one_and_mean_zero() -> None:
    pictures = smooth_pictures()
    latents = fitted(16, pictures).encode(pictures).latents
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(16), atol=1e-3)
    assert abs(latents.square().mean().item() - 1) < 0.02


@torch.no_grad()
def test_the_untrained_decoder_is_the_linear_inverse() -> None:
    pictures = smooth_pictures()
    codec = fitted(64, pictures)
    assert (codec(pictures).sample - pictures).abs().mean() < 0.01


@torch.no_grad()
def test_saving_and_loading_keeps_everything(tmp_path: Path) -> None:
    pictures = smooth_pictures()
    codec = fitted(16, pictures)
    codec.save_pretrained(tmp_path)
    loaded = PatchAutoencoder.from_pretrained(tmp_path)
    assert torch.equal(loaded(pictures).sample, codec(pictures).sample)


def test_pictures_reach_the_codec_signed() -> None:
    white = torch.ones(4, 4, 3).numpy()
    assert torch.equal(to_signed([white]), torch.ones(1, 3, 4, 4))
