"""FLUX.2 klein: one transformer over prompt and picture, prompts read by Qwen3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import width_in
from smd_cli.models.families.record import Configs, Facts, Family, Part, TransformerFile
from smd_cli.models.families.unets import latent_factor
from smd_cli.models.flow import Size, Spacing, even, patches, shifted

_NATIVE_PX = 1024
_PATCH = 2  # latent cells along the side of one that the engine sees
_LAYERS = 3  # of Qwen3, side by side
_DISTILLED: Mapping[str, Any] = {"steps": 4, "noise_between": "kept"}
_GUIDED: Mapping[str, Any] = {
    "steps": 50,
    "noise_between": "kept",
    "guidance": {"type": "full", "scale": 4},
}
_TEXTS_OF_4B = 7680  # features, in the width of Qwen3 4B
_LONG = 4300  # patches: pictures from there on are shifted as for 200 steps


def levels(scheduler: Mapping[str, Any], steps: int, size: Size) -> Sequence[float]:
    """Evenly from 1 to 1/steps, shifted by µ for so many patches and steps."""
    return shifted(scheduler, even(steps), empirical_shift(patches(size), steps))


def empirical_shift(tokens: int, steps: int) -> float:
    """µ as FLUX.2 takes it: between lines for 10 and for 200 steps, which grow with the picture."""
    for_10 = 8.73809524e-05 * tokens + 1.89833333
    for_200 = 0.00016927 * tokens + 0.45666666
    return for_200 if tokens > _LONG else for_10 + (for_200 - for_10) * (steps - 10) / 190


def facts(configs: Configs) -> Facts:
    """What the configs tell; the engine sees latents in patches of 2x2."""
    transformer, factor = configs["transformer"], _PATCH * latent_factor(configs["vae"])
    cells = _NATIVE_PX // factor
    distilled = bool(configs["model_index"].get("is_distilled"))
    return Facts(
        kind="FLUX.2 klein" if transformer else "",
        cells=(cells, cells),
        factor=factor,
        multiple=factor,
        channels=transformer.get("in_channels", 128) // _PATCH**2 if transformer else None,
        text_width=transformer.get("joint_attention_dim"),
        sampler=_DISTILLED if distilled else _GUIDED,
        distilled=distilled,
    )


def refuse(name: str, configs: Configs) -> None:
    """Raise UsageError for texts of another width than its transformer takes."""
    gives, takes = (
        configs["text_encoder"].get("hidden_size"),
        configs["transformer"].get("joint_attention_dim"),
    )
    if gives and takes and takes % gives:
        raise UsageError(
            f"the model {name} does not fit: its transformer takes texts of width {takes}, its "
            f"text encoder gives {_LAYERS} x {gives}"
        )


_TEXTS = ("txt_in.weight", "context_embedder.weight")
_TRANSFORMER = TransformerFile(
    signs=(
        "double_stream_modulation_img.lin.weight",
        "double_stream_modulation_img.linear.weight",
    ),
    widths=(
        ("texts", "joint_attention_dim", _TEXTS),
        ("pictures", "in_channels", ("img_in.weight", "x_embedder.weight")),
    ),
    blocks={
        "double_blocks": "num_layers",
        "transformer_blocks": "num_layers",
        "single_blocks": "num_single_layers",
        "single_transformer_blocks": "num_single_layers",
    },
    switches={
        "guidance_embeds": (
            "guidance_in.in_layer.weight",
            "time_guidance_embed.guidance_embedder.linear_1.weight",
        )
    },
    preset=lambda shapes: (
        "flux2-klein" if _TEXTS_OF_4B in {width_in(shapes.get(one, ())) for one in _TEXTS} else ""
    ),
)
FAMILY = Family(
    name="FLUX.2 klein",
    covers="FLUX.2 klein",
    denoiser=Part("transformer", ("diffusers:Flux2Transformer2DModel",)),
    autoencoder=Part("vae", ("diffusers:AutoencoderKLFlux2",)),
    encoders=(Part("text_encoder", ("transformers:Qwen3ForCausalLM",)),),
    tokenizers=(Part("tokenizer", ("transformers:AutoTokenizer",)),),
    adapter="smd_cli.backbone.families.flux2_klein:Flux2Klein",
    pipeline="diffusers:Flux2KleinPipeline",
    pipelines=("Flux2KleinPipeline",),
    facts=facts,
    refuse=refuse,
    transformer_file=_TRANSFORMER,
    spacing=Spacing("line", levels),
    large_encoders=True,
    half="bf16",
)
