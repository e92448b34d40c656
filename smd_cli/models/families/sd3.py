"""Stable Diffusion 3 and 3.5: one transformer over prompt and picture, two CLIPs and T5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import Shapes
from smd_cli.models.families.record import (
    Configs,
    Facts,
    Family,
    Part,
    TransformerFile,
    refuse_width,
)
from smd_cli.models.families.unets import latent_factor
from smd_cli.models.flow import Size, Spacing, even, length_shift, patches, shifted

_LEAST = 1 / 1000  # the lowest level that it was trained on, before any shift
_CLIP = ("transformers:CLIPTextModelWithProjection",)
_CLIP_TOKENIZER = ("transformers:CLIPTokenizer",)


def levels(scheduler: Mapping[str, Any], steps: int, size: Size) -> Sequence[float]:
    """Evenly from 1 to the lowest level of its training, shifted once more."""
    [least] = [_LEAST] if scheduler.get("use_dynamic_shifting") else shifted(scheduler, [_LEAST], 0)
    mu = length_shift({"max_shift": 1.16, **scheduler}, patches(size))
    return shifted(scheduler, even(steps, least), mu)


def facts(configs: Configs) -> Facts:
    """What the configs tell. Whether a model is distilled none of them says."""
    transformer, factor = configs["transformer"], latent_factor(configs["vae"])
    sample = int(transformer.get("sample_size") or 128)
    newer = bool(transformer.get("qk_norm"))
    return Facts(
        kind=f"Stable Diffusion 3{'.5' * newer}" if transformer else "",
        cells=(sample, sample),
        factor=factor,
        multiple=factor * int(transformer.get("patch_size") or 2),
        channels=transformer.get("in_channels", 16) if transformer else None,
        text_width=transformer.get("joint_attention_dim"),
        sampler={"steps": 28, "noise_between": "kept", "guidance": {"type": "full", "scale": 4.5}},
    )


def refuse(name: str, configs: Configs) -> None:
    """Raise UsageError for texts of another width than its transformer takes."""
    transformer = configs["transformer"]
    parts = ("text_encoder", "text_encoder_2")
    widths = [int(configs[part].get("projection_dim") or 0) for part in parts]
    pooled = transformer.get("pooled_projection_dim")
    if all(widths) and pooled and sum(widths) != pooled:
        raise UsageError(
            f"the model {name} does not fit: its transformer takes pooled texts of width {pooled}, "
            f"its text encoders give {' + '.join(map(str, widths))}"
        )
    gives = configs["text_encoder_3"].get("d_model")
    refuse_width(name, transformer.get("joint_attention_dim"), gives, "T5")


def _preset(shapes: Shapes) -> str:
    """Large or medium 3, by blocks that they alone have; of medium 3.5 there is no preset."""
    if any(name.startswith(_OF_LARGE) for name in shapes):
        return "sd35-turbo"
    return "" if {*_NORMS} & {*shapes} else "sd3-flash"


_OF_LARGE = ("joint_blocks.37.", "transformer_blocks.37.")
_NORMS = ("joint_blocks.0.x_block.attn.ln_q.weight", "transformer_blocks.0.attn.norm_q.weight")
_SECOND = ("joint_blocks.0.x_block.attn2.qkv.weight", "transformer_blocks.0.attn2.to_q.weight")
_TRANSFORMER = TransformerFile(
    signs=("joint_blocks.0.x_block.attn.qkv.weight", "pos_embed.pos_embed"),
    widths=(
        ("texts", "joint_attention_dim", ("context_embedder.weight",)),
        ("pictures", "in_channels", ("x_embedder.proj.weight", "pos_embed.proj.weight")),
    ),
    blocks={"joint_blocks": "num_layers", "transformer_blocks": "num_layers"},
    preset=_preset,
    switches={"qk_norm": _NORMS, "dual_attention_layers": _SECOND},
)
FAMILY = Family(
    name="Stable Diffusion 3",
    covers="Stable Diffusion 3 and 3.5",
    denoiser=Part("transformer", ("diffusers:SD3Transformer2DModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderKL", "diffusers:AutoencoderTiny")),
    encoders=(
        Part("text_encoder", _CLIP),
        Part("text_encoder_2", _CLIP),
        Part("text_encoder_3", ("transformers:T5EncoderModel",), optional=True),
    ),
    tokenizers=(
        Part("tokenizer", _CLIP_TOKENIZER),
        Part("tokenizer_2", _CLIP_TOKENIZER),
        Part("tokenizer_3", ("transformers:AutoTokenizer",), optional=True),
    ),
    adapter="smd_cli.backbone.families.sd3:StableDiffusion3",
    pipeline="diffusers:StableDiffusion3Pipeline",
    pipelines=("StableDiffusion3Pipeline",),
    facts=facts,
    refuse=refuse,
    transformer_file=_TRANSFORMER,
    spacing=Spacing("line", levels),
    large_encoders=True,
)
