"""Prompts: weights, escapes, chunks and left-out layers, against CLIP run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.errors import UsageError
from smd_cli.models.ref import ModelRef
from smd_cli.scene.prompts import weighted_spans

SPANS = {
    "a red fox": [("a red fox", 1.0)],
    "": [],
    "a (red:1.3) fox": [("a ", 1), ("red", 1.3), (" fox", 1)],
    "(red fox:.5)": [("red fox", 0.5)],
    "(a: b: 2)": [("a: b", 2)],
    "a (red) [fox] {x} (y:z)": [("a (red) [fox] {x} (y:z)", 1)],
    r"a \(red:1.3\) fox": [("a (red:1.3) fox", 1)],
    r"(a \(b\):1.5)": [("a (b)", 1.5)],
    r"back\slash \[x]": [(r"back\slash \[x]", 1)],
    "((a:1.2) b:1.1)": [("(", 1), ("a", 1.2), (" b:1.1)", 1)],
    "(a:1.2)(b:0)": [("a", 1.2), ("b", 0)],
    "(:1.2)": [("(:1.2)", 1)],
    "(a:-1)": [("(a:-1)", 1)],
    ":-) (a:1e3)": [(":-) (a:1e3)", 1)],
}


@pytest.mark.parametrize("prompt", SPANS)
def test_the_only_syntax_is_a_weight(prompt: str) -> None:
    assert weighted_spans(prompt) == SPANS[prompt]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return CLIPTokenizer.from_pretrained(TINY / "tokenizer")


@pytest.fixture(scope="module")
def encoder() -> Any:
    return CLIPTextModel.from_pretrained(TINY / "text_encoder")


def by_hand(tokenizer: Any, encoder: Any, ids: list[int]) -> Tensor:
    """CLIP's last states for one chunk of these ids, marked and padded."""
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    row = [bos, *ids, eos, *[pad] * (75 - len(ids))]
    states: Tensor = encoder(torch.tensor([row])).last_hidden_state[0]
    return states


@torch.inference_mode()
def test_a_long_prompt_is_read_in_chunks(tiny: Backbone, tokenizer: Any, encoder: Any) -> None:
    text = " ".join(f"z{n}" for n in range(60))
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert 75 < len(ids) < 3 * 75
    chunks = [ids[start : start + 75] for start in range(0, len(ids), 75)]
    made = tiny.encode_prompts([text, "a fox"])["tokens"]
    wanted = torch.cat([by_hand(tokenizer, encoder, chunk) for chunk in chunks])
    assert torch.allclose(made[0], wanted, atol=1e-5)
    fox = by_hand(tokenizer, encoder, tokenizer("a fox", add_special_tokens=False).input_ids)
    empty = by_hand(tokenizer, encoder, [])
    assert torch.allclose(made[1], torch.cat([fox, *[empty] * (len(chunks) - 1)]), atol=1e-5)
    assert torch.allclose(made[1], tiny.encode_prompts(["a fox"], len(wanted))["tokens"], atol=1e-5)


@torch.inference_mode()
def test_75_tokens_are_one_chunk(tiny: Backbone) -> None:
    lengths = [
        tiny.encode_prompts([" ".join(["z"] * count)])["tokens"].shape[1] for count in (75, 76)
    ]
    assert lengths == [77, 154]


@torch.inference_mode()
def test_weights_by_hand(tiny: Backbone, tokenizer: Any, encoder: Any) -> None:
    """Every token's state goes w times as far from that of the empty prompt."""
    pieces = [tokenizer(t, add_special_tokens=False).input_ids for t in ("a ", "red", " fox")]
    plain = by_hand(tokenizer, encoder, [*pieces[0], *pieces[1], *pieces[2]])
    empty = by_hand(tokenizer, encoder, [])
    weights = torch.ones(77)
    weights[1 + len(pieces[0]) : 1 + len(pieces[0]) + len(pieces[1])] = 1.3
    wanted = empty + weights[:, None] * (plain - empty)
    made = tiny.encode_prompts(["a (red:1.3) fox"])["tokens"][0]
    assert torch.allclose(made, wanted, atol=1e-5)
    assert not torch.allclose(made, plain, atol=1e-3)
    same = tiny.encode_prompts(["a (red:1) fox", "a red fox"])["tokens"]
    assert torch.equal(same[0], same[1])


@pytest.mark.parametrize("skip", [0, 1])
@torch.inference_mode()
def test_clip_skip(skip: int, tokenizer: Any, encoder: Any) -> None:
    model = load_backbone(ModelRef("m", TINY, clip_skip=skip), "cpu")
    ids = tokenizer(["a red fox"], padding="max_length", return_tensors="pt").input_ids
    states = encoder(ids, output_hidden_states=True).hidden_states[-1 - skip]
    layers = getattr(encoder, "text_model", encoder)
    wanted = layers.final_layer_norm(states)
    assert torch.allclose(model.encode_prompts(["a red fox"])["tokens"], wanted, atol=1e-6)


def test_more_layers_skipped_than_there_are() -> None:
    with pytest.raises(UsageError, match="clip_skip leaves out 2 of the 2 layers"):
        load_backbone(ModelRef("m", TINY, clip_skip=2), "cpu")


@torch.inference_mode()
def test_two_encoders_side_by_side(families: dict[str, Path]) -> None:
    """States but one of both, the second one's pooled; an empty prompt is all zeros."""
    folder = families["sdxl"]
    model = load_backbone(ModelRef("m", folder), "cpu")
    made = model.encode_prompts(["a red fox", ""])
    states = []
    for end, kind in (("", CLIPTextModel), ("_2", CLIPTextModelWithProjection)):
        clip = CLIPTokenizer.from_pretrained(folder / f"tokenizer{end}")
        ids = clip(["a red fox"], padding="max_length", return_tensors="pt").input_ids
        told = kind.from_pretrained(folder / f"text_encoder{end}")(ids, output_hidden_states=True)
        states.append(told.hidden_states[-2])
    assert torch.allclose(made["tokens"][:1], torch.cat(states, dim=-1), atol=1e-5)
    assert torch.allclose(made["pooled"][:1], told.text_embeds, atol=1e-5)
    assert not made["tokens"][1].any()
    assert not made["pooled"][1].any()


@torch.inference_mode()
def test_long_prompts_of_two_encoders(families: dict[str, Path]) -> None:
    model = load_backbone(ModelRef("m", families["sdxl"]), "cpu")
    text = " ".join(["z"] * 100)
    long, alone = model.encode_prompts([text, "a fox"]), model.encode_prompts(["a fox"])
    assert long["tokens"].shape[1] == 154
    assert torch.allclose(long["tokens"][1, :77], alone["tokens"][0], atol=1e-5)
    assert torch.allclose(long["pooled"][1], alone["pooled"][0], atol=1e-5)
