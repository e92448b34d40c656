"""Makes the few-step model that ships: `python -m smd_cli.starter.distil --teacher RUN --out DIR`.

The student starts as its teacher and learns on from the painter's pictures, with guidance in what
it is taught (model guidance, arXiv 2502.12154): the velocity that it should find lies beyond the
true one, by a share of how far the prompt moves its own estimate from the teacher's without a
prompt. Later slots see its own first guesses, as in sampling. So a few slots find most of what was
asked for without guidance rows, and with them more.
"""

from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from smd_cli.starter.export import SAMPLER
from smd_cli.starter.lessons import FIRST_SLOT, Batch, Settings, Stage
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import tokenize
from smd_cli.starter.train import CPU, Training, arguments_of_training, carry_out, set_up

GUIDANCE = 1.5
"""The guidance scale that is baked in."""

STAGES = (Stage(1.0, 256, 12),)


class Distillation(Training):
    """A run whose student starts as its teacher and learns to do without guidance."""

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
        settings.text_rate_share, settings.guesses_from = 0.0, 0.0
        super().__init__(out, settings, painter, device, teacher)
        self.begin()
        self.silence = tokenize(self.teacher.tokenizer, [""]).to(device)
        self.guide = deepcopy(self.student)

    @torch.no_grad()
    def wanted(self, batch: Batch, found: Tensor) -> Tensor:
        """The velocities that the student should find, which finds these now.

        The share is such that what it settles at is guided at the scale: v = true + s (v - unsaid)
        gives v = unsaid + (true - unsaid) / (1 - s). Objects in first slots alone are guided. Where
        a first guess is shown, that guess is what the teacher finds without a prompt: guidance
        would lead away from it, and fade it.
        """
        first = (batch.timesteps >= FIRST_SLOT[0]) & (batch.boxes[:, 2] > 0)
        rows, wanted = torch.nonzero(first)[:, 0], batch.velocity.clone()
        if len(rows):
            silence = self.silence.expand(len(rows), -1)
            unsaid = self.guide.guess(batch.noised[rows], batch.timesteps[rows], silence)
            wanted[rows] += (1 - 1 / GUIDANCE) * (found[rows] - unsaid)
        return wanted

    def loss(self, batch: Batch) -> Tensor:
        """What the student's loss is against what is wanted."""
        return self.student.loss(batch, lambda found: self.wanted(batch, found))


def main(arguments: list[str] | None = None) -> None:
    """Distil, or export what has been distilled."""
    parser = arguments_of_training("smd_cli.starter.distil", __doc__, 25.0)
    parser.add_argument("--teacher", type=Path, required=True, help="a training's folder")
    options = parser.parse_args(arguments)
    settings, painter, device = set_up(options)
    settings.rate, settings.caption_dropout = 0.4 * settings.rate, 0.04
    settings.first_share = 0.4
    run = Distillation(options.teacher, options.out, settings, painter, device)
    carry_out(run, options)


if __name__ == "__main__":
    main()
