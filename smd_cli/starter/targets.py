"""Training targets: painted examples, encoded and noised, as the slots of a sampling see them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from smd_cli.backbone.families.codec import PatchAutoencoder
from smd_cli.starter.examples import (
    CANVAS_PX,
    Canvas,
    Example,
    Weights,
    ask,
    bootstrapped_example,
    paint_canvas,
)
from smd_cli.starter.export import SAMPLER, SCHEDULER
from smd_cli.starter.materials import ON_LATTICE
from smd_cli.starter.noise import Rng
from smd_cli.starter.painter import Look, Painter
from smd_cli.starter.shapes import Region, without
from smd_cli.starter.supervision import contrast_weight, tell_chances, tell_texture
from smd_cli.starter.text import build_tokenizer, tokenize
from smd_cli.starter.train_codec import to_signed
from smd_cli.starter.vocabulary import Thing, caption

FIRST_SLOT = (360, 480)
"""Timesteps of a first slot. Noise tells nothing at any of them; but at these the white around a
bootstrapped region can be told from it, so that the first guess knows where its object is."""

SECOND_SLOT = (140, 300)
"""Timesteps of a second bootstrapped slot, which sees the first guess in its region."""

LATER_SLOT = (20, 260)
"""Timesteps of slots that see the whole canvas."""

FIRST_GUESS: int = SAMPLER["timesteps"][0]
"""The timestep of the sampler's first slot."""

SHARES = {"first": 0.4, "second": 0.16, "later": 0.4, "any": 0.04}
"""How often an example is of which slot; `any` is a noised picture as of any sampler."""

TRUTHS = 0.1
"""How often a later slot sees nothing of a first guess."""

LEAST_GUESS = 0.4
"""A second slot sees at least so much of the first guess, mixed with what it should have been."""

MENDED = 90
"""Below this timestep a slot sees less than half of a first guess, as a rule."""

MOST_OF_CLEAN = 3.3
"""Errors of the estimate, squared, count at most so much: a velocity's would count 1/sigma^2, and
the last slots, where little is left to do, most (arXiv 2303.09556)."""

Guess = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The velocities (N, C, h, w) that a model finds in latents at timesteps (N,), from token ids."""

PROMPTS = 3
"""A painted canvas is shown with so many prompts: painting it, and guessing at it, takes time."""


@dataclass(frozen=True)
class Stage:
    """A part of the training, up to a share of its budget: canvases of sizes in turn.

    `batch` is how many there are at once of whole canvases, of smaller ones more by area.
    """

    until: float
    sizes_px: tuple[int, ...]
    batch: int

    def at(self, step: int, factor: int) -> tuple[int, int]:
        """The size and the number of a step's pictures; `factor` times as many, on a GPU."""
        size = self.sizes_px[step % len(self.sizes_px)]
        batch = max(round(self.batch * (CANVAS_PX / size) ** 2), 3) * factor
        return size, min(batch, 48 * factor)


@dataclass
class Settings:
    """The numbers of a training run; `factor` multiplies batches, on a GPU."""

    minutes: float = 155.0
    seed: int = 0
    codec_steps: int = 2000
    word_steps: int = 3000
    rate: float = 1.2e-3
    warmup_steps: int = 100
    caption_dropout: float = 0.06
    save_minutes: float = 4.0
    factor: int = 1
    workers: int = 0


def draw_slot(rng: Rng) -> tuple[str, int]:
    """Which slot an example is of, and its timestep, 0..999."""
    slot = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    ranges = {"first": FIRST_SLOT, "second": SECOND_SLOT, "later": LATER_SLOT, "any": (0, 1000)}
    return slot, int(rng.integers(*ranges[slot]))


@dataclass
class Batch:
    """N examples as tensors: noised latents, velocities to find, cell weights, token ids.

    `boxes` (N, 3) says where their objects are, in cells: top, left, side. `sigmas` (N,) are the
    shares of noise; `textured` (N,) is True where the prompt is a material's.
    """

    noised: Tensor
    timesteps: Tensor
    velocity: Tensor
    weight: Tensor
    tokens: Tensor
    boxes: Tensor
    sigmas: Tensor
    textured: Tensor


@dataclass
class Painted:
    """Painted examples of a step, with their slots and prompts, before any network.

    `shares` (N,) is how much each sees of a first guess; the rest is the target.
    """

    step: int
    slots: list[str]
    timesteps: list[int]
    examples: list[Example]
    prompts: list[str]
    shares: list[float]


class TrainingTargets(Dataset[Painted]):
    """What is shown at each step: the same for the same seed, size, number and step."""

    def __init__(self, painter: Painter, settings: Settings) -> None:
        self.painter, self.settings = painter, settings

    def __getitem__(self, item: tuple[int, int, int]) -> Painted:
        size_px, count, step = item
        rng = np.random.default_rng([self.settings.seed, 2, step])
        slots, timesteps = zip(*(draw_slot(rng) for _ in range(count)), strict=True)
        examples, waiting = list[Example](), list[Canvas]()
        for slot in slots:
            if slot in ("first", "second"):
                examples.append(bootstrapped_example(self.painter, rng, size_px))
                continue
            waiting = waiting or [paint_canvas(self.painter, rng, size_px)] * PROMPTS
            examples.append(ask(waiting.pop(), rng))
        dropout = self.settings.caption_dropout
        prompts = ["" if rng.random() < dropout else e.caption for e in examples]
        shares = [guess_share(*pair, rng) for pair in zip(slots, timesteps, strict=True)]
        return Painted(step, list(slots), list(timesteps), examples, prompts, shares)


def guess_share(slot: str, timestep: int, rng: Rng) -> float:
    """How much of what a slot sees is a first guess; slots in between have mended the rest.

    The first slots after the guess see much of it, the last ones little.
    """
    if slot == "second":
        return float(rng.uniform(LEAST_GUESS, 1))
    if slot != "later" or rng.random() < TRUTHS:
        return 0.0
    low, high = sorted(rng.random(2))
    return float(high if timestep >= MENDED else low)


class Teacher:
    """Makes batches: paints, encodes, noises."""

    def __init__(
        self, painter: Painter, codec: PatchAutoencoder, settings: Settings, device: torch.device
    ) -> None:
        self.targets, self.codec, self.settings = (
            TrainingTargets(painter, settings),
            codec,
            settings,
        )
        self.device = device
        self.tokenizer = build_tokenizer()
        powers: Tensor = DDIMScheduler.from_config(SCHEDULER).alphas_cumprod
        self.alphas_cumprod = powers.to(device)
        with torch.no_grad():
            self.white: Tensor = codec.encode(torch.ones(1, 3, 8, 8, device=device)).latents[0]

    def batches(
        self, plan: Iterator[tuple[int, int, int]], guess: Callable[[], Guess]
    ) -> Iterator[Batch]:
        """The batches of (size, number, step) triples, in which slots see the guesses of what
        `guess` gives; worker processes paint ahead where there are any."""
        workers = self.settings.workers
        loader: DataLoader[Painted] = DataLoader(
            self.targets,
            batch_size=None,
            sampler=_Triples(plan),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            multiprocessing_context="fork" if workers else None,
        )
        for painted in loader:
            yield self.batch(painted, guess())

    @torch.no_grad()
    def batch(self, painted: Painted, guess: Guess) -> Batch:
        """Painted examples as tensors on the device."""
        examples, timesteps = painted.examples, torch.tensor(painted.timesteps, device=self.device)
        target = self._latents([e.target for e in examples])
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + painted.step)
        noise = torch.randn(2, *target.shape, generator=generator).to(self.device)
        seen = self._seen(target, painted, guess, generator)
        alpha, sigma = self.levels(timesteps)
        noised = alpha * seen + sigma * noise[0]
        for i, (slot, example) in enumerate(zip(painted.slots, examples, strict=True)):
            if slot == "first" and example.free is not None:
                if example.texture:
                    tell_texture(noise[1, i, 0], target[i, 0])
                noised[i] = self._first(
                    noise[:, i], timesteps[i : i + 1], example.free, example.chances
                )
        weight = torch.from_numpy(np.stack([e.weight for e in examples]))[:, None].to(self.device)
        boxes = self._boxes(painted).to(self.device)
        textured = torch.tensor([bool(p) for p in painted.prompts], device=self.device)
        textured &= boxes[:, 2] == 0
        return Batch(
            noised,
            timesteps,
            (alpha * noised - target) / sigma,
            weight * contrast_weight(target, weight, boxes),
            tokenize(self.tokenizer, painted.prompts).to(self.device),
            boxes,
            sigma.flatten(),
            textured,
        )

    def _first(
        self, noise: Tensor, timestep: Tensor, free: Weights, chances: Sequence[float]
    ) -> Tensor:
        """What a brush sees in a first slot, (C, h, w): noise in the free cells, which tells
        chances, and noised white around them. `noise` (2, C, h, w) is that around and within."""
        inside = torch.from_numpy(free).to(self.device)
        tell_chances(noise[1], inside >= 0.5, chances)
        alpha, sigma = (level[0] for level in self.levels(timestep))
        return inside * noise[1] + (1 - inside) * (alpha * self.white + sigma * noise[0])

    def _seen(self, target: Tensor, painted: Painted, guess: Guess, rng: torch.Generator) -> Tensor:
        """What slots after the first see (N, C, h, w), before it is noised: first guesses mixed
        with the target, and white around the region where they are bootstrapped."""
        views = _views(painted)
        if not views:
            return target
        found = self._first_guesses(views, target, guess, rng)
        seen = target.clone()
        for i, (example, share) in enumerate(zip(painted.examples, painted.shares, strict=True)):
            for view, one in zip(views, found, strict=True):
                if view.of is (example.canvas or example):
                    inside = torch.from_numpy(view.free >= 0.5).to(self.device)
                    seen[i] = torch.where(inside, target[i].lerp(one, share), seen[i])
            if painted.slots[i] == "second" and example.free is not None:
                inside = torch.from_numpy(example.free).to(self.device)
                seen[i] = inside * seen[i] + (1 - inside) * self.white
        return seen

    def _first_guesses(
        self, views: Sequence["_View"], target: Tensor, guess: Guess, rng: torch.Generator
    ) -> list[Tensor]:
        """The first guess of each view, (C, h, w), where it is on its canvas."""
        timestep = torch.tensor([FIRST_GUESS], device=self.device)
        noise = torch.randn(len(views), 2, *target.shape[1:], generator=rng).to(self.device)
        rows = []
        for own, view in zip(noise, views, strict=True):
            if view.texture is not None:
                tell_texture(own[1, 0], target[view.texture, 0])
            free = np.ascontiguousarray(np.roll(view.free, view.shift, (0, 1)))
            rows.append(self._first(own, timestep, free, view.chances))
        noised = torch.stack(rows)
        tokens = tokenize(self.tokenizer, [view.prompt for view in views])
        velocity = guess(noised, timestep.expand(len(views)), tokens.to(self.device))
        alpha, sigma = self.levels(timestep)
        found = alpha * noised - sigma * velocity
        return [
            one.roll((-view.shift[0], -view.shift[1]), (1, 2))
            for one, view in zip(found, views, strict=True)
        ]

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
    """Something that is first guessed at: of which canvas (or bootstrapped example), by which
    prompt, in which cells, how far they roll to lie about the middle, what its noise tells: the
    chances of a look, or the texture of an example's target, by its number."""

    of: Canvas | Example
    prompt: str
    free: Weights
    shift: tuple[int, int] = (0, 0)
    chances: tuple[float, ...] = ()
    texture: int | None = None


def _views(painted: Painted) -> list[_View]:
    """All that slots of a step see first guesses of."""
    views, canvases = list[_View](), dict[int, int]()
    for i, (example, share) in enumerate(zip(painted.examples, painted.shares, strict=True)):
        if share == 0:
            continue
        if painted.slots[i] == "second" and example.free is not None:
            texture = i if example.texture else None
            free, chances = example.free, example.chances
            views.append(_View(example, example.caption, free, (0, 0), chances, texture))
        elif example.canvas is not None:
            canvases.setdefault(id(example.canvas), i)
    for i in canvases.values():
        canvas = painted.examples[i].canvas
        assert canvas is not None
        views += _views_of(canvas, i)
    return views


def _views_of(canvas: Canvas, number: int) -> list[_View]:
    """The material of a canvas, where it is but one, and its objects in their regions."""
    views = []
    if not canvas.ground.any():
        free = without(~canvas.ground, [region.cells for region in canvas.regions])
        texture = None if canvas.material.word in ON_LATTICE else number
        prompt = caption([canvas.material])
        views.append(_View(canvas, prompt, free.astype(np.float32), texture=texture))
    parts = zip(canvas.regions, canvas.things, canvas.looks, strict=True)
    return [*views, *(_object_view(canvas, *part) for part in parts)]


def _object_view(canvas: Canvas, region: Region, thing: Thing, look: Look) -> _View:
    free = region.cells.astype(np.float32)
    return _View(canvas, caption([thing]), free, region.shift, look.chances)


class _Triples(torch.utils.data.Sampler[tuple[int, int, int]]):
    """A sampler that reads what to show next from an iterator."""

    def __init__(self, plan: Iterator[tuple[int, int, int]]) -> None:
        self.plan = plan

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return self.plan
