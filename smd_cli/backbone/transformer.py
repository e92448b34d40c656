"""What families with a transformer that matches a flow share: prompts, patches, the step table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from smd_cli.backbone.base import LatentBackbone
from smd_cli.backbone.joint import Texts
from smd_cli.backbone.parts import Parts
from smd_cli.backbone.prompt_store import Told
from smd_cli.engine.contract import Conditioning, Rows
from smd_cli.engine.schedule import StepTable, spaced_table


class TransformerBackbone(LatentBackbone):
    """A diffusers transformer behind the contract; a family adds how it reads, and its call.

    `patch`: latent cells along the side of what the transformer sees as one.
    """

    embeds_guidance = False
    blends = True
    spaced = True
    patch = 2

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        assert parts.spacing is not None
        assert parts.stages is not None
        assert parts.prompts is not None
        self._stages, self._prompts, self._spacing = parts.stages, parts.prompts, parts.spacing
        self._config = parts.stages.config
        self.multiple = parts.factor * self.patch
        self.channels: int = parts.vae.config.latent_channels
        self._ready: Any = None

    @property
    def _transformer(self) -> Any:
        network = self._stages.network()
        if network is not self._ready:
            self.make_ready(network)
            self._ready = network
        return network

    def make_ready(self, network: Any) -> None:
        """What there is to do once a network has come, for rows of several texts."""

    def read(self, encoders: Sequence[Any], tokenizers: Sequence[Any], prompt: str) -> Told:
        """What the text encoders say of a prompt: named tensors of one row, in fp32."""
        raise NotImplementedError

    def velocity(self, rows: Rows, tokens: Tensor, texts: Texts | None) -> Tensor:
        """The network's velocity (R, C, h, w) for rows with the prompts `tokens` (R, L, D).

        `texts`: whose they are, where R is 1 and the row has those of several brushes.
        """
        raise NotImplementedError

    def predict(self, rows: Rows) -> Tensor:
        """As the contract has it; a row of several texts is a call by itself, with its own mask."""
        if rows.conditioning.get("shares") is None:
            return self.velocity(rows, rows.conditioning["tokens"], None)
        return torch.cat([self._blended(row) for row in rows.split(1)])

    def _blended(self, row: Rows) -> Tensor:
        texts = Texts.of(row.conditioning, self.patch)
        return self.velocity(row, texts.tokens, texts)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        return Conditioning.stack([self._row(prompt) for prompt in prompts])

    @torch.inference_mode()
    def read_ahead(self, prompts: Sequence[str]) -> None:
        """Read what nobody has read yet; then the encoders leave, and the network comes."""
        for prompt in prompts:
            self._told(prompt)
        self._stages.network()

    def _row(self, prompt: str) -> Conditioning:
        told = self._told(prompt)
        return Conditioning({name: tensor.to(self.device) for name, tensor in told.items()})

    def _told(self, prompt: str) -> Told:
        return self._prompts.told(prompt, lambda: self.read(*self._stages.readers(), prompt))

    def step_table(
        self, steps: int | None, timesteps: Sequence[int] | None, size: tuple[int, int]
    ) -> StepTable:
        return spaced_table(self._spacing, self._scheduler, size, steps=steps, timesteps=timesteps)
