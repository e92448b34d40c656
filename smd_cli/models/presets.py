"""Models that a scene may call by one word: where they are, and how they like to be sampled.

Revisions are pinned, so that a scene means the same weights next year; those of flow-matching
models are not yet. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smd_cli.models.ref import LoraRef, ModelRef


@dataclass(frozen=True, eq=False)
class ModelPreset:
    """A model with all that it needs, by name.

    It is on the hub as `repository` at `revision`, or in a `folder` of this package. `loras` make
    it fast, `vae` decodes quickly. `sampler` is in the words of the scene's ``sampler:``;
    `scheduler` holds the keys in which the checkpoint's own scheduler config is to be overruled;
    `consistency`: it was distilled as a consistency model; `text_width`: how wide the texts are
    that its UNet takes, by which LoRAs are told apart. `family`: what it is of while none of it is
    here, SD 1.5 by default. `licence` is that of the weights; `memory` what they take in half
    precision, by their numbers of parameters, empty where nobody has counted them.
    """

    name: str
    about: str
    licence: str
    repository: str | None = None
    revision: str | None = None
    folder: Path | None = None
    loras: tuple[LoraRef, ...] = ()
    vae: ModelRef | None = None
    native_size: tuple[int, int] | None = None
    sampler: Mapping[str, Any] = field(default_factory=dict)
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    consistency: bool | None = None
    text_width: int | None = None
    family: str = ""
    memory: str = ""

    def ref(self, revision: str | None = None) -> ModelRef:
        """The preset as the model of a scene; another `revision` than the pinned one may be had."""
        return ModelRef(
            self.name,
            self.folder,
            revision or self.revision,
            self.vae,
            repository=self.repository,
            loras=self.loras,
        )


STARTER = Path(__file__).parent.parent / "starter" / "weights"

_TAESD = ModelRef("madebyollin/taesd", revision="614f76814bbe30edbe2e627ace1c2234c81a2c0e")
_TAESDXL = ModelRef("madebyollin/taesdxl", revision="b20258aaef75ef61e659c1e0f14f251cf0ad153e")
_SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
_SDXL_REVISION = "462165984030d82259a11f4367a4eed129e94a7b"
_LCM_SD15 = LoraRef(
    "latent-consistency/lcm-lora-sdv1-5", revision="cf2fced511dbe7e26c8d1d397e728fbab875db4b"
)
_LCM_SDXL = LoraRef(
    "latent-consistency/lcm-lora-sdxl", revision="a18548dd4956b174ec5b0d78d340c8dae0a129cd"
)
_LIGHTNING = LoraRef(
    "ByteDance/SDXL-Lightning",
    file="sdxl_lightning_4step_lora.safetensors",
    revision="c9a24f48e1c025556787b0c58dd67a091ece2e44",
)
_FOUR: Mapping[str, Any] = {"steps": 4}
_LCM: Mapping[str, Any] = {"_class_name": "LCMScheduler"}
_TRAILING: Mapping[str, Any] = {
    "_class_name": "EulerDiscreteScheduler",
    "timestep_spacing": "trailing",
}

_ALL = (
    ModelPreset(
        "starter",
        "a small model that comes with smd: 100 things, 26 materials",
        "MIT",
        folder=STARTER,
    ),
    ModelPreset(
        "sd15",
        "Stable Diffusion 1.5, fast with the LCM-LoRA",
        "CreativeML OpenRAIL-M; the LoRA OpenRAIL++",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        loras=(_LCM_SD15,),
        vae=_TAESD,
        text_width=768,
        native_size=(512, 512),
        scheduler=_LCM,
    ),
    ModelPreset(
        "lcm-dreamshaper",
        "Dreamshaper 7, distilled as a full latent consistency model",
        "MIT as published; Dreamshaper itself CreativeML OpenRAIL-M",
        "SimianLuo/LCM_Dreamshaper_v7",
        "a85df6a8bd976cdd08b4fd8f3b73f229c9e54df5",
        vae=_TAESD,
        text_width=768,
        native_size=(512, 512),
        sampler={"guidance": {"type": "full", "scale": 8}},
        scheduler=_LCM,
    ),
    ModelPreset(
        "sd-turbo",
        "Stable Diffusion 2.1, distilled to one to four steps",
        "Stability AI Non-Commercial Research Community",
        "stabilityai/sd-turbo",
        "b261bac6fd2cf515557d5d0707481eafa0485ec2",
        vae=_TAESD,
        text_width=1024,
        native_size=(512, 512),
        sampler=_FOUR,
        scheduler=_TRAILING,
        consistency=False,
    ),
    ModelPreset(
        "sdxl",
        "Stable Diffusion XL, fast with the LCM-LoRA",
        "CreativeML OpenRAIL++-M",
        _SDXL,
        _SDXL_REVISION,
        loras=(_LCM_SDXL,),
        vae=_TAESDXL,
        text_width=2048,
        native_size=(1024, 1024),
        scheduler=_LCM,
    ),
    ModelPreset(
        "sdxl-lightning",
        "Stable Diffusion XL with the 4-step Lightning LoRA",
        "CreativeML OpenRAIL++-M",
        _SDXL,
        _SDXL_REVISION,
        loras=(_LIGHTNING,),
        vae=_TAESDXL,
        text_width=2048,
        native_size=(1024, 1024),
        sampler=_FOUR,
        scheduler=_TRAILING,
        consistency=False,
    ),
    ModelPreset(
        "sdxl-turbo",
        "Stable Diffusion XL, distilled to one to four steps",
        "Stability AI Non-Commercial Research Community",
        "stabilityai/sdxl-turbo",
        "71153311d3dbb46851df1931d3ca6e939de83304",
        vae=_TAESDXL,
        text_width=2048,
        native_size=(512, 512),
        sampler=_FOUR,
        scheduler=_TRAILING,
        consistency=False,
    ),
    ModelPreset(
        "z-image-turbo",
        "Z-Image-Turbo, 6 B, distilled to eight steps",
        "Apache-2.0",
        "Tongyi-MAI/Z-Image-Turbo",
        native_size=(1024, 1024),
        sampler={"steps": 8},
        family="Z-Image",
        memory="12 GB, after a text encoder of 8 GB",
    ),
    ModelPreset(
        "flux2-klein",
        "FLUX.2 klein, 4 B, distilled to four steps",
        "Apache-2.0",
        "black-forest-labs/FLUX.2-klein-4B",
        native_size=(1024, 1024),
        sampler={"steps": 4},
        family="FLUX.2 klein",
        memory="8 GB, after a text encoder of 8 GB",
    ),
    ModelPreset(
        "flux-schnell",
        "FLUX.1 schnell, 12 B, distilled to four steps",
        "Apache-2.0",
        "black-forest-labs/FLUX.1-schnell",
        native_size=(1024, 1024),
        sampler={"steps": 4},
        family="FLUX.1",
        memory="24 GB, after text encoders of 10 GB",
    ),
    ModelPreset(
        "sd35-turbo",
        "Stable Diffusion 3.5 large turbo, 8 B, distilled to four steps",
        "Stability AI Community",
        "stabilityai/stable-diffusion-3.5-large-turbo",
        native_size=(1024, 1024),
        sampler={"steps": 4, "guidance": {"type": "none"}},
        family="Stable Diffusion 3",
        memory="16 GB, after text encoders of 11 GB",
    ),
    ModelPreset(
        "sd3-flash",
        "Stable Diffusion 3 medium, 2 B, fast with the Flash-SD3 LoRA",
        "Stability AI Community; see the LoRA's own card",
        "stabilityai/stable-diffusion-3-medium-diffusers",
        loras=(LoraRef("jasperai/flash-sd3"),),
        native_size=(1024, 1024),
        sampler={"steps": 4, "noise_between": "fresh", "guidance": {"type": "none"}},
        family="Stable Diffusion 3",
        memory="4 GB, after text encoders of 11 GB",
    ),
    ModelPreset(
        "sana-sprint",
        "SANA-Sprint, 1.6 B, distilled to one to four steps",
        "see its model card",
        "Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers",
        native_size=(1024, 1024),
        sampler={"steps": 2},
        family="SANA-Sprint",
        memory="3 GB, after a text encoder of 5 GB",
    ),
)
PRESETS: Mapping[str, ModelPreset] = {preset.name: preset for preset in _ALL}
