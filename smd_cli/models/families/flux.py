"""FLUX.1 schnell and dev: one transformer over prompt and picture, CLIP and T5."""

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
from smd_cli.models.families.unets import CLIP, CLIP_TOKENIZER, latent_factor
from smd_cli.models.flow import Spacing, length_levels

_NATIVE_PX = 1024
_USUAL_GUIDANCE = 3.5  # of dev, which takes the scale itself
_PACKED = 4  # latent cells that the transformer sees as one


def facts(configs: Configs) -> Facts:
    """What the configs tell: a model without guidance of its own is the distilled one."""
    transformer, factor = configs["transformer"], latent_factor(configs["vae"])
    guided = bool(transformer.get("guidance_embeds"))
    cells = _NATIVE_PX // factor
    return Facts(
        kind=f"FLUX.1 {'dev' if guided else 'schnell'}" if transformer else "",
        cells=(cells, cells),
        factor=factor,
        multiple=2 * factor,
        channels=transformer.get("in_channels", 64) // _PACKED if transformer else None,
        text_width=transformer.get("joint_attention_dim"),
        embedded_guidance=_USUAL_GUIDANCE if guided else None,
        sampler={"steps": 28 if guided else 4, "noise_between": "kept"},
        distilled=bool(transformer) and not guided,
    )


def refuse(name: str, configs: Configs) -> None:
    """Raise UsageError for a transformer that takes a picture beside the noised one."""
    transformer, vae = configs["transformer"], configs["vae"]
    takes, wanted = transformer.get("in_channels"), _PACKED * vae.get("latent_channels", 16)
    if takes and takes != wanted:
        raise UsageError(
            f"the model {name} is made for editing, filling or depth (its transformer takes "
            f"{takes} channels, not {wanted}), which is not supported"
        )
    gives = configs["text_encoder_2"].get("d_model")
    refuse_width(name, transformer.get("joint_attention_dim"), gives, "T5")


_GUIDANCE = ("guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_1.weight")
_TRANSFORMER = TransformerFile(
    signs=("double_blocks.0.img_mod.lin.weight", "single_transformer_blocks.0.proj_mlp.weight"),
    widths=(
        ("texts", "joint_attention_dim", ("txt_in.weight", "context_embedder.weight")),
        ("pictures", "in_channels", ("img_in.weight", "x_embedder.weight")),
    ),
    blocks={
        "double_blocks": "num_layers",
        "transformer_blocks": "num_layers",
        "single_blocks": "num_single_layers",
        "single_transformer_blocks": "num_single_layers",
    },
    preset=lambda shapes: "" if {*_GUIDANCE} & {*shapes} else "flux-schnell",
    switches={"guidance_embeds": _GUIDANCE},
)
FAMILY = Family(
    name="FLUX.1",
    covers="FLUX.1 schnell and dev",
    denoiser=Part("transformer", ("diffusers:FluxTransformer2DModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderKL", "diffusers:AutoencoderTiny")),
    encoders=(CLIP, Part("text_encoder_2", ("transformers:T5EncoderModel",))),
    tokenizers=(CLIP_TOKENIZER, Part("tokenizer_2", ("transformers:AutoTokenizer",))),
    adapter="smd_cli.backbone.families.flux:Flux",
    pipeline="diffusers:FluxPipeline",
    pipelines=("FluxPipeline",),
    facts=facts,
    refuse=refuse,
    transformer_file=_TRANSFORMER,
    spacing=Spacing("line", length_levels),
    large_encoders=True,
    half="bf16",
)
