"""The tokenizer knows the vocabulary and reads anything."""

import numpy as np
import pytest
import torch

from smd_cli.starter.text import (
    MAX_TOKENS,
    WIDTH,
    build_text_encoder,
    build_tokenizer,
    random_prompt,
    teach_words,
    tokenize,
)
from smd_cli.starter.vocabulary import MATERIALS, OBJECTS


@pytest.mark.parametrize("word", [*OBJECTS, *MATERIALS])
def test_a_known_word_is_one_token(word: str) -> None:
    assert len(build_tokenizer().tokenize(word)) == len(word.split())


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


def test_words_are_told_apart_by_teaching() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    encoder = build_text_encoder(tokenizer)
    first = teach_words(encoder, tokenizer, seed=0, steps=1, batch=16)
    later = teach_words(encoder, tokenizer, seed=0, steps=12, batch=16)
    assert later < first - 0.3


def test_random_prompts_carry_their_numbers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        prompt, thing, around = random_prompt(rng)
        assert (list(OBJECTS)[thing - 1] in prompt) == bool(thing) or not thing
        assert MATERIALS[around - 1] in prompt or not around
        assert bool(prompt) == bool(thing or around)
