"""The adapter of each family: how its networks are asked."""

from __future__ import annotations

from collections.abc import Mapping

from smd_cli.backbone.families.sd import StableDiffusion
from smd_cli.backbone.families.sdxl import StableDiffusionXL
from smd_cli.models.families import SD, SDXL, Family

Adapter = type[StableDiffusion] | type[StableDiffusionXL]
ADAPTERS: Mapping[Family, Adapter] = {SD: StableDiffusion, SDXL: StableDiffusionXL}
