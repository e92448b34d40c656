"""From a prompt's text to the rows that a UNet attends to: weights, chunks, CLIP.

CLIP reads 75 tokens at a time: a longer prompt is read in chunks, whose rows follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from smd_cli.errors import UsageError
from smd_cli.scene.prompts import weighted_spans


@dataclass(frozen=True)
class Chunk:
    """What CLIP reads at once: token ids with the marks around them, and a weight for each."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ClipText:
    """A CLIP tokenizer with its text encoder.

    `skip`: how many of the last layers are left out; `normed`: whether the final layer norm comes
    after the others.
    """

    tokenizer: Any
    encoder: Any
    skip: int
    normed: bool
    device: torch.device

    def __post_init__(self) -> None:
        """Raise UsageError where no layer would be left."""
        layers = self.encoder.config.num_hidden_layers
        if self.skip >= layers:
            raise UsageError(
                f"clip_skip leaves out {self.skip} of the {layers} layers of a text encoder",
                "leave one at least",
            )

    def length(self, prompts: Sequence[str]) -> int:
        """Rows (in tokens) of the longest of these prompts: whole chunks."""
        return max(len(self._chunks(prompt)) for prompt in prompts) * self._limit

    def encode(self, prompts: Sequence[str], length: int = 0) -> tuple[Tensor, Any]:
        """Rows (R, L, D), L the longest prompt's or `length`; and CLIP's output for first chunks.

        What a prompt falls short of L is filled with empty chunks.
        """
        count = max(length, self.length(prompts)) // self._limit
        chunked = [self._chunks(prompt) for prompt in prompts]
        empty = self._chunks("")[0]
        filled = [[*chunks, *[empty] * (count - len(chunks))] for chunks in chunked]
        first = self._run([chunks[0] for chunks in filled])
        later = [self._states(self._run(row)) for row in zip(*(c[1:] for c in filled), strict=True)]
        states = torch.cat([self._states(first), *later], dim=1)
        weights = torch.tensor(
            [[w for chunk in chunks for w in chunk.weights] for chunks in filled]
        )
        return self._weighed(states, weights, empty), first

    @property
    def _limit(self) -> int:
        """Tokens of a chunk, the two marks included."""
        return cast(int, self.tokenizer.model_max_length)

    def _chunks(self, prompt: str) -> list[Chunk]:
        """A prompt's chunks, one at least, each padded to the limit."""
        marked = [
            (number, weight)
            for text, weight in weighted_spans(prompt)
            for number in self.tokenizer(text, add_special_tokens=False).input_ids
        ]
        room = self._limit - 2
        parts = [marked[start : start + room] for start in range(0, max(1, len(marked)), room)]
        return [self._padded(part) for part in parts]

    def _padded(self, part: Sequence[tuple[int, float]]) -> Chunk:
        pads = self._limit - 2 - len(part)
        clip = self.tokenizer
        ids = [clip.bos_token_id, *(number for number, _ in part), clip.eos_token_id]
        weights = [1.0, *(weight for _, weight in part), 1.0]
        return Chunk((*ids, *[clip.pad_token_id] * pads), (*weights, *[1.0] * pads))

    def _run(self, chunks: Sequence[Chunk]) -> Any:
        """CLIP's output for one chunk a row."""
        ids = torch.tensor([chunk.ids for chunk in chunks], device=self.device)
        return self.encoder(ids, output_hidden_states=True)

    def _states(self, output: Any) -> Tensor:
        """The states (R, L, D) of the layer that is asked for."""
        states = output.hidden_states[-1 - self.skip]
        if self.normed:
            # transformers 5 has no text_model around the layers of a CLIPTextModel
            states = getattr(self.encoder, "text_model", self.encoder).final_layer_norm(states)
        return cast(Tensor, states.float())

    def _weighed(self, states: Tensor, weights: Tensor, empty: Chunk) -> Tensor:
        """States moved away from those of the empty prompt, by each token's weight; not by 1."""
        if bool((weights == 1).all()):
            return states
        still = self._states(self._run([empty])).repeat(1, weights.shape[1] // self._limit, 1)
        share = weights.to(states.device)[:, :, None]
        return torch.where(share == 1, states, still + share * (states - still))
