"""The tokenizer knows the vocabulary and reads anything."""

import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch

from smd_cli.starter.text import (
    MAX_TOKENS,
    PARTS,
    WIDTH,
    build_text_encoder,
    build_tokenizer,
    describe,
    random_prompt,
    teach_words,
    tokenize,
)
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, Thing


def test_a_known_word_is_one_token() -> None:
    tokenizer = build_tokenizer()
    for word in [*OBJECTS, *MATERIALS, *COLOURS, "and"]:
        assert len(tokenizer.tokenize(word)) == len(word.split()), word


@pytest.mark.slow
def test_the_same_words_give_the_same_tokens_in_every_process() -> None:
    code = """
import zlib
from smd_cli.starter.text import build_tokenizer
print(zlib.crc32(repr(sorted(build_tokenizer().get_vocab().items())).encode()))
"""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # not this process' own
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = zlib.crc32(repr(sorted(build_tokenizer().get_vocab().items())).encode())
    assert done.stdout.split()[-1] == str(ours)


def test_unknown_text_falls_to_pieces_without_an_unknown_token() -> None:
    tokenizer = build_tokenizer()
    for text in ("a zeppelin", "naïve", "狐", "a fox!?", "42"):
        ids = tokenizer(text).input_ids[1:-1]
        assert ids
        assert tokenizer.unk_token_id not in ids


def test_prompts_become_states() -> None:
    tokenizer = build_tokenizer()
    tokens = tokenize(tokenizer, ["a fox, grass", ""])
    states = build_text_encoder(tokenizer)(tokens).last_hidden_state
    assert states.shape == (2, MAX_TOKENS, WIDTH)
    assert torch.isfinite(states).all()


def look(thing: Thing) -> torch.Tensor:
    """A look that differs from thing to thing and from part to part."""
    number = sum(map(ord, str(thing))) % 7 / 7
    return number + torch.linspace(0, 1, PARTS * PARTS)[:, None].expand(-1, 3)


@pytest.mark.slow
def test_words_are_told_apart_and_looks_learnt_by_teaching() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    encoder = build_text_encoder(tokenizer)
    words, looks = teach_words(encoder, tokenizer, look, seed=0, steps=1, batch=16)
    words_later, looks_later = teach_words(encoder, tokenizer, look, seed=0, steps=16, batch=16)
    assert words_later < words - 1
    assert looks_later < looks / 2


def test_what_a_prompt_says_is_numbered() -> None:
    blue, fox, owl, sky = 1 + list(COLOURS).index("blue"), 3, 4, 1
    assert describe([Thing("fox", "blue")], None) == [fox, blue, 0, 0, 0, 0]
    assert describe([Thing("fox"), Thing("owl", "blue")], Thing("sky", "blue")) == [
        *(fox, 0, owl, blue),
        *(sky, blue),
    ]


def test_random_prompts_carry_their_numbers() -> None:
    rng = np.random.default_rng(0)
    words = [["", *group] for group in (OBJECTS, COLOURS, OBJECTS, COLOURS, MATERIALS, COLOURS)]
    seen = set()
    for _ in range(200):
        prompt, things, around = random_prompt(rng)
        said = describe(things, around)
        for group, number in zip(words, said, strict=True):
            assert group[number] in prompt
        assert bool(prompt) == any(said)
        seen |= {k for k, number in enumerate(said) if number}
    assert seen == set(range(6))
