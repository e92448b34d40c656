"""FLUX.2 klein: latents in patches of 2x2, normalised by the autoencoder's batch norm."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import Flux2KleinPipeline
from torch import Tensor

from smd_cli.backbone.parts import Parts
from smd_cli.backbone.transformer import TransformerBackbone
from smd_cli.engine.contract import Conditioning, Rows
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

LAYERS = (9, 18, 27)


class Flux2Klein(TransformerBackbone):
    """diffusers' pipeline reads the prompts: the states of three layers of Qwen3, side by side."""

    patch = 1

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        [tokenizer], [encoder] = parts.tokenizers, parts.text_encoders
        self._pipeline = Flux2KleinPipeline(None, parts.vae, encoder, tokenizer, None)
        self.channels = self._transformer.config.in_channels
        norm = parts.vae.bn
        self._mean = norm.running_mean.float().reshape(1, -1, 1, 1).to(self.device)
        spread = norm.running_var.float() + parts.vae.config.batch_norm_eps
        self._std = spread.sqrt().reshape(1, -1, 1, 1).to(self.device)
        held, wanted = encoder.config.hidden_size, self._transformer.config.joint_attention_dim
        self._layers = LAYERS[: wanted // held]

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        tokens, _ = self._pipeline.encode_prompt(
            list(prompts), device=self.device, text_encoder_out_layers=self._layers
        )
        return Conditioning({"tokens": tokens.float()})

    def predict(self, rows: Rows) -> Tensor:
        dtype, told = self._transformer.dtype, rows.conditioning["tokens"]
        places = self._pipeline._prepare_latent_ids(rows.x).to(self.device)
        [output] = self._transformer(
            hidden_states=self._pipeline._pack_latents(rows.x).to(dtype),
            timestep=(rows.timesteps / 1000).to(dtype),
            guidance=None,
            encoder_hidden_states=told.to(dtype),
            txt_ids=self._pipeline._prepare_text_ids(told).to(self.device),
            img_ids=places,
            return_dict=False,
        )
        velocity: Tensor = output.float().transpose(1, 2).reshape(rows.x.shape)
        return velocity

    def as_given(self, latents: Tensor) -> Tensor:
        patched = latents.to(self.device) * self._std + self._mean
        cells: Tensor = self._pipeline._unpatchify_latents(patched)
        return cells

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        patched = self._pipeline._patchify_latents(self._vae.encode(image, wraps))
        normal: Tensor = (patched - self._mean) / self._std
        return normal

    def decode_latents(self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        return self._vae.decode(self.as_given(latents), wraps)
