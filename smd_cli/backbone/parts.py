"""What a loaded checkpoint consists of, whatever it was loaded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from smd_cli.backbone.prompt_store import PromptStore
from smd_cli.backbone.stages import Stages
from smd_cli.models.flow import Spacing


@dataclass(frozen=True, eq=False)
class Parts:
    """Ordinary diffusers and transformers modules with what their configs leave open.

    `tokenizers` and `text_encoders` go together; None stands for one that may be left out, and is.
    `factor`: canvas pixels per latent cell;
    `window_px` and `native_px` as in `engine.contract.Backbone`;
    `scheduler`: the scheduler's config; `consistency`: whether the LCM boundary scalings apply;
    `spacing`: how the family spaces its slots, None for a diffusion by betas;
    `zero_empty`: an empty prompt is all zeros instead of encoded; `device`: where they run.
    `stages` and `prompts`: network and text encoders of a family whose encoders are large, and what
    they have read; the parts above are then None and empty.
    """

    denoiser: Any
    tokenizers: tuple[Any, ...]
    text_encoders: tuple[Any, ...]
    vae: Any
    factor: int
    window_px: int
    native_px: int
    scheduler: Mapping[str, Any]
    consistency: bool
    zero_empty: bool
    clip_skip: int
    device: torch.device
    spacing: Spacing | None = None
    stages: Stages | None = None
    prompts: PromptStore | None = None
