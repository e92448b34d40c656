"""Rows of several texts in transformers, whose texts and picture see each other."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from asked import whole_rows
from conftest import Smd
from diffusers.models.attention_processor import Attention
from PIL import Image
from torch import Tensor

from smd_cli.backbone import joint
from smd_cli.backbone.families.sd3 import JointProcessor, joint_attention
from smd_cli.backbone.joint import Texts
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.blending import blended
from smd_cli.engine.contract import Conditioning
from smd_cli.models.ref import ModelRef

SIDES = (8, 16)  # of rows, in latent cells
QUICK = ("z-image", "sd3")  # which have attention of our own
FAMILIES = (
    *QUICK,
    *(
        pytest.param(n, marks=pytest.mark.slow)
        for n in ("flux2-klein", "flux-schnell", "sana-sprint")
    ),
)
PROMPTS = ("a fox", "an owl in the meadow", "a blue sky")
LEFT, RIGHT = (slice(None), slice(0, 8)), (slice(None), slice(10, 16))


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@functools.cache
def loaded(folder: Path, dtype: str) -> Any:
    return load_backbone(ModelRef("m", folder), "cpu", dtype)


def model_of(name: str, flows: dict[str, Path], dtype: str = "fp32") -> Any:
    return loaded(flows[name], dtype)


def weights_of(*, overlap: float = 0.3) -> Tensor:
    """Three brushes (3, h, w): the left, the right, and the rest with a soft edge to both."""
    weights = torch.zeros(3, *SIDES)
    weights[0][LEFT], weights[1][RIGHT] = 1, 1
    weights[2] = 1 - weights[0] - weights[1]
    weights[2][:, 6:8], weights[2][:, 10:12] = overlap, overlap
    return weights


def rows_for(model: Any, prompts: Sequence[str] = PROMPTS) -> list[Conditioning]:
    """A row a prompt, all with the pooled text of the first: of that a row has one alone."""
    rows = [model.encode_prompts([text]) for text in prompts]
    rows = [row.guided(1.0) for row in rows] if model.embeds_guidance else rows
    shared = {name: rows[0][name] for name in rows[0].tensors if name not in ("tokens", "mask")}
    return [Conditioning({**row.tensors, **shared}) for row in rows]


def predicted(model: Any, told: Conditioning) -> Tensor:
    x = drawn(1, model.channels, *SIDES)
    rows = whole_rows(x, [500], told)
    times = torch.tensor([0.9]) if type(model).__name__ == "SanaSprint" else rows.timesteps
    made: Tensor = model.predict(replace(rows, timesteps=times))
    return made


def far(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / one.std())


# What a row gives


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_a_row_of_equal_prompts_is_a_row_of_one(name: str, flows: dict[str, Path]) -> None:
    model = model_of(name, flows)
    row, *_ = rows_for(model)
    again = Conditioning({key: tensor.clone() for key, tensor in row.tensors.items()})
    assert torch.equal(
        predicted(model, blended([row, again, row], weights_of())), predicted(model, row)
    )


@pytest.mark.parametrize("name", FAMILIES[1:])
@torch.inference_mode()
def test_texts_that_say_the_same_take_their_shares(
    name: str, flows: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for different ones, which see the whole picture: the softmax shares them out.

    Z-Image counts the places of its tokens through all texts.
    """
    monkeypatch.setattr(joint, "_alone", torch.ones_like)
    monkeypatch.setattr(Conditioning, "equals", lambda *_: False)
    model = model_of(name, flows)
    row, *_ = rows_for(model)
    told = blended([row, row, row], weights_of())
    assert told["tokens"].shape[1] == 3
    assert far(predicted(model, row), predicted(model, told)) <= 1e-4


def cut(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no cell of the picture see another, nor a convolution."""

    def alone(weights: Tensor) -> Tensor:
        return joint._seen(torch.eye(weights.shape[1]).bool())

    monkeypatch.setattr(joint, "among_cells", alone)
    network = model._transformer
    if hasattr(network, "noise_refiner"):
        network.noise_refiner = torch.nn.ModuleList()
    for name, part in network.named_modules():
        if name.endswith("attn1"):
            torch.nn.init.zeros_(part.to_out[0].weight)
        if name.endswith("conv_depth"):
            with torch.no_grad():
                part.weight[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_a_prompt_changes_no_far_region(
    name: str, flows: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing goes through the picture, a prompt changes its brush's own cells alone."""
    told, weights = rows_for(model_of(name, flows)), weights_of()
    model = loaded.__wrapped__(flows[name], "fp32")
    cut(model, monkeypatch)
    before = predicted(model, blended(told, weights))
    for changed, row in enumerate(told):
        # as many tokens as before: Z-Image counts the places of those behind them
        other = Conditioning({**row.tensors, "tokens": row["tokens"].flip(-1)})
        rows = [other if n == changed else one for n, one in enumerate(told)]
        after = predicted(model, blended(rows, weights))
        cells = F.max_pool2d(weights[changed][None, None], model.patch)[0, 0] > 0
        own = cells.repeat_interleave(model.patch, 0).repeat_interleave(model.patch, 1)
        moved = (after - before).abs().amax(dim=1)[0] / before.std()
        assert 0 < int(own.sum()) < own.numel()
        assert float(moved[~own].max()) <= 1e-6
        assert float(moved[own].min()) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_half_precision(name: str, flows: dict[str, Path]) -> None:
    told = blended(rows_for(model_of(name, flows)), weights_of())
    exact, rough = (predicted(model_of(name, flows, dtype), told) for dtype in ("fp32", "bf16"))
    assert rough.dtype == torch.float32
    assert far(exact, rough) < 0.15


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_rows_by_themselves_and_together_are_the_same(name: str, flows: dict[str, Path]) -> None:
    """Two frames in one call, of which each has its own weights."""
    model = model_of(name, flows)
    rows = rows_for(model)
    told = [blended(rows, weights_of(overlap=share)) for share in (0.3, 0.6)]
    x = drawn(1, model.channels, *SIDES).expand(2, -1, -1, -1)
    time = torch.full((2,), 0.9) if name == "sana-sprint" else torch.tensor([500, 500])
    both = replace(whole_rows(x, [500, 500], Conditioning.stack(told)), timesteps=time)
    made = model.predict(both)
    assert far(made[:1], predicted(model, told[0])) <= 1e-5
    assert far(made[1:], predicted(model, told[1])) <= 1e-5
    assert far(made[:1], made[1:]) > 1e-4


# Who sees whom


def test_a_row_by_hand() -> None:
    """Two cells, two texts of two tokens, the second's last only filling up."""
    told = Conditioning(
        {
            "tokens": drawn(1, 2, 2, 3),
            "mask": torch.tensor([[[True, True], [True, False]]]),
            "shares": torch.tensor([[[[1.0, 0.5]], [[0.0, 0.25]]]]),
        }
    )
    no, third = -math.inf, math.log(1 / 3)
    texts = Texts.of(told, 1)
    assert torch.equal(texts.tokens[0], told["tokens"][0].flatten(0, 1))
    most = math.log(2 / 3)
    assert torch.allclose(
        texts.by_cells, torch.tensor([[0, 0, no, no], [most, most, third, no]]), atol=1e-6
    )
    assert texts.of_cells.tolist() == [[0, no], [0, no], [no, no], [no, no]]
    assert texts.among.tolist() == [[0, 0, no, no], [0, 0, no, no], [no, no, 0, no], [no] * 3 + [0]]
    whole = texts.bias(torch.float32, texts_first=True)[0, 0]
    assert torch.equal(whole[:4, :4], texts.among)
    assert torch.equal(whole[4:, :4], texts.by_cells)
    turned = texts.bias(torch.float32, texts_first=False)[0, 0]
    assert torch.equal(turned, whole[[4, 5, 0, 1, 2, 3]][:, [4, 5, 0, 1, 2, 3]])
    padded = texts.with_pads(1, 1).bias(torch.float32, texts_first=False)[0, 0]
    assert padded[:, -1].tolist() == [0] * 8  # all see what fills texts up
    assert padded[-1].tolist() == [no] * 7 + [0]  # and that sees nothing else
    assert padded[2].tolist() == [0, 0, 0, no, no, no, no, 0]


def test_cells_where_no_brush_has_weight_see_all_texts_by_their_areas() -> None:
    weights = torch.tensor([[[[1.0, 1.0, 0, 0]], [[0, 0, 1.0, 0]]]])
    told = Conditioning({"tokens": drawn(1, 2, 1, 3), "shares": weights})
    texts = Texts.of(told, 1)
    assert torch.allclose(texts.by_cells[3].exp(), torch.tensor([2 / 3, 1 / 3]))
    assert texts.of_cells[:, 3].tolist() == [-math.inf] * 2


@torch.inference_mode()
def test_a_layer_against_loops() -> None:
    """SD3's attention, cell by cell and token by token, each with those that it sees."""
    torch.manual_seed(0)
    made = {"context_pre_only": False, "qk_norm": "rms_norm", "processor": JointProcessor()}
    attn = Attention(8, added_kv_proj_dim=8, heads=2, dim_head=4, out_dim=8, bias=True, **made)
    weights = drawn(2, 1, 3, seed=3).clamp(0, 1)
    weights[:, 0, 0] = torch.tensor([1.0, 0.0])
    told = Conditioning({"tokens": drawn(1, 2, 2, 8), "shares": weights[None]})
    texts, x = Texts.of(told, 1), drawn(1, 3, 8, seed=4)
    cells, words = joint_attention(
        attn, x, texts.tokens, texts.bias(torch.float32, texts_first=False)
    )
    shares = weights.flatten(1) / weights.flatten(1).sum(dim=0).clamp_min(1e-9)
    for n in range(3):
        seen = [(("cell", m), 1.0) for m in range(3)]
        seen += [(("word", m), float(shares[m // 2, n])) for m in range(4)]
        if float(weights[:, 0, n].sum()) > 0:
            wanted = by_loops(attn, x[0], texts.tokens[0], ("cell", n), seen)
            assert torch.allclose(cells[0, n], attn.to_out[0](wanted), atol=1e-5)
    for n in range(4):
        seen = [(("word", m), 1.0) for m in range(4) if m // 2 == n // 2]
        own = weights[n // 2, 0] > 0
        seen += [
            (("cell", m), 1.0) for m in range(3) if own[m] and float(weights[1 - n // 2, 0, m]) == 0
        ]
        wanted = by_loops(attn, x[0], texts.tokens[0], ("word", n), seen)
        assert torch.allclose(words[0, n], attn.to_add_out(wanted), atol=1e-5)


def by_loops(
    attn: Any,
    x: Tensor,
    words: Tensor,
    asks: tuple[str, int],
    seen: Sequence[tuple[tuple[str, int], float]],
) -> Tensor:
    """What one place gets of those it sees, each counted by its share, before the last layer."""

    def of(place: tuple[str, int], kind: str) -> tuple[Tensor, ...]:
        layers = {
            "cell": (getattr(attn, f"to_{kind}"), getattr(attn, f"norm_{kind}", None)),
            "word": (getattr(attn, f"add_{kind}_proj"), getattr(attn, f"norm_added_{kind}", None)),
        }
        layer, norm = layers[place[0]]
        heads: tuple[Tensor, ...] = layer((x if place[0] == "cell" else words)[place[1]]).chunk(2)
        return heads if norm is None else tuple(map(norm, heads))

    parts = []
    for head, query in enumerate(of(asks, "q")):
        total, mixed = 0.0, torch.zeros(4)
        for place, share in seen:
            power = share * math.exp(float(of(place, "k")[head] @ query) / math.sqrt(4))
            total, mixed = total + power, mixed + power * of(place, "v")[head]
        parts.append(mixed / total)
    return torch.cat(parts)


# Through the command


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flux-dev", "z-image"])
def test_a_scene_through_the_command(
    name: str, flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal prompts give what rows of their own give; check counts the rows."""
    monkeypatch.chdir(tmp_path)
    scene = (
        f"model: {flows[name]}\nsize: 64x64\nbackground: PROMPT\nbrushes:\n"
        "  - {prompt: a fox, mask: {rect: [0, 0, 50%, 100%]}, blur: 2}\n"
        "  - {prompt: a fox, mask: {ellipse: [40%, 20%, 50%, 50%]}, blur: 2}\n"
        "sampler: {steps: 2, windows: off, bootstrap: {steps: 0}, blend_after: AFTER, "
        "guidance: {type: none}}\n"
    )
    made = {}
    for below, after in (("a fox", "bootstrap"), ("a fox", "never"), ("a meadow", "bootstrap")):
        Path("s.yaml").write_text(scene.replace("PROMPT", below).replace("AFTER", after))
        done = smd(["render", "s.yaml", "-o", "s.png"])
        assert done.code == 0, done.err
        with Image.open("s.png") as picture:
            made[below, after] = [*picture.convert("RGB").tobytes()]
    told = smd(["check", "s.yaml", "--set", "sampler.blend_after=bootstrap"])
    assert (told.code, "2 rows a frame" in told.out) == (0, True), told.out + told.err
    pairs = zip(made["a fox", "bootstrap"], made["a fox", "never"], strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 1
    assert made["a meadow", "bootstrap"] != made["a fox", "bootstrap"]
