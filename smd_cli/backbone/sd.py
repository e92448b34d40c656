"""Stable Diffusion 1.x behind the contract: one CLIP encoder, a UNet, an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from smd_cli.backbone.contract import Conditioning
from smd_cli.engine.schedule import StepTable, step_table
from smd_cli.errors import UsageError


class StableDiffusion:
    """Ordinary diffusers/transformers modules, as their `from_pretrained` gives them."""

    def __init__(
        self,
        *,
        unet: Any,
        text_encoder: Any,
        tokenizer: Any,
        vae: Any,
        factor: int,
        scheduler: Mapping[str, Any],
        consistency: bool,
    ) -> None:
        self._unet, self._text_encoder, self._vae = unet, text_encoder, vae
        self._tokenizer = tokenizer
        self._scheduler, self._consistency = scheduler, consistency
        self.device: torch.device = unet.device
        self.factor = factor
        self.multiple = factor * 2 ** (len(unet.config.block_out_channels) - 1)
        self.channels: int = unet.config.in_channels

    def step_table(self, steps: int | None, timesteps: Sequence[int] | None) -> StepTable:
        return step_table(
            self._scheduler, steps=steps, timesteps=timesteps, consistency=self._consistency
        )

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        limit = self._tokenizer.model_max_length
        for prompt in prompts:
            count = len(self._tokenizer(prompt).input_ids)
            if count > limit:
                raise UsageError(
                    f"a prompt has {count - 2} tokens, this model reads {limit - 2}: {prompt!r}",
                    "shorten the prompt, its prefix or its suffix",
                )
        tokens = self._tokenizer(
            list(prompts), padding="max_length", max_length=limit, return_tensors="pt"
        )
        states = self._text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return Conditioning(states.float())

    def predict(self, x: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        output = self._unet(
            x.to(self._unet.dtype),
            timesteps,
            encoder_hidden_states=conditioning.tokens.to(self._unet.dtype),
            return_dict=False,
        )[0]
        return cast(Tensor, output.float())

    def encode_image(self, image: Tensor) -> Tensor:
        encoded = self._vae.encode(image.to(self.device, self._vae.dtype))
        has_distribution = hasattr(encoded, "latent_dist")
        latents = encoded.latent_dist.mode() if has_distribution else encoded.latents
        return cast(Tensor, latents.float() * self._vae.config.scaling_factor)

    def decode_latents(self, latents: Tensor) -> Tensor:
        scaled = latents / self._vae.config.scaling_factor
        return cast(Tensor, self._vae.decode(scaled.to(self._vae.dtype)).sample.float())
