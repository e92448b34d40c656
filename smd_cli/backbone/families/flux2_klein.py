"""FLUX.2 klein: latents in patches of 2x2, normalised by the autoencoder's batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import Flux2KleinPipeline
from torch import Tensor

from smd_cli.backbone.joint import Texts, masked
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompt_store import Told
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Finish, Rows, as_it_is
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

LAYERS = (9, 18, 27)


class Flux2Klein(TransformerBackbone):
    """diffusers' pipeline reads the prompts: the states of three layers of Qwen3, side by side."""

    patch = 1

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.channels = self._config["in_channels"]
        norm = parts.vae.bn
        self._mean = norm.running_mean.float().reshape(1, -1, 1, 1).to(self.device)
        spread = norm.running_var.float() + parts.vae.config.batch_norm_eps
        self._std = spread.sqrt().reshape(1, -1, 1, 1).to(self.device)

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        [encoder], [tokenizer] = encoders, tokenizers
        layers = LAYERS[: self._config["joint_attention_dim"] // encoder.config.hidden_size]
        pipeline = Flux2KleinPipeline(None, None, encoder, tokenizer, None)
        tokens, _ = pipeline.encode_prompt(
            [prompt], device=self.device, text_encoder_out_layers=layers
        )
        return {"tokens": tokens.float()}

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        dtype, told = self._transformer.dtype, rows.conditioning["tokens"]
        each = told if texts is None else told[:, 0]
        words = Flux2KleinPipeline._prepare_text_ids(each).repeat(
            1, tokens.shape[1] // each.shape[1], 1
        )
        places = Flux2KleinPipeline._prepare_latent_ids(rows.x).to(self.device)
        [output] = self._transformer(
            hidden_states=Flux2KleinPipeline._pack_latents(rows.x).to(dtype),
            timestep=(rows.timesteps / 1000).to(dtype),
            guidance=None,
            encoder_hidden_states=tokens.to(dtype),
            txt_ids=words.to(self.device),
            img_ids=places,
            joint_attention_kwargs=masked(texts, dtype),
            return_dict=False,
        )
        velocity: Tensor = output.float().transpose(1, 2).reshape(rows.x.shape)
        return velocity

    def as_given(self, latents: Tensor) -> Tensor:
        patched = latents.to(self.device) * self._std + self._mean
        cells: Tensor = Flux2KleinPipeline._unpatchify_latents(patched)
        return cells

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        patched = Flux2KleinPipeline._patchify_latents(self._vae.encode(image, wraps))
        normal: Tensor = (patched - self._mean) / self._std
        return normal

    def decode_latents(
        self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED, finish: Finish = as_it_is
    ) -> Tensor:
        return self._vae.decode(self.as_given(latents), wraps, finish)
