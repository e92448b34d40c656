"""Rows for several prompts, in real networks and against attention written as loops."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from asked import whole_rows
from dense import boxed
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from smd_cli.backbone.attention import Blend, blended_attention, can_blend, shares_of
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.blending import blended
from smd_cli.engine.contract import Backbone, Conditioning
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.models.facts import STARTER
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import Painted
from smd_cli.scene.types import (
    Background,
    Bootstrap,
    Brush,
    Guidance,
    Output,
    Sampler,
    Scene,
)

SIDES = (5, 7)  # of the rows of a single layer, in cells
SIZE = (192, 64)  # of canvases, in pixels


@pytest.fixture(autouse=True)
def _equal_prompts_are_blended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if they were different ones: otherwise they count as one, and nothing is left to blend."""
    monkeypatch.setattr(Conditioning, "equals", lambda *_: False)


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def spread(*shape: int, seed: int = 2) -> Tensor:
    """Weights in 0..1, with none in some cells and 1 in others."""
    return (drawn(*shape, seed=seed) + 0.2).clamp(0, 1)


# One layer


def by_loops(attn: Any, x: Tensor, prompts: list[Tensor], shares: Tensor) -> Tensor:
    """A row's attention (N, C) to prompts (L, D) of any length, cell by cell and head by head."""
    out = []
    for cell, own in zip(x, shares.flatten(1).T, strict=True):
        query = attn.to_q(cell).chunk(attn.heads)
        mixed = torch.zeros(len(query) * len(query[0]))
        for share, tokens in zip(own, prompts, strict=True):
            keys, values = (to(tokens).chunk(attn.heads, dim=1) for to in (attn.to_k, attn.to_v))
            seen = [
                torch.softmax(k @ q / math.sqrt(len(q)), dim=0) @ v
                for q, k, v in zip(query, keys, values, strict=True)
            ]
            mixed = mixed + share * torch.cat(seen)
        out.append(attn.to_out[0](mixed))
    return torch.stack(out)


@pytest.mark.parametrize("lengths", [(4, 4, 4), (4, 2, 3)], ids=["even", "ragged"])
@torch.inference_mode()
def test_a_layer_against_loops(lengths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    attn = Attention(16, cross_attention_dim=6, heads=2, dim_head=5)
    rows = []
    for row in range(2):
        prompts = [drawn(1, length, 6, seed=9 * row + n) for n, length in enumerate(lengths)]
        told = [Conditioning({"tokens": prompt}) for prompt in prompts]
        rows.append((told, spread(3, *SIDES, seed=row), drawn(math.prod(SIDES), 16, seed=row)))
    asked = Conditioning.stack([blended(told, weights) for told, weights, _ in rows])
    made = blended_attention(
        attn, torch.stack([x for *_, x in rows]), Blend.of(asked, 1, torch.float32)
    )
    for (told, weights, x), ours in zip(rows, made, strict=True):
        shares = weights / weights.sum(dim=0).clamp_min(1e-9)
        bare = weights.sum(dim=0).flatten() == 0
        wanted = by_loops(attn, x, [t["tokens"][0] for t in told], shares)
        assert bare.any()
        assert torch.isfinite(ours).all()
        assert torch.allclose(ours[~bare], wanted[~bare], atol=1e-5)


def test_shares_of_every_level_by_hand() -> None:
    """Three cells: halved, the last stands alone. Where none has weight, the row's areas count."""
    weights = torch.tensor([[[[1.0, 0.0, 0.0]], [[1.0, 0.5, 0.0]]]])
    usual = torch.tensor([0.4, 0.6])[None, :, None, None]
    whole, half, quarter = shares_of(weights, usual, 3)
    assert torch.allclose(whole[0, :, :, 0], torch.tensor([[0.5, 0, 0.4], [0.5, 1, 0.6]]))
    assert torch.allclose(half[0, :, :, 0], torch.tensor([[0.4, 0.4], [0.6, 0.6]]))
    assert torch.allclose(quarter[0, :, :, 0], torch.tensor([[0.4], [0.6]]))
    # Of (1/2 and 0) and (3/4 and 0): the mean of two cells, not of their shares.
    assert torch.allclose(shares_of(weights, usual, 2)[1][0, 0, 0], torch.tensor([0.5 / 1.25]))


# Whole networks


@pytest.fixture(
    scope="module",
    params=["sd1", pytest.param("lcm", marks=pytest.mark.slow), "sdxl", "starter"],
)
def model(request: pytest.FixtureRequest, families: dict[str, Path]) -> Backbone:
    folder = STARTER if request.param == "starter" else families[request.param]
    return load_backbone(ModelRef("m", folder), "cpu", "fp32")


def planned(model: Backbone, prompts: tuple[str, ...], **sampler: Any) -> Plan:
    """Two brushes over a background, each with its prompt and that as its negative one."""
    below, *texts = prompts
    places = [(slice(0, 40), slice(0, 80)), (slice(20, 64), slice(70, 192))]
    painted = []
    for number, (text, place) in enumerate(zip(texts, places, strict=True), 1):
        paint = torch.zeros(SIZE[1], SIZE[0])
        paint[place] = 1
        brush = Brush(number, text, (), negative=below, blur_px=3.0, strength=1.0)
        painted.append(Painted(brush, boxed(paint.numpy()), ()))
    wanted = Scene(
        ModelRef("m"),
        Background(below, negative=below),
        tuple(one.brush for one in painted),
        Sampler(**{"steps": None, "timesteps": (600, 300), "bootstrap": Bootstrap(0), **sampler}),
        Output(),
    )
    return Planner(model).plan(wanted, painted, SIZE)


def apart(model: Backbone, prompts: tuple[str, ...], **sampler: Any) -> float:
    """How far shared rows lead from separate ones, in standard deviations."""
    both = [
        next(single(lambda _, p=p: p, model, 1)).latents  # type: ignore[misc]
        for p in (
            planned(model, prompts, blend_after="bootstrap", **sampler),
            planned(model, prompts, **sampler),
        )
    ]
    return float((both[0] - both[1]).abs().max() / both[1].std())


@pytest.mark.parametrize(
    "sampler",
    [{"windows": "off"}, {"windows": 64}, {"windows": 64, "guidance": Guidance("full", 2.0)}],
    ids=["whole", "windows", "guided"],
)
def test_equal_prompts_are_those_of_separate_rows(
    model: Backbone, sampler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On whole canvases, and through the same windows: what a row sees depends on its window."""
    if sampler["windows"] == 64:
        monkeypatch.setattr(model, "native_px", 64)
        shared, alone = (
            planned(model, ("a fox",) * 3, blend_after=after, **sampler)
            for after in ("bootstrap", "never")
        )
        assert shared.rows < alone.rows
        assert apart_in_the_same_windows(model, shared) <= 1e-4
    else:
        assert apart(model, ("a fox",) * 3, **sampler) <= 1e-4


def apart_in_the_same_windows(model: Backbone, shared: Plan) -> float:
    """Shared rows against a row for each brush in the windows of those."""
    windows = tuple(
        tuple(
            tuple(one.window for one in slot if brush in one.brushes)
            for brush in range(len(shared.weights))
        )
        for slot in shared.shared
    )
    alone = replace(shared, windows=windows, shared=((),) * len(windows))
    both = [
        next(single(lambda _, p=p: p, model, 1)).latents  # type: ignore[misc]
        for p in (shared, alone)
    ]
    return float((both[0] - both[1]).abs().max() / both[1].std())


def test_every_prompt_acts(model: Backbone) -> None:
    first = planned(model, ("a fox", "a red owl", "blue"), blend_after="bootstrap", windows="off")
    latents = next(single(lambda _: first, model, 1)).latents
    for prompts in (
        ("owl", "a red owl", "blue"),
        ("a fox", "owl", "blue"),
        ("a fox", "a red owl", "owl"),
    ):
        other = planned(model, prompts, blend_after="bootstrap", windows="off")
        seen = next(single(lambda _, p=other: p, model, 1)).latents  # type: ignore[misc]
        assert not torch.allclose(seen, latents, atol=1e-5)


def told_apart(model: Backbone, x: Tensor) -> Conditioning:
    rows = [model.encode_prompts([text]) for text in ("a fox", "owl")]
    return blended(rows, spread(2, *x.shape[-2:]))


@torch.inference_mode()
def test_rows_for_one_prompt_are_diffusers_own(families: dict[str, Path]) -> None:
    """To the last bit, beside a processor that can blend."""
    model: Any = load_backbone(ModelRef("m", families["sd1"]), "cpu", "fp32")
    asked = whole_rows(drawn(2, 4, 8, 12), [900, 100], model.encode_prompts(["a fox", "owl"]))
    ours = model.predict(asked)
    model._unet.set_attn_processor(AttnProcessor2_0())
    assert torch.equal(model.predict(asked), ours)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@torch.inference_mode()
def test_half_precision(dtype: str, families: dict[str, Path]) -> None:
    x = drawn(1, 4, 8, 12)
    exact, rough = (
        load_backbone(ModelRef("m", families["sdxl"]), "cpu", kind) for kind in ("fp32", dtype)
    )
    wanted, made = (m.predict(whole_rows(x, [500], told_apart(m, x))) for m in (exact, rough))
    assert made.dtype == torch.float32
    assert float((made - wanted).abs().max() / wanted.std()) < 0.1


@torch.inference_mode()
def test_adapters_beside_the_layers_act(families: dict[str, Path]) -> None:
    """A LoRA that is not fused (peft): blended rows ask the layers themselves."""
    from peft import LoraConfig

    model: Any = load_backbone(ModelRef("m", families["sd1"]), "cpu", "fp32")
    x = drawn(1, 4, 8, 12)
    told = model.encode_prompts(["a fox"])
    shared = blended([told, told], spread(2, 8, 12))
    plain = model.predict(whole_rows(x, [500], shared))
    targets = ["attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"]
    model._unet.add_adapter(LoraConfig(r=4, target_modules=targets, init_lora_weights=False))
    wanted = model.predict(whole_rows(x, [500], told))
    made = model.predict(whole_rows(x, [500], shared))
    assert torch.allclose(made, wanted, atol=1e-5)
    assert not torch.allclose(made, plain, atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder_hid_dim": 12, "encoder_hid_dim_type": "text_proj"},
        {"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"},
    ],
    ids=str,
)
def test_networks_that_cannot(changes: dict[str, Any]) -> None:
    config: dict[str, Any] = {
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
    }
    assert can_blend(UNet2DConditionModel(**config))
    assert not can_blend(UNet2DConditionModel(**{**config, **changes}))
