"""Trains the starter's teacher: `python -m smd_cli.starter.train --out DIR`.

The codec comes first, then the text encoder, which is taught its words: to tell them apart, and
what they look like. Then denoiser and text encoder learn together, on larger and larger canvases,
from nothing or, with --start, from what an older training made. A training is a folder: it is saved
every few minutes and goes on from there with --resume. Its budget is minutes of work: while the
process is stopped, the clock stands still.
Networks run in bfloat16 where the machine computes in it. On a CUDA GPU batches are larger, and
pictures are painted by worker processes.
`smd_cli.starter.distil` makes the few-step model that ships of what is trained here.
"""

import argparse
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTextModel

from smd_cli.starter.codec import PatchAutoencoder
from smd_cli.starter.examples import (
    CANVAS_PX,
    Canvas,
    Example,
    Lesson,
    ask,
    first_example,
    paint_canvas,
)
from smd_cli.starter.export import SCHEDULER, TEACHER_SAMPLER, export
from smd_cli.starter.looks import Looks
from smd_cli.starter.materials import Rng
from smd_cli.starter.painter import Painter, find_font, load_glyphs
from smd_cli.starter.pointing import pointing, pointing_loss
from smd_cli.starter.shapes import Cells
from smd_cli.starter.text import (
    WIDTH,
    autocast,
    build_text_encoder,
    build_tokenizer,
    teach_words,
    tokenize,
)
from smd_cli.starter.train_codec import load_or_train_codec, to_signed
from smd_cli.starter.vocabulary import caption

log = logging.getLogger("smd_cli.starter")

CPU = torch.device("cpu")

FIRST_SLOT = (520, 640)
"""Timesteps of a first slot. Noise tells nothing at any of them; but at these the white around a
bootstrapped region can be told from it, so that the first guess knows where its object is."""

FIRST_GUESS = TEACHER_SAMPLER["timesteps"][0]
"""The timestep of the sampler's first slot."""

Guess = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The velocities (N, C, h, w) that a model finds in latents at timesteps (N,), from token ids."""

LONGEST_STEP_S = 20.0
"""A step that seems to take longer was interrupted: the budget is charged this much."""

POINTING = 0.15
"""The share of the loss that shows the attention where its words are (nats)."""

LATE = 200
"""Below this timestep an example shows no traces of earlier slots."""


@dataclass(frozen=True)
class Stage:
    """A part of the training, up to a share of its budget: canvases of a size, so many at once.

    Of whole canvases every eighth batch has one of the odd sizes, and fewer or more by area.
    """

    until: float
    size_px: int
    batch: int

    def at(self, step: int, factor: int) -> "Stage":
        """This stage with the size and the batch of a step; `factor` times as many pictures."""
        size = self.size_px
        if size == CANVAS_PX and step % 8 == 7:
            size = ODD_SIZES[step // 8 % len(ODD_SIZES)]
        batch = max(round(self.batch * (self.size_px / size) ** 2), 4) * factor
        return Stage(self.until, size, min(batch, 64 * factor))


ODD_SIZES = (128, 384, 160, 192, 512)
"""Sides of canvases, in pixels, that a model for 256 must draw too."""

STAGES = (
    Stage(0.4, 128, 32),
    Stage(0.6, 192, 16),
    Stage(1.0, 256, 12),
)


@dataclass
class Settings:
    """The numbers of a training run; `factor` multiplies batches, on a GPU.

    The text encoder learns at a share of the denoiser's rate; at 0 it stays what it was taught.
    `first_share` is that of first slots among the examples. From a share `guesses_from` of the
    budget on, early slots show what the model itself guessed.
    """

    minutes: float = 155.0
    seed: int = 0
    codec_steps: int = 2000
    word_steps: int = 3000
    rate: float = 1.2e-3
    text_rate_share: float = 0.0
    first_share: float = 0.5
    guesses_from: float = 0.5
    warmup_steps: int = 100
    caption_dropout: float = 0.09
    save_minutes: float = 4.0
    factor: int = 1
    workers: int = 0


def build_unet() -> Any:
    """The denoiser: three levels, attention in the lower two, about 7 M parameters."""
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=16,
        out_channels=16,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def draw_timestep(rng: Rng, first_share: float) -> int:
    """A timestep of 0..999: the first slot, the range of the others, and now and then any."""
    kind = rng.random()
    if kind < first_share:
        return int(rng.integers(*FIRST_SLOT))
    return int(rng.integers(60, FIRST_SLOT[0])) if kind < 0.93 else int(rng.integers(0, 1000))


def draw_lesson(rng: Rng, timestep: int) -> Lesson:
    """What an example at this noise level shows."""
    if timestep >= FIRST_SLOT[0] and rng.random() < 0.9:
        return "bootstrap"
    return "early" if timestep >= LATE else "late"


@dataclass
class Batch:
    """N examples as tensors: noised latents, velocities to find, cell weights, token ids.

    `boxes` (N, 3) says where their objects are, in cells: top, left, side.
    """

    noised: Tensor
    timesteps: Tensor
    velocity: Tensor
    weight: Tensor
    tokens: Tensor
    boxes: Tensor


@dataclass
class Painted:
    """Painted examples of a step, with their noise levels and prompts, before any network."""

    step: int
    timesteps: list[int]
    examples: list[Example]
    prompts: list[str]


class Lessons(Dataset[Painted]):
    """What is shown at each step: the same for the same seed, stage and step."""

    def __init__(self, painter: Painter, settings: Settings) -> None:
        self.painter, self.settings = painter, settings

    def __getitem__(self, item: tuple[Stage, int]) -> Painted:
        stage, step = item
        rng = np.random.default_rng([self.settings.seed, 2, step])
        share = self.settings.first_share
        timesteps = [draw_timestep(rng, share) for _ in range(stage.batch)]
        examples, waiting = [], dict[Lesson, Canvas]()
        for timestep in timesteps:
            lesson = draw_lesson(rng, timestep)
            if lesson == "bootstrap":
                examples.append(first_example(self.painter, rng, stage.size_px))
                continue
            canvas = waiting.pop(lesson, None)
            if canvas is None:  # painted for two
                canvas = paint_canvas(self.painter, rng, lesson, stage.size_px)
                waiting[lesson] = canvas
            examples.append(ask(canvas, rng))
        for n, timestep in enumerate(timesteps):
            if timestep >= FIRST_SLOT[1]:  # no first slot of ours: there the noise is a picture's
                examples[n] = replace(examples[n], free=None)
        dropout = self.settings.caption_dropout
        prompts = ["" if rng.random() < dropout else e.caption for e in examples]
        return Painted(step, timesteps, examples, prompts)


class Teacher:
    """Makes batches: paints, encodes, noises."""

    def __init__(
        self, painter: Painter, codec: PatchAutoencoder, settings: Settings, device: torch.device
    ) -> None:
        self.lessons, self.codec, self.settings = Lessons(painter, settings), codec, settings
        self.device = device
        self.tokenizer = build_tokenizer()
        powers: Tensor = DDIMScheduler.from_config(SCHEDULER).alphas_cumprod
        self.alphas_cumprod = powers.to(device)
        with torch.no_grad():
            self.white: Tensor = codec.encode(torch.ones(1, 3, 8, 8, device=device)).latents[0]

    def batches(
        self, plan: Iterator[tuple[Stage, int]], guess: Callable[[], Guess | None] = lambda: None
    ) -> Iterator[Batch]:
        """The batches of (stage, step) pairs; worker processes paint ahead where there are any."""
        workers = self.settings.workers
        loader: DataLoader[Painted] = DataLoader(
            self.lessons,
            batch_size=None,
            sampler=_Pairs(plan),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            multiprocessing_context="fork" if workers else None,
        )
        for painted in loader:
            yield self.batch(painted, guess())

    @torch.no_grad()
    def batch(self, painted: Painted, guess: Guess | None = None) -> Batch:
        """Painted examples as tensors on the device; with `guess`, early slots show what it says of
        their objects in place of blurred ones."""
        examples, timesteps = painted.examples, torch.tensor(painted.timesteps, device=self.device)
        target = self._latents([e.target for e in examples])
        seen = self._latents([e.seen for e in examples])
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + painted.step)
        noise = torch.randn(2, *target.shape, generator=generator).to(self.device)
        if guess is not None:
            self._show_guesses(seen, examples, guess, generator)
        alpha, sigma = self.levels(timesteps)
        noised = alpha * seen + sigma * noise[0]
        for i, example in enumerate(examples):
            if example.free is not None:
                noised[i] = self._bootstrapped(
                    noise[:, i], timesteps[i : i + 1], example.free, example.chances
                )
        weight = torch.from_numpy(np.stack([e.weight for e in examples]))[:, None]
        return Batch(
            noised,
            timesteps,
            (alpha * noised - target) / sigma,
            weight.to(self.device),
            tokenize(self.tokenizer, painted.prompts).to(self.device),
            self._boxes(painted).to(self.device),
        )

    def _bootstrapped(
        self, noise: Tensor, timestep: Tensor, free: Cells, chances: Sequence[float]
    ) -> Tensor:
        """What a bootstrapped brush sees, (C, h, w): noise in the free cells, which tells chances,
        and noised white around them. `noise` (2, C, h, w) is that around and that within."""
        inside = torch.from_numpy(free).to(self.device)
        tell_chances(noise[1], inside, chances)
        alpha, sigma = (level[0] for level in self.levels(timestep))
        return torch.where(inside, noise[1], alpha * self.white + sigma * noise[0])

    def _show_guesses(
        self, seen: Tensor, examples: Sequence[Example], guess: Guess, generator: torch.Generator
    ) -> None:
        """Put first guesses of their objects into the regions of patched canvases, in place."""
        canvases = {id(e.canvas): e.canvas for e in examples if e.canvas and e.canvas.patched}
        views = [
            (canvas, *view)
            for canvas in canvases.values()
            for view in zip(canvas.regions, canvas.things, canvas.looks, strict=True)
        ]
        if not views:
            return
        timestep = torch.tensor([FIRST_GUESS], device=self.device)
        noise = torch.randn(len(views), 2, *seen.shape[1:], generator=generator).to(self.device)
        noised = torch.stack(
            [
                self._bootstrapped(own, timestep, region.centred().cells, look.chances)
                for own, (_, region, _, look) in zip(noise, views, strict=True)
            ]
        )
        prompts = [caption([thing]) for _, _, thing, _ in views]
        tokens = tokenize(self.tokenizer, prompts).to(self.device)
        alpha, sigma = self.levels(timestep)
        found = alpha * noised - sigma * guess(noised, timestep.expand(len(views)), tokens)
        for (canvas, region, _, _), one in zip(views, found, strict=True):
            down, across = region.shift
            back = one.roll((-down, -across), (1, 2))
            cells = torch.from_numpy(region.cells).to(self.device)
            for i, example in enumerate(examples):
                if example.canvas is canvas:
                    seen[i] = torch.where(cells, back, seen[i])

    def levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise (N, 1, 1, 1) at timesteps (N,)."""
        power = self.alphas_cumprod[timesteps][:, None, None, None]
        return power.sqrt(), (1 - power).sqrt()

    @staticmethod
    def _boxes(painted: Painted) -> Tensor:
        """Where the objects are of which the prompts tell."""
        pairs = zip(painted.examples, painted.prompts, strict=True)
        return torch.tensor([e.box if prompt else (0, 0, 0) for e, prompt in pairs])

    def _latents(self, pictures: list[Any]) -> Tensor:
        latents: Tensor = self.codec.encode(to_signed(pictures).to(self.device)).latents
        return latents


def tell_chances(noise: Tensor, free: Tensor, chances: Sequence[float]) -> None:
    """Let noise (C, h, w) in the free cells (h, w) tell standard normal draws, in place.

    The mean of channel k becomes what it is when chance k is its value in standard deviations. It
    stays standard normal noise; but a first guess can take from it how to vary, where it would else
    be the mean of all variations. (Couplings of noise and picture: arXiv 2304.14772.)
    """
    for channel, chance in zip(noise, chances, strict=False):
        inside = channel[free]
        channel[free] = inside - inside.mean() + chance / inside.numel() ** 0.5


class _Pairs(torch.utils.data.Sampler[tuple[Stage, int]]):
    """A sampler that reads what to show next from an iterator."""

    def __init__(self, plan: Iterator[tuple[Stage, int]]) -> None:
        self.plan = plan

    def __iter__(self) -> Iterator[tuple[Stage, int]]:
        return self.plan


@dataclass
class Student:
    """What is trained, with the averages that are kept of it."""

    device: torch.device = CPU
    unet: Any = field(default_factory=build_unet)
    text_encoder: Any = field(default_factory=lambda: build_text_encoder(build_tokenizer()))

    def __post_init__(self) -> None:
        self.missed = torch.zeros(())
        if self.device.type == "cpu":  # where the fused attention's way back is slow in bfloat16
            self.unet.set_attn_processor(AttnProcessor())
        self.module = nn.ModuleList([self.unet, self.text_encoder]).to(self.device)
        self.restart_average()

    def restart_average(self) -> None:
        """Forget the averaged weights and start from the present ones."""
        self.ema: Any = EMAModel(
            self.module.parameters(), decay=0.998, use_ema_warmup=True, power=0.75, foreach=True
        )

    def loss(self, batch: Batch, wanted: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Weighted mean square error of the velocity; a share for where the words are sought.

        `wanted` says, of the velocities found, which should have been; without it the true ones.
        """
        with autocast(self.device), pointing(self.unet) as kept:
            embeddings = self.text_encoder(batch.tokens).last_hidden_state
            found = self.unet(batch.noised, batch.timesteps, embeddings).sample.float()
        velocity = wanted(found.detach()) if wanted else batch.velocity
        error = (found - velocity).square() * batch.weight
        self.missed = pointing_loss(kept, batch.boxes, batch.noised.shape[-1])
        loss: Tensor = error.mean() / batch.weight.mean() + POINTING * self.missed
        return loss

    @torch.no_grad()
    def guess(self, noised: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """The velocities that the present weights find."""
        with autocast(self.device):
            embeddings = self.text_encoder(tokens).last_hidden_state
            found: Tensor = self.unet(noised, timesteps, embeddings).sample
        return found.float()

    def load(self, folder: Path) -> None:
        """Become the model in a folder, and average anew."""
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self.unet.load_state_dict(unet.state_dict())
        self.text_encoder.load_state_dict(text_encoder.state_dict())
        self.restart_average()


class Training:
    """One run in one folder."""

    stages: tuple[Stage, ...] = STAGES
    sampler = TEACHER_SAMPLER

    def __init__(
        self,
        out: Path,
        settings: Settings,
        painter: Painter,
        device: torch.device = CPU,
        older: Path | None = None,
    ) -> None:
        """`older` is the folder of a training whose codec is taken over."""
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.settings, self.older = out, settings, older
        if older and not (out / "codec").exists():
            shutil.copytree(older / "codec", out / "codec")
        codec = load_or_train_codec(painter, out / "codec", settings.seed, settings.codec_steps)
        self.codec = codec.to(device)
        self.teacher = Teacher(painter, self.codec, settings, device)
        torch.manual_seed(settings.seed)
        self.student = Student(device)
        self.weights = list(self.student.module.parameters())
        parts = (self.student.unet, self.student.text_encoder)
        groups = [{"params": list(part.parameters())} for part in parts]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.step, self.pictures, self.spent_s = 0, 0, 0.0

    @property
    def progress(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.spent_s / (60 * self.settings.minutes)

    def rate(self) -> float:
        """Learning rate: a short warm-up, then a straight line down to nothing."""
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return self.settings.rate * warm * max(0.0, 1 - self.progress)

    def begin(self) -> None:
        """Become the older training's model; without one, teach the text encoder its words."""
        student, settings = self.student, self.settings
        if self.older:
            student.load(self.older / "weights")
            return
        look = Looks(self.teacher.lessons.painter, self.codec).of
        losses = teach_words(
            student.text_encoder, self.teacher.tokenizer, look, settings.seed, settings.word_steps
        )
        log.info("words told apart: loss %.3f; looks: %.4f", *losses)
        student.restart_average()

    def plan(self) -> Iterator[tuple[Stage, int]]:
        """What to show from now on, until the budget is spent."""
        step = self.step
        while (progress := self.progress) < 1:
            stage = next(s for s in self.stages if progress < s.until)
            yield stage.at(step, self.settings.factor), step
            step += 1

    def run(self) -> None:
        """Train until the budget is spent, saving on the way, then export."""
        self.student.text_encoder.requires_grad_(self.settings.text_rate_share > 0)
        saved, losses = self.progress, []
        clock = time.monotonic()
        for batch in self.teacher.batches(self.plan(), self.guesser):
            losses.append(self._advance(batch))
            now = time.monotonic()
            self.spent_s += min(now - clock, LONGEST_STEP_S)
            clock = now
            if self.step % 50 == 0:
                log.info(
                    "step %d, %.1f%%, pictures %d, rate %.2e, loss %.4f, pointing %.3f",
                    *(self.step, 100 * self.progress, self.pictures, self.rate(), np.mean(losses)),
                    self.student.missed,
                )
                losses = []
            if (self.progress - saved) * self.settings.minutes > self.settings.save_minutes:
                self.save()
                saved = self.progress
        self.save()
        self.export()

    def guesser(self) -> Guess | None:
        """What makes the first guesses that early slots show, once it is time."""
        return self.student.guess if self.progress >= self.settings.guesses_from else None

    def loss(self, batch: Batch) -> Tensor:
        """What is made small."""
        return self.student.loss(batch)

    def _advance(self, batch: Batch) -> float:
        """One optimizer step; its loss."""
        shares = (1.0, self.settings.text_rate_share)
        for group, share in zip(self.optimizer.param_groups, shares, strict=True):
            group["lr"] = self.rate() * share
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.student.ema.step(self.weights)
        self.step, self.pictures = self.step + 1, self.pictures + len(batch.noised)
        return loss.item()

    def save(self) -> None:
        """Write the state to `state.pt`, whole or not at all."""
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
        device = self.student.device
        state = torch.load(self.out / "state.pt", weights_only=True, map_location=device)
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
        tokenizer = self.teacher.tokenizer
        export(self.out / "weights", unet, text_encoder, tokenizer, self.codec, self.sampler)
        self.student.ema.restore(self.weights)


def arguments_of_training(prog: str, about: str | None, minutes: float) -> argparse.ArgumentParser:
    """The options that training and distillation share."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf, if in no usual place")
    parser.add_argument("--minutes", type=float, default=minutes, help="of work")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, help="painting processes; by default only on a GPU")
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--export", action="store_true", help="export the last save and stop")
    return parser


def set_up(options: argparse.Namespace) -> tuple[Settings, Painter, torch.device]:
    """Start logging and threads; a run's numbers, painter and device as its options have them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    painter = Painter(load_glyphs(find_font(options.font)))
    return _settings(options), painter, torch.device(options.device)


def carry_out(training: Training, options: argparse.Namespace) -> None:
    """Do what a run's options ask for: go on from the last save, train, or export and stop."""
    if options.resume or options.export:
        training.resume()
    if options.export:
        training.export()
    else:
        training.run()


def _settings(options: argparse.Namespace) -> Settings:
    """The numbers of a run as its options and its device have them."""
    on_gpu = options.device.startswith("cuda")
    workers = options.workers if options.workers is not None else 14 * on_gpu
    rate = 2.4e-3 if on_gpu else Settings.rate
    return Settings(
        minutes=options.minutes,
        seed=options.seed,
        rate=rate,
        factor=8 if on_gpu else 1,
        workers=workers,
    )


def main(arguments: list[str] | None = None) -> None:
    """Train, or export what has been trained."""
    parser = arguments_of_training("smd_cli.starter.train", __doc__, Settings.minutes)
    parser.add_argument("--start", type=Path, help="an older training's folder to go on from")
    options = parser.parse_args(arguments)
    training = Training(options.out, *set_up(options), options.start)
    if not (options.resume or options.export):
        training.begin()
    carry_out(training, options)


if __name__ == "__main__":
    main()
