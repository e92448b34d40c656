"""Fits a decoder to its denoiser: `python -m smd_cli.starter.finish --run RUN --out DIR`.

A denoiser's estimates are not quite the latents of any picture. From those, too, the decoder is to
tell pictures, without the seams that every cell's own error would leave. The encoder stays as it
is, so the denoiser does not notice.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smd_cli.starter.text import tokenize
from smd_cli.starter.train import Training, arguments_of_run, set_up
from smd_cli.starter.train_codec import teach_decoder, to_signed

TIMESTEPS = (20, 160)
"""What noise the denoiser is shown: that of a sampling's last slots."""

CLEAN = 0.25
"""How many of the latents are those of the picture itself."""

SIZE_PX, BATCH = 128, 16

RATE = 5e-4


class Estimates:
    """Pictures and what a training's denoiser makes of them."""

    def __init__(self, training: Training) -> None:
        self.student, self.teacher = training.student, training.teacher

    @torch.no_grad()
    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures (BATCH, 3, H, W) in [-1, 1], and latents (BATCH, C, h, w): estimates where the
        prompt says what is there, the picture's own elsewhere, and all over in some of them."""
        teacher, device = self.teacher, self.teacher.device
        painted = teacher.targets[SIZE_PX, BATCH, step]
        rng = np.random.default_rng([teacher.settings.seed, 8, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**60)))
        wanted = to_signed([e.target for e in painted.examples]).to(device)
        latents: Tensor = teacher.codec.encode(wanted).latents
        timesteps = torch.from_numpy(rng.integers(*TIMESTEPS, BATCH)).to(device)
        alpha, sigma = teacher.levels(timesteps)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        noised = alpha * latents + sigma * noise
        prompts = [example.caption for example in painted.examples]
        tokens = tokenize(teacher.tokenizer, prompts).to(device)
        found = alpha * noised - sigma * self.student.guess(noised, timesteps, tokens)
        told = torch.from_numpy(np.stack([e.weight == 1 for e in painted.examples]))[:, None]
        told &= torch.from_numpy(rng.random(BATCH) >= CLEAN)[:, None, None, None]
        return wanted, torch.where(told.to(device), found, latents)


def finish(training: Training, steps: int) -> None:
    """Fit a training's decoder to its denoiser, and export both."""
    teach_decoder(training.codec, Estimates(training).draw, steps, RATE)
    training.codec.eval().requires_grad_(False).save_pretrained(training.out / "codec")
    training.export()


def main(arguments: list[str] | None = None) -> None:
    """Fit the decoder of a finished run, in a folder of its own."""
    parser = arguments_of_run("smd_cli.starter.finish", __doc__)
    parser.add_argument("--run", type=Path, required=True, help="a training's folder")
    parser.add_argument("--steps", type=int, default=550)
    options = parser.parse_args(arguments)
    training = Training(options.out, *set_up(options), options.run)
    training.begin()
    finish(training, options.steps)


if __name__ == "__main__":
    main()
