"""Stable Diffusion 1.x and 2.x, with their LCM and Turbo models: a UNet and one CLIP encoder."""

from __future__ import annotations

from functools import partial

from smd_cli.models.families.record import Family
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
    name="Stable Diffusion",
    covers="Stable Diffusion 1.x and 2.x with their LCM and Turbo models",
    denoiser=UNET,
    autoencoder=VAE,
    encoders=(CLIP,),
    tokenizers=(CLIP_TOKENIZER,),
    adapter="smd_cli.backbone.families.sd:StableDiffusion",
    pipeline="diffusers:StableDiffusionPipeline",
    facts=partial(
        unet_facts,
        "Stable Diffusion",
        generations={768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x"},
    ),
    refuse=partial(refuse_unet, additions=(None, "text")),
    single_file=original_layout("sd1", text_width=768, pads=(CLIP_END,)),
)
