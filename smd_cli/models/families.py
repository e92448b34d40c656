"""Which families of models there are, and to which of them a model folder belongs.

From its index and its UNet's config alone, and without torch: `smd check` asks, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import SUPPORTED, refuse_unet


@dataclass(frozen=True)
class Family:
    """What the folders of a family have in common.

    `text_parts`: its text encoders, as an index calls them; `unet_added`: what its UNet may be told
    besides the prompt ("text" is made of the prompt's own states); `pipeline`: diffusers' own;
    `vae_overflows`: its autoencoder may do so in fp16.
    """

    name: str
    text_parts: tuple[str, ...]
    unet_added: tuple[str | None, ...]
    pipeline: str
    vae_overflows: bool = False

    @property
    def tokenizer_parts(self) -> tuple[str, ...]:
        """How the tokenizers are called that go with the text encoders."""
        return tuple(part.replace("text_encoder", "tokenizer") for part in self.text_parts)


SD = Family("Stable Diffusion", ("text_encoder",), (None, "text"), "StableDiffusionPipeline")
SDXL = Family(
    "Stable Diffusion XL",
    ("text_encoder", "text_encoder_2"),
    ("text_time",),
    "StableDiffusionXLPipeline",
    vae_overflows=True,
)
FAMILIES = (SD, SDXL)

STARTER_UNET = "PlacedUNet"
UNETS = ("UNet2DConditionModel", STARTER_UNET)
"""Classes of denoisers: diffusers' own, and the starter model's."""

# Parts that a model may have beside the text encoders and tokenizers of its family.
_USUAL = {"unet", "vae", "scheduler", "safety_checker", "feature_extractor", "image_encoder"}


def family_of(name: str, index: Mapping[str, Any], unet: Mapping[str, Any]) -> Family:
    """The family of a model folder with these configs.

    Raises UsageError, with one sentence on what it is, for any other architecture.
    """
    parts = {key: held[1] for key, held in index.items() if isinstance(held, list) and held[0]}
    family = next((each for each in FAMILIES if _fits(each, parts)), None)
    if family is None:
        raise UsageError(
            f"the model {name} is {_kind(index, parts)}, which is not supported: {SUPPORTED}"
        )
    refuse_unet(name, unet.get("in_channels", 4))
    added = unet.get("addition_embed_type")
    if added not in family.unet_added:
        raise UsageError(
            f"the model {name} is not supported: its UNet's additions are of the kind {added}, "
            f"not {family.unet_added[0]}",
            SUPPORTED,
        )
    return family


def _fits(family: Family, parts: Mapping[str, str]) -> bool:
    """Whether a folder's parts (the class by name) are those of a family, and no others."""
    texts = {key for key in parts if key.startswith("text_encoder")}
    tokenizers = {key for key in parts if key.startswith("tokenizer")}
    return (
        texts == set(family.text_parts)
        and all(parts[key].startswith("CLIPText") for key in texts)
        and parts.get("unet") in UNETS
        and set(parts) <= _USUAL | texts | tokenizers
    )


def _kind(index: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    """What a model is that fits no family."""
    if "unet" in parts and {"text_encoder", "text_encoder_2"} & set(parts) == {"text_encoder_2"}:
        return "the refiner of Stable Diffusion XL"
    name = index.get("_class_name")
    return f"a {name}" if name else "a model of unknown kind"
