"""The Stable Diffusion 1 adapter against diffusers' pipeline on the same folder."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from asked import whole_rows
from conftest import TINY
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline
from diffusers.image_processor import VaeImageProcessor

from smd_cli.backbone.autoencoder import Autoencoder
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone, Conditioning
from smd_cli.models.ref import ModelRef

PROMPTS = ["a red fox", "", "a blue owl, watercolour"]


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return StableDiffusionPipeline.from_pretrained(TINY)


def image(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


def latents(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 8, 12, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def test_prompts(tiny: Backbone, pipeline: Any) -> None:
    wanted = [pipeline.encode_prompt(prompt, "cpu", 1, False)[0][0] for prompt in PROMPTS]
    encoded = tiny.encode_prompts(PROMPTS)
    assert list(encoded.tensors) == ["tokens"]
    assert torch.allclose(encoded["tokens"], torch.stack(wanted), atol=1e-5)


@torch.inference_mode()
def test_network(tiny: Backbone, pipeline: Any) -> None:
    """Rows of several timesteps in one call are those of one call each."""
    taus, prompts = [999, 500, 3], tiny.encode_prompts(PROMPTS)
    output = tiny.predict(whole_rows(latents(3), taus, prompts))
    for n in range(3):
        alone = pipeline.unet(latents(3)[n : n + 1], taus[n], prompts["tokens"][n : n + 1]).sample
        assert torch.allclose(output[n], alone[0], atol=1e-5)


@torch.inference_mode()
def test_autoencoder_kl(tiny: Backbone, pipeline: Any) -> None:
    """Latents are the distribution's mode times the scaling factor; decoding divides by it."""
    vae, scaling = pipeline.vae, pipeline.vae.config.scaling_factor
    assert scaling == 0.18215
    wanted = vae.encode(image(2)).latent_dist.mode() * scaling
    assert torch.allclose(tiny.encode_image(image(2)), wanted, atol=1e-6)
    decoded = tiny.decode_latents(latents(2))
    assert torch.allclose(decoded, vae.decode(latents(2) / scaling).sample, atol=1e-5)
    shown = VaeImageProcessor().postprocess(decoded, output_type="pt")
    assert shown.shape == (2, 3, 64, 96)


@pytest.mark.parametrize(
    "changes",
    [
        {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [0.9, 1.1, 1.0, 2.0]},
        {"shift_factor": 0.06},
    ],
    ids=["per channel", "shift"],
)
@torch.inference_mode()
def test_an_autoencoder_whose_latents_have_a_mean(changes: Any, tiny: Backbone) -> None:
    """diffusers' own: (z - mean) · scaling / std for SDXL, (z - shift) · scaling for SD 3."""
    vae = AutoencoderKL.from_pretrained(TINY / "vae")
    plain = Autoencoder(vae, tiny.device).encode(image(2)) / vae.config.scaling_factor
    vae.register_to_config(**changes)
    mean = torch.tensor(changes.get("latents_mean", [0.06])).view(1, -1, 1, 1)
    std = torch.tensor(changes.get("latents_std", [1.0])).view(1, -1, 1, 1)
    ours = Autoencoder(vae, tiny.device)
    latent = (plain - mean) * vae.config.scaling_factor / std
    assert torch.allclose(ours.encode(image(2)), latent, atol=1e-6)
    assert torch.allclose(ours.decode(latent), vae.decode(plain).sample, atol=1e-4)


@torch.inference_mode()
def test_autoencoder_tiny(tiny: Backbone) -> None:
    folder = TINY / "tiny_vae"
    model = load_backbone(ModelRef("tiny-sd", TINY, vae=ModelRef("tiny_vae", folder)), "cpu")
    vae = AutoencoderTiny.from_pretrained(folder)
    assert torch.allclose(model.encode_image(image(2)), vae.encode(image(2)).latents, atol=1e-5)
    assert torch.allclose(
        model.decode_latents(latents(2)), vae.decode(latents(2)).sample, atol=1e-5
    )
    assert torch.equal(
        model.encode_prompts(PROMPTS)["tokens"], tiny.encode_prompts(PROMPTS)["tokens"]
    )


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@torch.inference_mode()
def test_single_precision_crosses_the_line(dtype: str) -> None:
    model = load_backbone(ModelRef("tiny-sd", TINY), "cpu", dtype)
    prompts = model.encode_prompts(["a fox"])
    made = [
        prompts["tokens"],
        model.predict(whole_rows(latents(1), [500], prompts)),
        model.encode_image(image(1)),
        model.decode_latents(latents(1)),
    ]
    assert all(tensor.dtype == torch.float32 for tensor in made)
    assert all(torch.isfinite(tensor).all() for tensor in made)


@torch.inference_mode()
def test_in_bf16_the_autoencoder_is_that_of_fp32(tiny: Backbone) -> None:
    """To the last bit: its weights have never been rounded."""
    model = load_backbone(ModelRef("tiny-sd", TINY), "cpu", "bf16")
    assert torch.equal(model.decode_latents(latents(1)), tiny.decode_latents(latents(1)))
    assert torch.equal(model.encode_image(image(1)), tiny.encode_image(image(1)))
    rounded, exact = (one.encode_prompts(["a fox"])["tokens"] for one in (model, tiny))
    assert not torch.equal(rounded, exact)
    assert torch.allclose(rounded, exact, atol=0.1)


def test_numbers_of_the_contract(tiny: Backbone) -> None:
    """Autoencoder: four blocks, so 2^3 pixels a cell; UNet: two, so one halving."""
    assert (tiny.factor, tiny.multiple, tiny.channels) == (8, 16, 4)
    assert tiny.device == torch.device("cpu")


# Conditioning


def told(*rows: tuple[float, float]) -> Conditioning:
    """Rows of one token and one pooled number each."""
    tokens, pooled = torch.tensor(rows, dtype=torch.float32).T
    return Conditioning({"tokens": tokens[:, None, None], "pooled": pooled[:, None]})


def test_conditioning_by_hand() -> None:
    one, other = told((0, 10), (1, 20)), told((4, 30), (5, 40))
    for share, token, pooled in [(0, 0, 10), (0.25, 1, 15), (1, 4, 30)]:
        mixed = one.mix(other, share)
        assert mixed["tokens"][0].item() == token
        assert mixed["pooled"][0].item() == pooled
    rows = Conditioning.stack([one, other])
    assert rows["tokens"].flatten()[[3, 0, 3]].tolist() == [5, 0, 5]
    assert rows["pooled"].flatten()[[3, 0, 3]].tolist() == [40, 10, 40]
    assert one.guided(2.5)["guidance"].tolist() == [2.5, 2.5]
    assert one.get("guidance") is None


def test_masks_are_joined_and_rows_of_another_length_stay_themselves() -> None:
    def masked(*seen: bool) -> Conditioning:
        mask = torch.tensor([seen])
        return Conditioning({"tokens": mask[..., None].float(), "mask": mask})

    mixed = masked(True, False, False).mix(masked(True, True, False), 0.25)
    assert mixed["mask"].tolist() == [[True, True, False]]
    assert mixed["tokens"].flatten().tolist() == [1, 0.25, 0]
    long = masked(True, True, True, False)
    assert masked(True).mix(long, 0.5) is long
    assert masked(True).key != long.key
