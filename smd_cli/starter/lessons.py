"""Lessons as tensors: painted examples, encoded and noised, as the slots of a sampling see them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

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
from smd_cli.starter.export import SCHEDULER, TEACHER_SAMPLER
from smd_cli.starter.materials import Rng
from smd_cli.starter.painter import Look, Painter
from smd_cli.starter.shapes import Cells, Region
from smd_cli.starter.text import build_tokenizer, tokenize
from smd_cli.starter.train_codec import to_signed
from smd_cli.starter.vocabulary import Thing, caption

FIRST_SLOT = (360, 480)
"""Timesteps of a first slot. Noise tells nothing at any of them; but at these the white around a
bootstrapped region can be told from it, so that the first guess knows where its object is."""

FIRST_GUESS = TEACHER_SAMPLER["timesteps"][0]
"""The timestep of the sampler's first slot."""

Guess = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The velocities (N, C, h, w) that a model finds in latents at timesteps (N,), from token ids."""

LATE = 60
"""Below this timestep an example shows no traces of earlier slots."""

WHOLE_GUESS = 280
"""From this timestep on an example shows first guesses as they are; below, mixed with what they
should have been, as slots in between would have left them."""

FLAT = 0.02
"""Textures of less variation, in latents, have none that could be told."""

PROMPTS = 3
"""A painted canvas is shown with so many prompts: painting it, and guessing at it, takes time."""


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
    first_share: float = 0.42
    guesses_from: float = 0.3
    warmup_steps: int = 100
    caption_dropout: float = 0.09
    save_minutes: float = 4.0
    factor: int = 1
    workers: int = 0


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
        examples, waiting = list[Example](), dict[Lesson, list[Canvas]]()
        for timestep in timesteps:
            lesson = draw_lesson(rng, timestep)
            if lesson == "bootstrap":
                examples.append(first_example(self.painter, rng, stage.size_px))
                continue
            if not waiting.get(lesson):
                canvas = paint_canvas(self.painter, rng, lesson, stage.size_px)
                waiting[lesson] = [canvas] * PROMPTS
            examples.append(ask(waiting[lesson].pop(), rng))
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
            seen = self._with_guesses(seen, target, painted, guess, generator)
        alpha, sigma = self.levels(timesteps)
        noised = alpha * seen + sigma * noise[0]
        for i, example in enumerate(examples):
            if example.texture:
                tell_texture(noise[1, i, 0], target[i, 0])
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

    def _with_guesses(
        self, seen: Tensor, target: Tensor, painted: Painted, guess: Guess, rng: torch.Generator
    ) -> Tensor:
        """What is seen (N, C, h, w), with first guesses of their objects in the regions of patched
        canvases; the smaller the timestep, the more of the target is mixed with them."""
        examples = painted.examples
        canvases = {id(e.canvas): e.canvas for e in examples if e.canvas and e.canvas.patched}
        views = [view for canvas in canvases.values() for view in _views(canvas)]
        if not views:
            return seen
        guesses, shown = self._first_guesses(views, seen.shape[-1], guess, rng), target.clone()
        for i, example in enumerate(examples):
            for view, found in zip(views, guesses, strict=True):
                if view.canvas is example.canvas:
                    cells = torch.from_numpy(view.region.cells).to(self.device)
                    shown[i] = torch.where(cells, found, shown[i])
        chances = torch.rand(len(examples), generator=rng).tolist()
        pairs = zip(painted.timesteps, chances, strict=True)
        shares = [target.new_tensor(guess_share(*pair)) for pair in pairs]
        mixed = target.lerp(shown, torch.stack(shares)[:, None, None, None])
        patched = [e.canvas is not None and e.canvas.patched for e in examples]
        return torch.where(torch.tensor(patched)[:, None, None, None].to(self.device), mixed, seen)

    def _first_guesses(
        self, views: Sequence["_View"], cells: int, guess: Guess, rng: torch.Generator
    ) -> list[Tensor]:
        """The first guess of each object, (C, cells, cells), where it is on its canvas."""
        timestep = torch.tensor([FIRST_GUESS], device=self.device)
        noise = torch.randn(len(views), 2, len(self.white), cells, cells, generator=rng)
        noised = torch.stack(
            [
                self._bootstrapped(own, timestep, v.region.centred().cells, v.look.chances)
                for own, v in zip(noise.to(self.device), views, strict=True)
            ]
        )
        tokens = tokenize(self.tokenizer, [caption([view.thing]) for view in views])
        velocity = guess(noised, timestep.expand(len(views)), tokens.to(self.device))
        alpha, sigma = self.levels(timestep)
        found = alpha * noised - sigma * velocity
        shifts = [(-view.region.shift[0], -view.region.shift[1]) for view in views]
        return [one.roll(shift, (1, 2)) for one, shift in zip(found, shifts, strict=True)]

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


class _View(NamedTuple):
    """An object of a canvas: where it is, what it is, and how it looks."""

    canvas: Canvas
    region: Region
    thing: Thing
    look: Look


def _views(canvas: Canvas) -> list[_View]:
    parts = zip(canvas.regions, canvas.things, canvas.looks, strict=True)
    return [_View(canvas, *part) for part in parts]


def guess_share(timestep: int, chance: float) -> float:
    """How much of what a slot sees is the first guess; `chance` is in 0..1.

    All of it at first; then less and less, at random, since the slots in between have mended it.
    """
    if timestep >= WHOLE_GUESS:
        return 1.0
    return min(max(timestep / WHOLE_GUESS + chance - 0.5, 0.0), 1.0)


def tell_chances(noise: Tensor, free: Tensor, chances: Sequence[float]) -> None:
    """Let noise (C, h, w) in the free cells (h, w) tell standard normal draws, in place.

    The mean of channel k becomes what it is when chance k is its value in standard deviations. It
    stays standard normal noise; but a first guess can take from it how to vary, where it would else
    be the mean of all variations. (Couplings of noise and picture: arXiv 2304.14772.)
    """
    for channel, chance in zip(noise, chances, strict=False):
        inside = channel[free]
        channel[free] = inside - inside.mean() + chance / inside.numel() ** 0.5


def tell_texture(noise: Tensor, texture: Tensor) -> None:
    """Let noise (n, n) tell a texture (n, n), in place, so that it is not left to chance either.

    Both are seen as cosine waves. Among waves of about a length the noise's amplitudes change
    places, and take signs, so that the largest is where the texture's largest is. Of a texture of
    random waves nothing can be told from the outcome: it is white noise as before.
    """
    if texture.std() < FLAT:
        return
    side = len(noise)
    at = torch.arange(side, device=noise.device, dtype=torch.float64)
    waves = torch.cos(torch.pi / side * at[:, None] * (at + 0.5)) * (2 / side) ** 0.5
    waves[0] /= 2**0.5
    ours, theirs = (waves @ image.double() @ waves.T for image in (noise, texture))
    band = torch.hypot(at[:, None], at).round()
    ranks = [(band + 0.99 * a / a.max()).flatten().argsort() for a in (ours.abs(), theirs.abs())]
    told = ours.flatten().clone()
    told[ranks[1]] = ours.abs().flatten()[ranks[0]] * theirs.flatten()[ranks[1]].sign()
    told[0] = ours[0, 0]
    noise.copy_(waves.T @ told.view_as(ours) @ waves)


class _Pairs(torch.utils.data.Sampler[tuple[Stage, int]]):
    """A sampler that reads what to show next from an iterator."""

    def __init__(self, plan: Iterator[tuple[Stage, int]]) -> None:
        self.plan = plan

    def __iter__(self) -> Iterator[tuple[Stage, int]]:
        return self.plan
