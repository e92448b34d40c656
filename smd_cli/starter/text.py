"""The starter model's tokenizer and its small CLIP text encoder."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import pre_tokenizers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from smd_cli.starter.examples import draw_material, draw_object, draw_prompt
from smd_cli.starter.noise import Rng
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, WHITE, Thing

log = logging.getLogger("smd_cli.starter")

PARTS = 10
"""The last PARTS x PARTS states of a prompt tell what its first thing looks like, part by part."""

MAX_TOKENS = 16 + PARTS * PARTS

WIDTH = 192
START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"


def build_tokenizer() -> Any:
    """A byte-level CLIPTokenizer: a token for each word it knows, pieces for any other text.

    The same words always give the same tokens. (The trainer of the tokenizers library does not:
    its numbers depend on the order of a hash table, so a resumed training would mistake words.)
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    phrases = " ".join([*OBJECTS, *MATERIALS, *COLOURS, "a", "an", "the", "and", ","])
    merges = pair_merges(sorted(set(phrases.split())))
    tokens = [START, END, *alphabet, *(f"{c}{WORD_END}" for c in alphabet)]
    vocabulary = dict.fromkeys([*tokens, *("".join(pair) for pair in merges)])
    numbers = {token: n for n, token in enumerate(vocabulary)}
    return CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=MAX_TOKENS)


def pair_merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Byte pair merges (Sennrich et al., arXiv 1508.07909) until each word is one token.

    The commonest pair goes first, and of equals the first in the alphabet.
    """
    split = [[*word[:-1], word[-1] + WORD_END] for word in words]
    merges = []
    while counts := Counter(pair for pieces in split for pair in pairwise(pieces)):
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        split = [_merged(pieces, merges[-1]) for pieces in split]
    return merges


def _merged(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """The pieces of a word with every occurrence of a pair made one."""
    whole: list[str] = []
    for piece in pieces:
        if whole and (whole[-1], piece) == pair:
            whole[-1] += piece
        else:
            whole.append(piece)
    return whole


def build_text_encoder(tokenizer: Any) -> Any:
    """A CLIPTextModel of three layers, for this tokenizer."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=8 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        projection_dim=WIDTH,
        attn_implementation="eager",  # the fused one is slow on its way back, in bfloat16 on a CPU
    )
    return CLIPTextModel(config)


def autocast(device: torch.device) -> Any:
    """bfloat16 where the machine computes in it, float32 elsewhere."""
    native = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


def tokenize(tokenizer: Any, prompts: list[str]) -> Any:
    """Token ids (N, MAX_TOKENS) of prompts, padded, as diffusers' pipelines make them."""
    return tokenizer(
        prompts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


WORDS: tuple[tuple[str, ...], ...] = (tuple(OBJECTS), tuple(MATERIALS), tuple(COLOURS))
"""The words that can be told of an object, a material, and the colour of either."""

KINDS = (0, 2, 0, 2, 1, 2)
"""What a prompt says, as indices of `WORDS`: its first object and that one's colour, its second
object and its colour, its material and its colour."""


def describe(things: Sequence[Thing], material: Thing | None) -> list[int]:
    """The numbers of what a prompt says, in the order of `KINDS`; 0 stands for nothing."""
    said: list[str | None] = []
    for thing in (*things, None, None)[:2]:
        said += [thing.word, thing.colour] if thing else [None, None]
    said += [material.word, material.colour] if material else [None, None]
    return [
        0 if word is None else 1 + WORDS[kind].index(word)
        for kind, word in zip(KINDS, said, strict=True)
    ]


def random_prompt(rng: Rng) -> tuple[str, list[Thing], Thing | None]:
    """A prompt of any form, and what it says: things, and the material around them."""
    form = rng.random()
    if form < 0.04:
        return "", [], None
    if form < 0.3:
        material = draw_material(rng)
        return draw_prompt(rng, [material]), [], material
    things = [draw_object(rng) for _ in range(2 if form > 0.88 else 1)]
    around = draw_material(rng) if rng.random() < 0.4 else None
    return draw_prompt(rng, things, around), things, around


Look = Callable[[Thing], Tensor]
"""What a thing looks like: (PARTS * PARTS, D), row by row."""


def teach_words(
    text_encoder: Any, tokenizer: Any, look: Look, seed: int, steps: int, batch: int = 24
) -> tuple[float, float]:
    """Teach the encoder its words: to tell them apart, and what they look like.

    Every state after a prompt's last word must say what the prompt names; the last states must
    also say what the parts of its first thing look like, so that a denoiser has to learn how to
    draw what it is told and not, besides, a hundred shapes by heart. Returns the last losses: of
    the words (cross entropy, nats) and of the looks (mean square).
    """
    rng = np.random.default_rng([seed, 4])
    device = text_encoder.device
    heads = nn.ModuleList(nn.Linear(WIDTH, 1 + len(WORDS[kind])) for kind in KINDS).to(device)
    parts = PARTS * PARTS
    eye = nn.Linear(WIDTH, look(WHITE).shape[1]).to(device)
    weights = [*text_encoder.parameters(), *heads.parameters(), *eye.parameters()]
    optimizer = torch.optim.AdamW(
        weights, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps, pct_start=0.05)
    word_loss = look_loss = torch.zeros(())
    for step in range(steps):
        drawn = [random_prompt(rng) for _ in range(batch)]
        tokens = tokenize(tokenizer, [prompt for prompt, *_ in drawn]).to(device)
        with autocast(device):
            states = text_encoder(tokens).last_hidden_state
        states, ended = states.float(), tokens == tokenizer.eos_token_id
        wanted = torch.tensor(
            [describe(things, around) for _, things, around in drawn], device=device
        )
        word_loss = torch.stack(
            [
                F.cross_entropy(head(states[ended]), wanted[:, k, None].expand_as(tokens)[ended])
                for k, head in enumerate(heads)
            ]
        ).sum()
        shown = [things[0] if things else around or WHITE for _, things, around in drawn]
        looks = torch.stack([look(thing) for thing in shown]).to(device)
        look_loss = F.mse_loss(eye(states[:, -parts:]), looks)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(0.1 * word_loss + look_loss)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            log.info("words step %d of %d: %.3f, %.4f", step, steps, word_loss, look_loss)
    return word_loss.item(), look_loss.item()
