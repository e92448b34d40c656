"""Z-Image and Z-Image-Turbo: one transformer over prompt and picture, prompts read by Qwen3."""

from __future__ import annotations

from smd_cli.errors import UsageError
from smd_cli.models.families.record import (
    Configs,
    Facts,
    Family,
    Part,
    TransformerFile,
    refuse_width,
)
from smd_cli.models.families.unets import latent_factor
from smd_cli.models.flow import Spacing, length_levels

_NATIVE_PX = 1024


def facts(configs: Configs) -> Facts:
    """What the configs tell. Whether a model is the distilled one none of them says."""
    transformer, vae = configs["transformer"], configs["vae"]
    factor = latent_factor(vae)
    cells = _NATIVE_PX // factor
    return Facts(
        kind="Z-Image" if transformer else "",
        cells=(cells, cells),
        factor=factor,
        multiple=2 * factor,
        channels=transformer.get("in_channels", 16) if transformer else None,
        text_width=transformer.get("cap_feat_dim"),
        sampler={"steps": 8, "noise_between": "kept"},
    )


def refuse(name: str, configs: Configs) -> None:
    """Raise UsageError for the Omni model, and for texts of another width than is taken."""
    transformer, encoder = configs["transformer"], configs["text_encoder"]
    if transformer.get("siglip_feat_dim"):
        raise UsageError(f"the model {name} is Z-Image-Omni, which is not supported")
    refuse_width(name, transformer.get("cap_feat_dim"), encoder.get("hidden_size"))


FAMILY = Family(
    name="Z-Image",
    covers="Z-Image and Z-Image-Turbo",
    denoiser=Part("transformer", ("diffusers:ZImageTransformer2DModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderKL",)),
    encoders=(Part("text_encoder", ("transformers:Qwen3Model",), ("Qwen3ForCausalLM",)),),
    tokenizers=(Part("tokenizer", ("transformers:AutoTokenizer",)),),
    adapter="smd_cli.backbone.families.z_image:ZImage",
    pipeline="diffusers:ZImagePipeline",
    pipelines=("ZImagePipeline",),
    facts=facts,
    refuse=refuse,
    transformer_file=TransformerFile(
        signs=("layers.0.adaLN_modulation.0.weight",),
        widths=(("texts", "cap_feat_dim", ("cap_embedder.1.weight",)),),
        blocks={"layers": "n_layers"},
        preset=lambda _: "z-image-turbo",
        dropped=("norm_final.weight",),
    ),
    spacing=Spacing("line", length_levels),
    guidance_off=0.0,
    large_encoders=True,
    half="bf16",
    ragged_prompts=True,
)
