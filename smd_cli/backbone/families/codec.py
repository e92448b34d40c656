"""The starter model's picture codec: one latent cell of 16 channels for every 8x8 canvas pixels.

The encoder is linear: the principal components of 8x8 patches, each divided by the square root of
its standard deviation (fine detail then weighs less than colour), all scaled to total power 1. The
decoder adds a small network at latent resolution to the encoder's linear inverse.
"""

from typing import cast

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

PATCH_PX = 8


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))) on (N, width, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.second(F.silu(self.first(F.silu(x)))))


class PatchAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Patch components in, pictures out; the interface of diffusers' AutoencoderTiny."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 16,
        width: int = 128,
        blocks: int = 4,
        scaling_factor: float = 1.0,  # noqa: ARG002, the config's, for callers
        block_out_channels: tuple[int, ...] = (64, 64, 64, 64),  # noqa: ARG002, likewise
    ) -> None:
        """`block_out_channels` only tells diffusers' pipelines the factor 2^(len - 1) = 8."""
        super().__init__()
        values = 3 * PATCH_PX**2
        self.analysis = nn.Conv2d(3, latent_channels, PATCH_PX, stride=PATCH_PX)
        self.synthesis = nn.Conv2d(latent_channels, values, 1)
        self.head = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, values, 1)

    @property
    def reach(self) -> int:
        """How many latent cells the decoder sees around one: a convolution, and two a block."""
        return 1 + 2 * int(self.config.blocks)

    def set_components(self, mean: Tensor, axes: Tensor, stds: Tensor) -> None:
        """Take patch statistics: mean (192,), principal axes (C, 192) as rows, stds (C,).

        A patch's 192 values are ordered as torch's pixel_unshuffle has them: colour, row, column.
        """
        weight = axes / stds.sqrt()[:, None] / stds.mean().sqrt()
        inverse = axes.T * stds.sqrt() * stds.mean().sqrt()
        settings = {
            self.analysis: (weight.reshape(self.analysis.weight.shape), -(weight @ mean)),
            self.synthesis: (inverse[:, :, None, None], mean),
            self.tail: (torch.zeros_like(self.tail.weight), torch.zeros_like(mean)),
        }
        for layer, (layer_weight, bias) in settings.items():
            layer.load_state_dict({"weight": layer_weight, "bias": bias})

    @apply_forward_hook  # type: ignore[untyped-decorator]
    def encode(self, x: Tensor, return_dict: bool = True) -> AutoencoderTinyOutput:
        """(N, 3, H, W) in [-1, 1] -> latents (N, C, H/8, W/8)."""
        latents = self.analysis(x)
        return AutoencoderTinyOutput(latents=latents) if return_dict else (latents,)

    @apply_forward_hook  # type: ignore[untyped-decorator]
    def decode(self, z: Tensor, return_dict: bool = True, **_: object) -> DecoderOutput:
        """(N, C, h, w) -> sample (N, 3, 8h, 8w), about [-1, 1]."""
        detail = self.tail(F.silu(self.body(self.head(z))))
        sample = F.pixel_shuffle(self.synthesis(z) + detail, PATCH_PX)
        if not self.training:
            sample = sample.clamp(-1, 1)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def forward(self, x: Tensor) -> DecoderOutput:
        """Encode and decode."""
        return self.decode(self.encode(x).latents)


def patch_components(pictures: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (192,), axes (C, 192) and stds (C,) of the 8x8 patches of pictures (N, 3, H, W)."""
    patches = F.pixel_unshuffle(pictures, PATCH_PX).movedim(1, -1).flatten(0, -2).double()
    mean = patches.mean(0)
    power, axes = torch.linalg.eigh(torch.cov((patches - mean).T))
    top = power.flip(0)[:channels].clamp_min(1e-6).sqrt()
    return mean.float(), axes.T.flip(0)[:channels].float(), top.float()
