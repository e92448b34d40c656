"""The starter model's tokenizer and its small CLIP text encoder."""

import json
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from smd_cli.starter.materials import Rng
from smd_cli.starter.vocabulary import MATERIALS, OBJECTS, caption, without_article

MAX_TOKENS = 32
WIDTH = 128
START, END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer() -> Any:
    """A byte-level CLIPTokenizer: a token for each word it knows, pieces for any other text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = " ".join([*OBJECTS, *MATERIALS, "a", "an", ","]).split()
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[START, END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator([*alphabet, *words], trainer)
    model = json.loads(bpe.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    return CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=MAX_TOKENS)


def build_text_encoder(tokenizer: Any) -> Any:
    """A CLIPTextModel of two layers, for this tokenizer."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        projection_dim=WIDTH,
    )
    return CLIPTextModel(config)


def tokenize(tokenizer: Any, prompts: list[str]) -> Any:
    """Token ids (N, MAX_TOKENS) of prompts, padded, as diffusers' pipelines make them."""
    return tokenizer(
        prompts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


def random_prompt(rng: Rng) -> tuple[str, int, int]:
    """A prompt of any form, with the numbers of its object and its material; 0 stands for none."""
    form = rng.random()
    if form < 0.05:
        return "", 0, 0
    thing, around = int(rng.integers(len(OBJECTS))), int(rng.integers(len(MATERIALS)))
    if form < 0.3:
        text, found = caption(MATERIALS[around]), (0, around + 1)
    elif form < 0.65:
        text, found = caption(list(OBJECTS)[thing]), (thing + 1, 0)
    else:
        text, found = caption(list(OBJECTS)[thing], MATERIALS[around]), (thing + 1, around + 1)
    return (without_article(text) if rng.random() < 0.25 else text, *found)


def teach_words(text_encoder: Any, tokenizer: Any, seed: int, steps: int, batch: int = 64) -> float:
    """Teach the encoder to tell its words apart, in every state after a prompt's last word.

    Without this a denoiser of an hour's training first lumps all words of one colour together and
    needs most of the hour to part them again. Returns the last loss (cross entropy, nats).
    """
    rng = np.random.default_rng([seed, 4])
    heads = nn.ModuleList(
        [nn.Linear(WIDTH, 1 + len(OBJECTS)), nn.Linear(WIDTH, 1 + len(MATERIALS))]
    )
    weights = [*text_encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, steps, pct_start=0.1)
    loss = torch.zeros(())
    for _ in range(steps):
        prompts, *numbers = zip(*(random_prompt(rng) for _ in range(batch)), strict=True)
        tokens = tokenize(tokenizer, list(prompts))
        states = text_encoder(tokens).last_hidden_state
        ended = tokens == tokenizer.eos_token_id
        loss = torch.zeros(())
        for head, number in zip(heads, numbers, strict=True):
            wanted = torch.tensor(number)[:, None].expand_as(tokens)
            loss = loss + F.cross_entropy(head(states[ended]), wanted[ended])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return loss.item()
