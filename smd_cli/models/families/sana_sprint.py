"""SANA-Sprint: a linear transformer that is told its guidance, prompts read by Gemma 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from smd_cli.models.flow import Size, Spacing

_FIRST, _SECOND = 1.57080, 1.3  # angles; the latter where there are two slots
_USUAL_GUIDANCE = 4.5
_FACTOR = 32  # of its autoencoder, while that is not here


def levels(scheduler: Mapping[str, Any], steps: int, size: Size) -> Sequence[float]:  # noqa: ARG001
    """Angles from a quarter of the circle down, evenly; of two slots the second has its own."""
    if steps == 2:
        return _FIRST, _SECOND
    return [_FIRST * (1 - n / steps) for n in range(steps)]


def facts(configs: Configs) -> Facts:
    """What the configs tell."""
    transformer, vae = configs["transformer"], configs["vae"]
    factor = latent_factor(vae) if vae else _FACTOR
    sample = int(transformer.get("sample_size") or 32)
    return Facts(
        kind="SANA-Sprint" if transformer else "",
        cells=(sample, sample),
        factor=factor,
        multiple=factor,
        channels=transformer.get("in_channels", 32) if transformer else None,
        embedded_guidance=_USUAL_GUIDANCE,
        sampler={"steps": 2},
        distilled=True,
    )


def refuse(name: str, configs: Configs) -> None:
    """Raise UsageError for a SANA that is not distilled, and for texts of another width."""
    transformer, encoder = configs["transformer"], configs["text_encoder"]
    if transformer and not transformer.get("guidance_embeds"):
        raise UsageError(f"the model {name} is a SANA that is no Sprint, which is not supported")
    refuse_width(name, transformer.get("caption_channels"), encoder.get("hidden_size"))


FAMILY = Family(
    name="SANA-Sprint",
    covers="SANA-Sprint",
    denoiser=Part("transformer", ("diffusers:SanaTransformer2DModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderDC",)),
    encoders=(Part("text_encoder", ("transformers:Gemma2Model",), ("Gemma2PreTrainedModel",)),),
    tokenizers=(Part("tokenizer", ("transformers:AutoTokenizer",)),),
    adapter="smd_cli.backbone.families.sana_sprint:SanaSprint",
    pipeline="diffusers:SanaSprintPipeline",
    pipelines=("SanaSprintPipeline",),
    facts=facts,
    refuse=refuse,
    transformer_file=TransformerFile(
        signs=("transformer_blocks.0.ff.conv_inverted.weight",),
        widths=(
            ("texts", "caption_channels", ("caption_projection.linear_1.weight",)),
            ("pictures", "in_channels", ("patch_embed.proj.weight",)),
        ),
        blocks={"transformer_blocks": "num_layers"},
        preset=lambda _: "sana-sprint",
        switches={"guidance_embeds": ("time_embed.guidance_embedder.linear_1.weight",)},
        unread="blocks.0.cross_attn.q_linear.weight",
    ),
    spacing=Spacing("circle", levels, ("SCMScheduler",)),
    large_encoders=True,
    half="bf16",
)
