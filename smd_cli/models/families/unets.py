"""What families with diffusers' UNet share: what its config tells, and what it cannot be.

A UNet of the same class may be made for another task: its input and its texts give it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import (
    LAYOUTS,
    UNET_INPUT,
    UNET_TEXT,
    Shapes,
    width_in,
)
from smd_cli.models.families.record import Configs, Facts, Part, SingleFile
from smd_cli.models.families.registry import supported

UNET = Part("unet", ("diffusers:UNet2DConditionModel",))
VAE = Part("vae", ("diffusers:AutoencoderKL", "diffusers:AutoencoderTiny"))
CLIP = Part("text_encoder", ("transformers:CLIPTextModel",), ("CLIPTextModelWithProjection",))
CLIP_TOKENIZER = Part("tokenizer", ("transformers:CLIPTokenizer",))
CLIP_END = "<|endoftext|>"  # ends its prompts, and fills most of them up

_EMBEDDED_GUIDANCE = 8.5  # what latent consistency models are usually asked for
# What a UNet with so many input channels is for, beside the usual 4.
_INPUTS = {
    5: "a depth-to-image model",
    7: "an upscaler",
    8: "an image-editing model (InstructPix2Pix)",
    9: "an inpainting model",
}
# Whole checkpoints by the width of their texts, for which there are no configs here.
_NO_LAYOUT = {1024: "a Stable Diffusion 2 checkpoint", 1280: "the refiner of Stable Diffusion XL"}


def unet_facts(
    name: str,
    configs: Configs,
    *,
    generations: Mapping[int | None, str] = {},
    unused_layers: int = 0,
) -> Facts:
    """What the configs of a UNet with its texts and autoencoder tell.

    `generations` names the models of a family by the width of their texts; `unused_layers`: how
    many of the last text layers the family leaves out as it is.
    """
    unet = configs["unet"]
    sample = unet.get("sample_size") or 64
    height, width = (sample, sample) if isinstance(sample, int) else sample
    taken = unet.get("cross_attention_dim")
    text_width = taken if isinstance(taken, int) else None
    guided, factor = bool(unet.get("time_cond_proj_dim")), latent_factor(configs["vae"])
    kind = generations.get(text_width, name) + (", a full LCM" if guided else "")
    return Facts(
        kind=kind if unet else "",
        cells=(width, height),
        factor=factor,
        multiple=factor * 2 ** (len(unet["block_out_channels"]) - 1)
        if "block_out_channels" in unet
        else 0,
        channels=unet.get("in_channels", 4) if unet else None,
        text_width=text_width,
        text_layers=_text_layers(configs, unused_layers),
        embedded_guidance=_EMBEDDED_GUIDANCE if guided else None,
    )


def latent_factor(vae: Mapping[str, Any]) -> int:
    """Canvas pixels per latent cell of an autoencoder, from its config (8 where it is silent)."""
    if isinstance(vae.get("patch_size"), int):  # the starter's; FLUX.2's is a pair, on top
        return int(vae["patch_size"])
    blocks = vae.get("block_out_channels") or vae.get("encoder_block_out_channels")
    return int(2 ** (len(blocks) - 1)) if blocks else 8


def _text_layers(configs: Configs, unused: int) -> int:
    """How many layers `clip_skip` has to choose from."""
    keys = [config.get("num_hidden_layers") for config in configs.values()]
    counts = [int(key) for key in keys if key is not None]
    return max(0, min(counts) - unused) if counts else 0


def refuse_unet(name: str, configs: Configs, *, additions: tuple[str | None, ...]) -> None:
    """Raise UsageError for a UNet that is made for another task, or for other texts.

    `additions`: what it may be told besides the prompt ("text" is made of the prompt's own states).
    """
    unet = configs["unet"]
    _refuse_input(name, unet.get("in_channels", 4))
    added = unet.get("addition_embed_type")
    if unet and added not in additions:
        raise UsageError(
            f"the model {name} is not supported: its UNet's additions are of the kind {added}, "
            f"not {additions[0]}",
            supported(),
        )
    takes, gives = unet.get("in_channels", 4), unet.get("out_channels", 4)
    if unet and takes != gives:
        raise UsageError(
            f"the model {name} is not supported: its UNet takes {takes} channels and gives {gives}",
            "a network that predicts variances, too, is none of Stable Diffusion's",
        )
    _refuse_other_texts(name, configs)


def _refuse_other_texts(name: str, configs: Configs) -> None:
    """Raise UsageError where a UNet takes other texts than its encoders give."""
    texts = [config for part, config in configs.items() if part.startswith("text_encoder")]
    widths = [int(text.get("hidden_size", 0)) for text in texts]
    wanted = configs["unet"].get("cross_attention_dim")
    if widths and all(widths) and isinstance(wanted, int) and sum(widths) != wanted:
        raise UsageError(
            f"the model {name} does not fit: its UNet takes texts of width {wanted}, its text "
            f"encoders give {' + '.join(map(str, widths))}"
        )


def _refuse_input(name: str, channels: int) -> None:
    """Raise UsageError for a UNet that takes more than the noised picture."""
    if channels in _INPUTS:
        raise UsageError(
            f"the model {name} is {_INPUTS[channels]} (its UNet takes {channels} channels), "
            "which is not supported",
            supported(),
        )


# --- Single files ---------------------------------------------------------------------------------


def original_layout(folder: str, text_width: int, pads: tuple[str, ...]) -> SingleFile:
    """Single files whose UNet takes texts of this width; `folder` of `LAYOUTS` has their configs.

    `pads`: what fills up the prompts of each CLIP tokenizer.
    """

    def layout(shapes: Shapes) -> Path | None:
        ours = UNET_INPUT in shapes and width_in(shapes.get(UNET_TEXT, ())) == text_width
        return LAYOUTS / folder if ours else None

    return SingleFile(UNET_INPUT, layout, refuse_weights, pads)


def refuse_weights(name: str, shapes: Shapes, configs: Configs) -> None:
    """Raise UsageError for the weights of a UNet of another task, or of other texts than told."""
    _refuse_input(name, width_in(shapes[UNET_INPUT]))
    takes = width_in(shapes.get(UNET_TEXT, ()))
    told = configs.get("unet", {}).get("cross_attention_dim")
    if takes and isinstance(told, int) and takes != told:
        raise UsageError(
            f"{name} does not fit its config: its UNet takes texts of width {takes}, there "
            f"they are {told} wide"
        )


def refuse_without_layout(name: str, shapes: Shapes) -> None:
    """Raise UsageError for a whole checkpoint of Stable Diffusion that no layout is here for."""
    if not (UNET_INPUT in shapes and UNET_TEXT in shapes):
        return
    _refuse_input(name, width_in(shapes[UNET_INPUT]))
    kind = _NO_LAYOUT.get(width_in(shapes[UNET_TEXT]), "a model of unknown size")
    raise UsageError(
        f"{name} is {kind}: single files are read of Stable Diffusion 1.x and XL",
        "use its diffusers folder, or name such a folder as config:",
    )
