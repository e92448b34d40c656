"""What is written down of a family: its parts, its classes by name, and what its configs tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import Shapes
from smd_cli.models.flow import Spacing

Configs = Mapping[str, Mapping[str, Any]]
"""The configs of a model's parts by their names, its index as "model_index"; empty ones where they
are not here.
"""

SCHEDULER, TRANSFORMER = "scheduler", "transformer"
# Parts that any model may have beside those of its family.
_UNUSED = {"safety_checker", "feature_extractor", "image_encoder"}


@dataclass(frozen=True)
class Part:
    """A folder of a model, and the `classes` that load it, as "module:Class".

    That counts which the part's config names; the first where it names none of them. An index may
    name those in `also`, which are loaded by the first, too. An `optional` part may be left out.
    """

    name: str
    classes: tuple[str, ...]
    also: tuple[str, ...] = ()
    optional: bool = False

    @property
    def loaders(self) -> Mapping[str, str]:
        """The classes by their bare names, which are those in configs and indices."""
        return {spec.rpartition(":")[2]: spec for spec in self.classes}

    def takes(self, name: str | None) -> bool:
        """Whether an index may say that this part is of the class `name`; None for left out."""
        return name in self.loaders or name in self.also or (name is None and self.optional)

    def loader(self, config: Mapping[str, Any]) -> str:
        """The class, as "module:Class", for a part with this config."""
        return self.loaders.get(str(config.get("_class_name")), self.classes[0])


@dataclass(frozen=True)
class Facts:
    """What the configs of a model's parts tell.

    `kind`: what the model is, for people, empty where that is not told; `cells`: its canvas (width,
    height) in latent cells; `factor`: canvas pixels a latent cell; `multiple`: the sides of a
    canvas are multiples of so many pixels, 0 where that is not told; `channels` of the latents, and
    `text_width` of the texts that its denoiser takes, None where that is not told; `text_layers`:
    of its shortest text encoder, those that may be left out and one more, 0 where that is not told;
    `embedded_guidance`: the usual scale of a denoiser that takes the guidance scale itself;
    `sampler`: what else they imply for the scene's ``sampler:``; `distilled`: that they tell.
    """

    kind: str
    cells: tuple[int, int] = (64, 64)
    factor: int = 8
    multiple: int = 0
    channels: int | None = None
    text_width: int | None = None
    text_layers: int = 0
    embedded_guidance: float | None = None
    sampler: Mapping[str, Any] = field(default_factory=dict)
    distilled: bool = False


@dataclass(frozen=True, eq=False)
class SingleFile:
    """How whole models of a family are told and read from one file in its original layout.

    `sign`: a weight that all of them have; `layout`: the folder of configs for weights of these
    shapes, None where they are not of the family; `refuse`: raises UsageError for a model `name`
    with weights of these shapes that do not fit the configs; `pads`: what fills up the prompts of
    each of its CLIP tokenizers.
    """

    sign: str
    layout: Callable[[Shapes], Path | None]
    refuse: Callable[[str, Shapes, Configs], None]
    pads: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TransformerFile:
    """How transformers of a family are told, and fit a config, where one lies in a file by itself.

    Names of weights are those in either layout that diffusers reads: the original one and its own.
    `signs`: a weight that such files have, and those of no other family. `widths`: what is taken,
    in words, with the config's key and the weights whose second side says how wide that is.
    `blocks`: the config's key for the length of each list of blocks. `switches`: weights that are
    there where the config's key says so, and only there. `unread`: a weight of files in an original
    layout that diffusers does not convert. `dropped`: weights that it leaves out, and may.
    `preset`: the preset with the other parts, for weights of these shapes; empty where there is
    none.
    """

    signs: tuple[str, ...]
    widths: tuple[tuple[str, str, tuple[str, ...]], ...]
    blocks: Mapping[str, str]
    preset: Callable[[Shapes], str]
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: str = ""
    dropped: tuple[str, ...] = ()


def _refuse_nothing(name: str, configs: Configs) -> None:
    """Most families need no more than that all parts are of their classes."""


def refuse_width(
    name: str, takes: int | None, gives: int | None, encoder: str = "text encoder"
) -> None:
    """Raise UsageError for texts of another width than a transformer takes, where both are told."""
    if takes and gives and takes != gives:
        raise UsageError(
            f"the model {name} does not fit: its transformer takes texts of width {takes}, its "
            f"{encoder} gives {gives}"
        )


@dataclass(frozen=True, eq=False)
class Family:
    """What the models of a family have in common. Heavy things are named, as "module:Class".

    `covers`: which released models it is, for the sentence on what smd runs. `adapter` is built
    with a model's `Parts` and answers the engine as a `Backbone`. `pipeline`: diffusers' own, by
    which LoRAs and single files are read and doctor compares; empty where there is none.
    `pipelines`: those that an index may name, any where it is empty: editing models have the same
    parts. `facts` reads configs; `refuse` raises UsageError for a model `name` that its configs
    tell to be of another kind. `spacing`: how its slots are spaced, None for a diffusion by betas.
    `transformer_file`: how a file with the transformer
    alone is told, None for denoisers that are none. `no_lora`: why models of the family take no
    LoRA. `guidance_off`: the scale at which its
    pipeline does not guide, as ours does not at 1. `vae_overflows`: its autoencoder may do so in
    fp16. `large_encoders`: its text encoders weigh as much as an image model: they leave before the
    denoiser is loaded, and what they read is kept on the disk. `half`: the half precision that its
    models bear, bf16 where they were trained in that and their numbers may be too large for fp16.
    `ragged_prompts`: they have as many rows as tokens, so that those of other lengths do not mix.
    """

    name: str
    denoiser: Part
    autoencoder: Part
    encoders: tuple[Part, ...]
    tokenizers: tuple[Part, ...]
    adapter: str
    facts: Callable[[Configs], Facts]
    covers: str = ""
    pipeline: str = ""
    pipelines: tuple[str, ...] = ()
    refuse: Callable[[str, Configs], None] = _refuse_nothing
    single_file: SingleFile | None = None
    transformer_file: TransformerFile | None = None
    spacing: Spacing | None = None
    no_lora: str = ""
    guidance_off: float = 1.0
    vae_overflows: bool = False
    large_encoders: bool = False
    half: Literal["fp16", "bf16"] = "fp16"
    ragged_prompts: bool = False

    @property
    def modules(self) -> tuple[Part, ...]:
        """The parts with weights."""
        return (self.denoiser, self.autoencoder, *self.encoders)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The folders of a model that are read."""
        return (*(part.name for part in (*self.modules, *self.tokenizers)), SCHEDULER)

    def fits(self, index: Mapping[str, Any]) -> bool:
        """Whether the parts that an index names are those of this family, and no others."""
        if self.pipelines and index.get("_class_name") not in self.pipelines:
            return False
        parts = parts_of(index)
        tokenizers = {name for name in parts if name.startswith("tokenizer")}
        return set(parts) <= {*self.part_names, *tokenizers, *_UNUSED} and all(
            part.takes(parts.get(part.name)) for part in (self.denoiser, *self.encoders)
        )


def parts_of(index: Mapping[str, Any]) -> dict[str, str]:
    """The parts that an index names and that are there, with their classes."""
    return {key: held[1] for key, held in index.items() if isinstance(held, list) and held[0]}
