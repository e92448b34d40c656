"""Trains the picture codec: principal components first, then the decoder by gradient."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from smd_cli.backbone.families.codec import PatchAutoencoder, patch_components
from smd_cli.starter.examples import window_example
from smd_cli.starter.noise import Picture
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import autocast

log = logging.getLogger(__name__)


def to_signed(pictures: list[Picture]) -> Tensor:
    """Pictures (H, W, 3) in [0, 1] -> one batch (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).movedim(-1, 1).contiguous() * 2 - 1


def picture_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of the pictures and of their differences down and across."""
    down = F.l1_loss(made.diff(dim=2), wanted.diff(dim=2))
    across = F.l1_loss(made.diff(dim=3), wanted.diff(dim=3))
    return F.l1_loss(made, wanted) + 0.5 * (down + across)


DISTURBED = 0.35
"""The largest standard deviation of the noise from which the decoder learns to tell pictures."""


SEEN_WINDOWS = 1500
"""How many windows of the painter's pictures the components are those of."""


def train_codec(painter: Painter, seed: int, steps: int, batch: int = 8) -> PatchAutoencoder:
    """A codec fitted to the painter's windows; the encoder is what its components make it.

    The decoder is shown disturbed latents too: those that a denoiser leaves are never quite clean,
    and every cell's own error would show as a seam.
    """
    rng = np.random.default_rng([seed, 1])

    def windows(count: int) -> Tensor:
        return to_signed([window_example(painter, rng, 128) for _ in range(count)])

    def draw(_: int) -> tuple[Tensor, Tensor]:
        wanted = windows(batch)
        latents = codec.encode(wanted).latents
        spread = DISTURBED * torch.rand(batch, 1, 1, 1).square()
        return wanted, latents + spread * torch.randn_like(latents)

    torch.manual_seed(seed)
    codec: PatchAutoencoder = PatchAutoencoder()
    codec.set_components(*patch_components(windows(SEEN_WINDOWS), codec.config.latent_channels))
    teach_decoder(codec, draw, steps)
    return codec


Draw = Callable[[int], tuple[Tensor, Tensor]]
"""Of a step: pictures (N, 3, H, W) in [-1, 1], and latents (N, C, h, w) that are to give them."""


def teach_decoder(codec: PatchAutoencoder, draw: Draw, steps: int, rate: float = 1.5e-3) -> None:
    """Fit the decoder to what is drawn, in place; `rate` is the highest learning rate."""
    codec.requires_grad_(True)
    codec.analysis.requires_grad_(False)
    codec.train()
    weights = [p for p in codec.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    for step in range(steps):
        wanted, latents = draw(step)
        with autocast(codec.device):
            made = codec.decode(latents).sample.float()
        loss = picture_loss(made, wanted)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            psnr = -10 * torch.log10(F.mse_loss(made.clamp(-1, 1), wanted) / 4)
            log.info("codec step %d of %d: loss %.4f, %.2f dB", step, steps, loss, psnr)


def load_or_train_codec(painter: Painter, folder: Path, seed: int, steps: int) -> PatchAutoencoder:
    """The codec saved in `folder`, or a new one, saved there."""
    if not (folder / "config.json").is_file():
        train_codec(painter, seed, steps).save_pretrained(folder)
    codec: PatchAutoencoder = PatchAutoencoder.from_pretrained(folder)
    codec.eval().requires_grad_(False)
    return codec
