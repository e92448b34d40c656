"""Trains the starter model from nothing: `python -m smd_cli.starter.train --out DIR`.

The codec comes first, then denoiser and text encoder together, in three stages (small windows,
wide windows, canvases). A training is a folder: it is saved every few minutes and goes on from
there with --resume. Its budget is counted in minutes of CPU time: stopping the process is free.
"""

import argparse
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from smd_cli.starter.codec import PatchAutoencoder
from smd_cli.starter.examples import Example, Lesson, canvas_example, window_example
from smd_cli.starter.export import SCHEDULER, export
from smd_cli.starter.materials import Rng
from smd_cli.starter.painter import Painter, find_font, load_glyphs
from smd_cli.starter.text import (
    WIDTH,
    build_text_encoder,
    build_tokenizer,
    teach_words,
    tokenize,
)
from smd_cli.starter.train_codec import load_or_train_codec, to_signed

log = logging.getLogger("smd_cli.starter")

FIRST_SLOT = 930
"""From this timestep on an example may be bootstrapped."""

LATE = 440
"""Below this timestep an example shows no traces of earlier slots."""


@dataclass(frozen=True)
class Stage:
    """A part of the training, up to a share of its budget: what is shown, and how many at once."""

    until: float
    kind: Literal["window", "canvas"]
    size_px: int
    batch: int


STAGES = (
    Stage(0.3, "window", 96, 32),
    Stage(0.4, "window", 128, 32),
    Stage(0.6, "canvas", 192, 20),
    Stage(1.0, "canvas", 256, 16),
)


@dataclass
class Settings:
    """The numbers of a training run."""

    minutes: float = 155.0
    seed: int = 0
    codec_steps: int = 2000
    word_steps: int = 750
    rate: float = 1.2e-3
    text_rate_share: float = 0.1
    warmup_steps: int = 100
    caption_dropout: float = 0.09
    save_minutes: float = 4.0


def build_unet() -> Any:
    """The denoiser: three levels, attention in the lower two blocks only, about 6 M parameters."""
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=16,
        out_channels=16,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def draw_timestep(rng: Rng) -> int:
    """A timestep of 0..999: the first slot, the range of the others, and now and then any."""
    kind = rng.random()
    if kind < 0.3:
        return int(rng.integers(FIRST_SLOT, 1000))
    return int(rng.integers(130, 860)) if kind < 0.92 else int(rng.integers(0, 1000))


def draw_lesson(rng: Rng, timestep: int) -> Lesson:
    """What an example at this noise level shows."""
    if timestep >= FIRST_SLOT and rng.random() < 0.6:
        return "bootstrap"
    return "early" if timestep >= LATE else "late"


@dataclass
class Batch:
    """N examples as tensors: noised latents, velocities to find, cell weights, token ids."""

    noised: Tensor
    timesteps: Tensor
    velocity: Tensor
    weight: Tensor
    tokens: Tensor


class Teacher:
    """Draws batches: paints, encodes, noises."""

    def __init__(self, painter: Painter, codec: PatchAutoencoder, settings: Settings) -> None:
        self.painter, self.codec, self.settings = painter, codec, settings
        self.tokenizer = build_tokenizer()
        self.alphas_cumprod: Tensor = DDIMScheduler.from_config(SCHEDULER).alphas_cumprod

    def batch(self, stage: Stage, step: int) -> Batch:
        """The batch of a step: the same for the same seed, step and stage."""
        rng = np.random.default_rng([self.settings.seed, 2, step])
        timesteps = [draw_timestep(rng) for _ in range(stage.batch)]
        examples = [self._example(stage, rng, t) for t in timesteps]
        prompts = [
            "" if rng.random() < self.settings.caption_dropout else e.caption for e in examples
        ]
        noised, velocity = self._noise(examples, torch.tensor(timesteps), step)
        weight = torch.from_numpy(np.stack([e.weight for e in examples]))[:, None]
        return Batch(
            noised, torch.tensor(timesteps), velocity, weight, tokenize(self.tokenizer, prompts)
        )

    def _example(self, stage: Stage, rng: Rng, timestep: int) -> Example:
        lesson = draw_lesson(rng, timestep)
        draw = canvas_example if stage.kind == "canvas" else window_example
        return draw(self.painter, rng, lesson, stage.size_px)

    @torch.no_grad()
    def _noise(
        self, examples: list[Example], timesteps: Tensor, step: int
    ) -> tuple[Tensor, Tensor]:
        """Noised latents, and the velocity that leads from them to the targets."""
        target = self.codec.encode(to_signed([e.target for e in examples])).latents
        seen = self.codec.encode(to_signed([e.seen for e in examples])).latents
        white = self.codec.encode(torch.ones(1, 3, 8, 8)).latents
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        noise = torch.randn(2, *target.shape, generator=generator)
        power = self.alphas_cumprod[timesteps][:, None, None, None]
        alpha, sigma = power.sqrt(), (1 - power).sqrt()
        noised = alpha * seen + sigma * noise[0]
        for i, example in enumerate(examples):
            if example.free is not None:
                free = torch.from_numpy(example.free)
                outside = alpha[i] * white[0] + sigma[i] * noise[0, i]
                noised[i] = torch.where(free, noise[1, i], outside)
        return noised, (alpha * noised - target) / sigma


@dataclass
class Student:
    """What is trained, with the averages that are kept of it."""

    unet: Any = field(default_factory=build_unet)
    text_encoder: Any = field(default_factory=lambda: build_text_encoder(build_tokenizer()))

    def __post_init__(self) -> None:
        self.module = nn.ModuleList([self.unet, self.text_encoder])
        self.restart_average()

    def restart_average(self) -> None:
        """Forget the averaged weights and start from the present ones."""
        self.ema: Any = EMAModel(
            self.module.parameters(), decay=0.998, use_ema_warmup=True, power=0.75
        )

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean square error of the velocity."""
        embeddings = self.text_encoder(batch.tokens).last_hidden_state
        found = self.unet(batch.noised, batch.timesteps, embeddings).sample
        error = (found - batch.velocity).square() * batch.weight
        loss: Tensor = error.mean() / batch.weight.mean()
        return loss


class Training:
    """One run in one folder."""

    def __init__(self, out: Path, settings: Settings, painter: Painter) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.settings = out, settings
        codec = load_or_train_codec(painter, out / "codec", settings.seed, settings.codec_steps)
        self.codec, self.teacher = codec, Teacher(painter, codec, settings)
        torch.manual_seed(settings.seed)
        self.student = Student()
        self.weights = list(self.student.module.parameters())
        parts = (self.student.unet, self.student.text_encoder)
        groups = [{"params": list(part.parameters())} for part in parts]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)
        self.step, self.pictures, self.spent_s = 0, 0, 0.0
        self.cpu_mark_s = time.process_time()

    @property
    def progress(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return (self.spent_s + time.process_time() - self.cpu_mark_s) / (60 * self.settings.minutes)

    def rate(self) -> float:
        """Learning rate: a short warm-up, then a straight line down to nothing."""
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return self.settings.rate * warm * max(0.0, 1 - self.progress)

    def teach_words(self) -> None:
        """Teach the text encoder its words, before anything else."""
        student, settings = self.student, self.settings
        tokenizer = self.teacher.tokenizer
        loss = teach_words(student.text_encoder, tokenizer, settings.seed, settings.word_steps)
        log.info("words told apart: loss %.3f", loss)
        student.restart_average()

    def run(self) -> None:
        """Train until the budget is spent, saving on the way, then export."""
        if self.step == 0:
            self.teach_words()
        saved, losses = self.progress, []
        while (progress := self.progress) < 1:
            losses.append(self._advance(next(s for s in STAGES if progress < s.until)))
            if self.step % 50 == 0:
                log.info(
                    "step %d, %.1f%%, pictures %d, rate %.2e, v-loss %.4f",
                    *(self.step, 100 * self.progress, self.pictures, self.rate(), np.mean(losses)),
                )
                losses = []
            if (self.progress - saved) * self.settings.minutes > self.settings.save_minutes:
                self.save()
                saved = self.progress
        self.save()
        self.export()

    def _advance(self, stage: Stage) -> float:
        """One optimizer step; its loss."""
        shares = (1.0, self.settings.text_rate_share)
        for group, share in zip(self.optimizer.param_groups, shares, strict=True):
            group["lr"] = self.rate() * share
        loss = self.student.loss(self.teacher.batch(stage, self.step))
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.student.ema.step(self.weights)
        self.step, self.pictures = self.step + 1, self.pictures + stage.batch
        return loss.item()

    def save(self) -> None:
        """Write the state to `state.pt`, whole or not at all."""
        self.spent_s += time.process_time() - self.cpu_mark_s
        self.cpu_mark_s = time.process_time()
        state = {
            "module": self.student.module.state_dict(),
            "ema": self.student.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counts": (self.step, self.pictures, self.spent_s),
        }
        torch.save(state, self.out / "state.tmp")
        (self.out / "state.tmp").replace(self.out / "state.pt")
        log.info("saved at step %d", self.step)

    def resume(self) -> None:
        """Go on from `state.pt`."""
        state = torch.load(self.out / "state.pt", weights_only=True)
        self.student.module.load_state_dict(state["module"])
        self.student.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.pictures, self.spent_s = state["counts"]
        log.info("resumed at step %d", self.step)

    def export(self) -> None:
        """Write the averaged model as a diffusers folder, `weights/` in the run's folder."""
        self.student.ema.store(self.weights)
        self.student.ema.copy_to(self.weights)
        unet, text_encoder = self.student.unet, self.student.text_encoder
        export(self.out / "weights", unet, text_encoder, self.teacher.tokenizer, self.codec)
        self.student.ema.restore(self.weights)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="smd_cli.starter.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf, if in no usual place")
    parser.add_argument("--minutes", type=float, default=defaults.minutes, help="of CPU time")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--export", action="store_true", help="export the last save and stop")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Train, or export what has been trained."""
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    painter = Painter(load_glyphs(find_font(options.font)))
    settings = Settings(minutes=options.minutes, seed=options.seed)
    training = Training(options.out, settings, painter)
    if options.resume or options.export:
        training.resume()
    if options.export:
        training.export()
    else:
        training.run()


if __name__ == "__main__":
    main()
