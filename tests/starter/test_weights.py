"""The shipped model: an ordinary diffusers folder, small, that knows its words."""

import json
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.backbone.families.denoiser import PlacedUNet
from smd_cli.models.facts import STARTER

OWN = json.loads((STARTER / "smd.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return CLIPTokenizer.from_pretrained(STARTER / "tokenizer")


def test_the_folder_is_small_and_holds_no_font_or_glyph() -> None:
    files = [path for path in STARTER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 25e6
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt"}


def test_no_setting_tells_of_the_machine_that_trained_it() -> None:
    for path in STARTER.rglob("*.json"):
        assert "_name_or_path" not in path.read_text(encoding="utf-8")


def test_the_index_is_a_stable_diffusion_pipelines() -> None:
    index = json.loads((STARTER / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert index["vae"] == ["smd_cli.backbone.families.codec", "PatchAutoencoder"]
    assert index["unet"] == ["smd_cli.backbone.families.denoiser", "PlacedUNet"]
    assert index["safety_checker"] in (None, [None, None])


def test_its_own_defaults_are_complete() -> None:
    assert OWN["native_size"] == [256, 256]
    assert OWN["consistency"] is False
    assert len(OWN["sampler"]["timesteps"]) <= 5
    assert len(OWN["vocabulary"]["objects"]) >= 40
    assert len(OWN["vocabulary"]["materials"]) >= 15


@pytest.mark.parametrize("word", [*OWN["vocabulary"]["objects"], *OWN["vocabulary"]["materials"]])
def test_the_tokenizer_knows_the_words(tokenizer: Any, word: str) -> None:
    assert len(tokenizer.tokenize(word)) == len(word.split())


def test_diffusers_own_pipeline_loads_it() -> None:
    pipeline = DiffusionPipeline.from_pretrained(STARTER, local_files_only=True)
    assert isinstance(pipeline.unet, PlacedUNet)
    assert isinstance(pipeline.vae, PatchAutoencoder)


@torch.no_grad()
def test_the_parts_load_and_fit(tokenizer: Any) -> None:
    unet = PlacedUNet.from_pretrained(STARTER, subfolder="unet")
    text_encoder = CLIPTextModel.from_pretrained(STARTER / "text_encoder", dtype=torch.float32)
    vae = PatchAutoencoder.from_pretrained(STARTER, subfolder="vae")
    scheduler = DDIMScheduler.from_pretrained(STARTER, subfolder="scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    tokens = tokenizer(["a fox"], padding="max_length", return_tensors="pt").input_ids
    states = text_encoder(tokens).last_hidden_state
    latents = torch.zeros(1, vae.config.latent_channels, 32, 32)
    output = unet.float()(latents, torch.tensor([500]), states).sample
    assert vae.float().decode(output).sample.shape == (1, 3, 256, 256)


@torch.no_grad()
def test_the_codec_returns_what_it_was_given() -> None:
    vae = PatchAutoencoder.from_pretrained(STARTER, subfolder="vae").float()
    down = torch.linspace(-1, 1, 64)[:, None].expand(64, 64)
    picture = torch.stack([down, down.T, -down])[None]
    assert (vae(picture).sample - picture).abs().mean() < 0.05
