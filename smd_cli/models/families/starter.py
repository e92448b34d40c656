"""The model that comes with smd: a UNet and an autoencoder of its own kind, one CLIP encoder."""

from __future__ import annotations

from functools import partial

from smd_cli.models.families.record import Family, Part
from smd_cli.models.families.unets import CLIP, CLIP_TOKENIZER, VAE, refuse_unet, unet_facts

FAMILY = Family(
    name="the starter's own",
    denoiser=Part("unet", ("smd_cli.backbone.families.denoiser:PlacedUNet",)),
    autoencoder=Part("vae", (*VAE.classes, "smd_cli.backbone.families.codec:PatchAutoencoder")),
    encoders=(CLIP,),
    tokenizers=(CLIP_TOKENIZER,),
    adapter="smd_cli.backbone.families.sd:StableDiffusion",
    pipeline="diffusers:StableDiffusionPipeline",
    facts=partial(unet_facts, "the starter's own"),
    refuse=partial(refuse_unet, additions=(None, "text")),
    no_lora="it is small, and of a kind of its own",
)
