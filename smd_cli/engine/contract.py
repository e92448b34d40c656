"""What the engine asks of a model. A new family is one adapter that fulfils `Backbone`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from smd_cli.engine.schedule import StepTable
from smd_cli.scene.types import NOT_WRAPPED, Wrapped

Key = tuple[tuple[str, tuple[int, ...]], ...]

Finish = Callable[[Tensor], Tensor]
"""What is made of pictures (N, 3, H, W), each element by itself: of any part of them alike."""


def as_it_is(pictures: Tensor) -> Tensor:
    """The pictures themselves."""
    return pictures


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What rows of a network call are told: named tensors, whose first side is the row.

    Every family has `tokens` (R, L, D), its encoded prompts; others as it needs them, such as
    `pooled` (R, E), `mask` (R, L) of bool, or `guidance` (R,), where the network takes the scale.
    Where a row serves P brushes (`blending`), `tokens` are (R, P, L, D), `mask` (R, P, L), and
    `shares` (R, P, h, w) ≥ 0 say how much each counts in the row's cells.
    """

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def get(self, name: str) -> Tensor | None:
        """A tensor, or None where these rows have none of that name."""
        return self.tensors.get(name)

    @property
    def key(self) -> Key:
        """What rows of one network call must have in common: names and shapes."""
        return tuple((name, tuple(t.shape[1:])) for name, t in sorted(self.tensors.items()))

    def equals(self, other: Conditioning) -> bool:
        """Whether another one tells the same, to the last bit."""
        return self is other or (
            self.key == other.key
            and all(torch.equal(one, other[name]) for name, one in self.tensors.items())
        )

    def mix(self, other: Conditioning, share: float) -> Conditioning:
        """Linear interpolation: share 0 is this one, 1 is `other` (prompt strength).

        Masks are joined. Rows of another length cannot be mixed: those are `other` as it is.
        """
        if self.key != other.key:
            return other
        return Conditioning(
            {
                name: one | other[name]
                if one.dtype == torch.bool
                else torch.lerp(one, other[name], share)
                for name, one in self.tensors.items()
            }
        )

    def guided(self, scale: float) -> Conditioning:
        """The same rows, for a network that takes the guidance scale itself."""
        rows = self["tokens"].new_full((len(self),), scale)
        return Conditioning({**self.tensors, "guidance": rows})

    @staticmethod
    def stack(parts: Sequence[Conditioning]) -> Conditioning:
        """All rows of all parts, which have one key, one after the other."""
        names = parts[0].tensors
        return Conditioning({name: torch.cat([part[name] for part in parts]) for name in names})


@dataclass(frozen=True, eq=False)
class Rows:
    """What a network is asked in one call: R rows of one shape.

    A row is one brush's view of one frame: noised latents `x` (R, C, h, w) at timestep τ
    `timesteps` (R,), with its prompt. `places` (R, 4): where on the canvas the row lies, as top,
    left, height and width in pixels.
    """

    x: Tensor
    timesteps: Tensor
    conditioning: Conditioning
    places: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def key(self) -> tuple[torch.Size, Key]:
        """What rows must have in common to go into one call."""
        return self.x.shape[1:], self.conditioning.key

    def split(self, most: int) -> Sequence[Rows]:
        """The same rows in parts of `most` at most."""
        if len(self) <= most:
            return [self]
        told = self.conditioning.tensors
        return [
            Rows(
                self.x[rows],
                self.timesteps[rows],
                Conditioning({name: tensor[rows] for name, tensor in told.items()}),
                self.places[rows],
            )
            for rows in (slice(n, n + most) for n in range(0, len(self), most))
        ]

    @staticmethod
    def stack(parts: Sequence[Rows]) -> Rows:
        """All rows of all parts, which have one key, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return Rows(
            torch.cat([part.x for part in parts]),
            torch.cat([part.timesteps for part in parts]),
            Conditioning.stack([part.conditioning for part in parts]),
            torch.cat([part.places for part in parts]),
        )


class Backbone(Protocol):
    """A loaded model. Tensors that cross this line are float32 on `device`.

    `factor`: canvas pixels per latent cell; `multiple`: canvas sides must be multiples of it;
    `window_px` and `native_px`: the least side of a row that it still draws well, and the side that
    it is at home with; `channels`: latent channels C; `embeds_guidance`: the network takes the
    guidance scale itself, with the conditioning, and needs no negative rows; `blends`: a row may
    serve several brushes; `spaced`: its slots are spaced by its own kind of process, not by betas.
    """

    device: torch.device
    factor: int
    multiple: int
    window_px: int
    native_px: int
    channels: int
    embeds_guidance: bool
    blends: bool
    spaced: bool

    def step_table(
        self, steps: int | None, timesteps: Sequence[int] | None, size: tuple[int, int]
    ) -> StepTable:
        """The slots for so many steps, or for these timesteps, on a canvas of (W, H) pixels."""

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        """One row a prompt; an empty text is the unconditional row.

        Rows are as long as the longest prompt needs, and `length` tokens at least where the family
        can fill them up.
        """

    def read_ahead(self, prompts: Sequence[str]) -> None:
        """Get ready to paint with these prompts, and no others for now.

        A family with large text encoders reads them, and then has its network come.
        """

    def predict(self, rows: Rows) -> Tensor:
        """The network's raw output (R, C, h, w)."""

    def as_taken(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) as the family's own pipeline takes them to begin with."""

    def as_given(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) as the family's own pipeline gives them in the end."""

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        """Pictures (N, 3, H, W) in -1..1 to latents (N, C, h, w).

        A side that `wraps` is seen going on at its other end, so that there is no seam.
        """

    def decode_latents(
        self, latents: Tensor, wraps: Wrapped = NOT_WRAPPED, finish: Finish = as_it_is
    ) -> Tensor:
        """Latents (N, C, h, w) to pictures (N, 3, H, W), around -1..1, not clipped.

        Gives what `finish` makes of them: large ones come in parts, and are never held as a whole.
        """
