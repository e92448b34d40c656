"""A model without weights: the whole contract in a few lines of torch, and it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.engine.contract import Conditioning, Finish, Rows, as_it_is
from smd_cli.engine.schedule import Prediction, StepTable, step_table
from smd_cli.scene.types import NOT_WRAPPED, Wrapped


@dataclass
class FakeBackbone:
    """Every output element depends on x, its place (if `placed`), the timestep and the prompt.

    With a `reach` it depends on so many cells around it too, as in a network that convolves. Of a
    row's several prompts each acts where it has a share.
    `calls`: the timesteps of the rows of every network call. `encoded`: the prompts encoded.
    """

    prediction: Prediction = "epsilon"
    placed: bool = True
    reach: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    factor: int = 2
    multiple: int = 4
    window_px: int = 8192
    native_px: int = 8192
    channels: int = 3
    embeds_guidance: bool = False
    blends: bool = True
    spaced: bool = False
    calls: list[list[float]] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    pictures: int = 0

    @property
    def rows(self) -> int:
        """Network rows evaluated so far."""
        return sum(map(len, self.calls))

    def step_table(
        self,
        steps: int | None,
        timesteps: Sequence[int] | None,
        size: tuple[int, int],  # noqa: ARG002
    ) -> StepTable:
        config = {"beta_schedule": "scaled_linear", "prediction_type": self.prediction}
        return step_table(config, steps=steps, timesteps=timesteps)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:  # noqa: ARG002
        self.encoded += prompts
        sums = [sum(map(ord, prompt)) for prompt in prompts]
        rows = [[[n % 7 / 7, n % 11 / 11], [n % 13 / 13, n % 17 / 17]] for n in sums]
        tokens = torch.tensor(rows, dtype=torch.float32)
        return Conditioning({"tokens": tokens, "pooled": tokens.sum(dim=1)})

    def read_ahead(self, prompts: Sequence[str]) -> None:
        pass

    def predict(self, rows: Rows) -> Tensor:
        x, told = rows.x, rows.conditioning
        assert len(x) == len(rows.timesteps) == len(told) == len(told["pooled"])
        assert x.dtype == torch.float32
        self.calls.append(rows.timesteps.tolist())
        place = torch.arange(x[0].numel(), dtype=x.dtype).reshape(x.shape[1:]) / x[0].numel()
        place = place if self.placed else torch.zeros_like(place)
        shares = told.get("shares")
        tokens = told["tokens"] if shares is not None else told["tokens"][:, None]
        shares = x.new_ones(1, 1, 1, 1) if shares is None else shares
        shares = (shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-9))[:, :, None]
        first, second = tokens[:, :, 0, :, None, None, None].unbind(2)
        pooled = told["pooled"][:, 0, None, None, None]
        tau = rows.timesteps[:, None, None, None].float() / 1000
        if self.reach:  # beyond the edge there is nothing, as in a UNet
            x = x + F.avg_pool2d(x, 2 * self.reach + 1, stride=1, padding=self.reach)
        each = torch.sin(x[:, None] + 3 * place + 2 * first) * (0.8 + tau[:, None] / 4)
        return ((each + second * place) * shares).sum(dim=1) + pooled / 3

    def as_taken(self, latents: Tensor) -> Tensor:
        return latents

    def as_given(self, latents: Tensor) -> Tensor:
        return latents

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:  # noqa: ARG002
        self.pictures += len(image)
        return F.avg_pool2d(image, self.factor) * image.new_tensor([0.9, 0.7, -0.5])[:, None, None]

    def decode_latents(
        self,
        latents: Tensor,
        wraps: Wrapped = NOT_WRAPPED,  # noqa: ARG002
        finish: Finish = as_it_is,
    ) -> Tensor:
        return finish(F.interpolate(latents, scale_factor=float(self.factor)) / 2)
