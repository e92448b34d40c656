"""Stable Diffusion XL, with its LCM, Turbo and Lightning models: two encoders, pooled, sizes."""

from __future__ import annotations

from functools import partial

from smd_cli.models.families.record import Family, Part
from smd_cli.models.families.unets import (
    CLIP,
    CLIP_END,
    CLIP_TOKENIZER,
    UNET,
    VAE,
    original_layout,
    refuse_unet,
    unet_facts,
)

FAMILY = Family(
    name="Stable Diffusion XL",
    covers="Stable Diffusion XL with its LCM, Turbo and Lightning models",
    denoiser=UNET,
    autoencoder=VAE,
    encoders=(
        CLIP,
        Part("text_encoder_2", ("transformers:CLIPTextModelWithProjection",), ("CLIPTextModel",)),
    ),
    tokenizers=(CLIP_TOKENIZER, Part("tokenizer_2", CLIP_TOKENIZER.classes)),
    adapter="smd_cli.backbone.families.sdxl:StableDiffusionXL",
    pipeline="diffusers:StableDiffusionXLPipeline",
    facts=partial(unet_facts, "Stable Diffusion XL", unused_layers=1),
    refuse=partial(refuse_unet, additions=("text_time",)),
    single_file=original_layout("sdxl", text_width=2048, pads=(CLIP_END, "!")),
    vae_overflows=True,
)
