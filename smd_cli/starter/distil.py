"""Makes the few-step model that ships: `python -m smd_cli.starter.distil --teacher RUN --out DIR`.

Latent consistency distillation with guidance baked in (LCM, arXiv 2310.04378): the student's
estimate of the picture at one noise level is drawn to its own averaged estimate at a lower one, one
guided DDIM step of the teacher further. Where an example is no noised picture (a bootstrapped first
slot, patches of an early one) there is no such path: there it learns the teacher's guided estimate
(arXiv 2210.03142). Afterwards four slots without guidance rows do.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smd_cli.starter.export import SAMPLER
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import autocast, tokenize
from smd_cli.starter.train import (
    CPU,
    Batch,
    Settings,
    Stage,
    Training,
    arguments_of_training,
    carry_out,
    set_up,
)

GUIDANCE = 3.0
"""The teacher's guidance scale."""

SKIP = (50, 220)
"""The teacher's step is so many timesteps long."""

LOWEST = 60
"""Below this timestep the teacher's own estimate is taken."""

TARGET_DECAY = 0.95
"""The averaged student moves by the rest of this share at each step."""

STAGES = (Stage(0.4, 192, 20), Stage(1.0, 256, 12))


class Distillation(Training):
    """A run whose student starts as its teacher and learns from it; words stay as they are."""

    stages: tuple[Stage, ...] = STAGES
    sampler = SAMPLER

    def __init__(
        self,
        teacher: Path,
        out: Path,
        settings: Settings,
        painter: Painter,
        device: torch.device = CPU,
    ) -> None:
        """`teacher` is a training's folder."""
        settings.text_rate_share = 0.0
        super().__init__(out, settings, painter, device, teacher)
        self.begin()
        self.silence = self.words(tokenize(self.teacher.tokenizer, [""]).to(device))
        self.guide = frozen(self.student.unet)
        self.target = frozen(self.student.unet)

    @torch.no_grad()
    def words(self, tokens: Tensor) -> Tensor:
        """Text states (N, L, D) of tokens (N, L)."""
        states: Tensor = self.student.text_encoder(tokens).last_hidden_state
        return states

    @torch.no_grad()
    def guided(self, batch: Batch, words: Tensor) -> Tensor:
        """The teacher's velocity with guidance."""
        both = self.guide(
            torch.cat([batch.noised] * 2),
            torch.cat([batch.timesteps] * 2),
            torch.cat([words, self.silence.expand_as(words)]),
        ).sample.float()
        said, unsaid = both.chunk(2)
        guided: Tensor = unsaid + GUIDANCE * (said - unsaid)
        return guided

    @torch.no_grad()
    def wanted(self, batch: Batch, words: Tensor) -> Tensor:
        """The velocities that the student should find."""
        velocity = self.guided(batch, words)
        alpha, sigma = self.teacher.levels(batch.timesteps)
        guess = alpha * batch.noised - sigma * velocity
        noise = sigma * batch.noised + alpha * velocity
        later = batch.timesteps - torch.randint_like(batch.timesteps, *SKIP)
        follows = batch.plain & (later >= LOWEST)
        later = later.clamp_min(LOWEST)
        alpha_s, sigma_s = self.teacher.levels(later)
        moved = alpha_s * guess + sigma_s * noise
        further = alpha_s * moved - sigma_s * self.target(moved, later, words).sample.float()
        goal = torch.where(follows[:, None, None, None], further, guess)
        return (alpha * batch.noised - goal) / sigma

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean square error of the velocity against what is wanted."""
        student = self.student
        with autocast(student.device):
            words = self.words(batch.tokens)
            wanted = self.wanted(batch, words)
            found = student.unet(batch.noised, batch.timesteps, words).sample
        for slow, fast in zip(self.target.parameters(), student.unet.parameters(), strict=True):
            slow.lerp_(fast.detach(), 1 - TARGET_DECAY)
        error = (found.float() - wanted).square() * batch.weight
        loss: Tensor = error.mean() / batch.weight.mean()
        return loss

    def resume(self) -> None:
        """Go on from the last save; the averaged student starts again from the present one."""
        super().resume()
        self.target = frozen(self.student.unet)


def frozen(unet: Any) -> Any:
    """A copy that does not learn."""
    return deepcopy(unet).eval().requires_grad_(False)


def main(arguments: list[str] | None = None) -> None:
    """Distil, or export what has been distilled."""
    parser = arguments_of_training("smd_cli.starter.distil", __doc__, 25.0)
    parser.add_argument("--teacher", type=Path, required=True, help="a training's folder")
    options = parser.parse_args(arguments)
    settings, painter, device = set_up(options)
    settings.rate, settings.caption_dropout = 0.25 * settings.rate, 0.04
    run = Distillation(options.teacher, options.out, settings, painter, device)
    carry_out(run, options)


if __name__ == "__main__":
    main()
