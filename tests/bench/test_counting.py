"""Counted operations against hand values; the peak of memory; the rate of matrix products."""

from __future__ import annotations

import sys
from typing import cast

import pytest
import torch
from asked import whole_rows
from torch import Tensor

from smd_cli.backbone.memory import release
from smd_cli.bench.counting import Counter, counted
from smd_cli.bench.machine import Peak, matrix_rate
from smd_cli.engine.contract import Backbone, Conditioning, Rows


class Attending:
    """A network of one attention: C queries of width w look at the text's L tokens of width w."""

    def predict(self, rows: Rows) -> Tensor:
        text = rows.conditioning["tokens"][:, None]
        return torch.nn.functional.scaled_dot_product_attention(rows.x, text, text)


def rows(count: int, height: int, length: int = 7) -> Rows:
    told = Conditioning({"tokens": torch.ones(count, length, 8)})
    return whole_rows(torch.ones(count, 1, height, 8), [5] * count, told)


ATTENDING = cast(Backbone, Attending())


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_two_products(dtype: torch.dtype) -> None:
    asked = rows(3, 6)
    told = Conditioning({"tokens": asked.conditioning["tokens"].to(dtype)})
    typed = Rows(asked.x.to(dtype), asked.timesteps, told, asked.places)
    _, flops = counted(ATTENDING.predict, typed)
    assert flops == 3 * (2 * 6 * 7 * 8 + 2 * 6 * 7 * 8)


@torch.inference_mode()
def test_a_network_s_operations_grow_with_the_rows(tiny: Backbone) -> None:
    told = tiny.encode_prompts(["a fox"])
    one = whole_rows(torch.zeros(1, 4, 8, 8), [5], told)
    _, flops = counted(tiny.predict, one)
    _, threefold = counted(tiny.predict, Rows.stack([one, one, one]))
    assert 0 < 3 * flops == threefold


@torch.inference_mode()
def test_rows_of_different_shapes_are_counted_by_their_own() -> None:
    counter = Counter(ATTENDING)
    for asked in (rows(2, 6), rows(1, 6), rows(4, 3), rows(1, 6, length=14)):
        output = counter.predict(asked)
        assert torch.equal(output, ATTENDING.predict(asked))
    told = counter.tally
    assert (told.calls, told.rows, told.cells) == (4, 8, 8 * (3 * 6 + 4 * 3 + 6))
    assert told.flops == 4 * 8 * (3 * 6 * 7 + 4 * 3 * 7 + 6 * 14)
    counter.forget()
    assert counter.tally.calls == 0


@torch.inference_mode()
def test_the_autoencoder_s_operations_are_counted_apart(tiny: Backbone) -> None:
    counter = Counter(tiny)
    pictures, latents = torch.zeros(2, 3, 64, 64), torch.zeros(2, 4, 8, 8)
    _, there = counted(tiny.encode_image, pictures)
    _, back = counted(tiny.decode_latents, latents)
    for _ in range(2):
        assert torch.equal(counter.encode_image(pictures), tiny.encode_image(pictures))
        assert torch.equal(counter.decode_latents(latents), tiny.decode_latents(latents))
    assert there > 0
    assert back > 0
    assert (counter.tally.codec_flops, counter.tally.flops) == (2 * (there + back), 0)


def test_a_counter_is_otherwise_the_backbone(tiny: Backbone) -> None:
    counter = Counter(tiny).backbone
    assert counter.factor == tiny.factor
    assert counter.device == tiny.device


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot forget its peak")
def test_the_peak_is_that_since_the_beginning() -> None:
    cpu, size = torch.device("cpu"), 128 << 20
    first = Peak(cpu)
    held = torch.ones(size, dtype=torch.uint8)
    high, later = first.bytes, Peak(cpu)
    del held
    release(cpu)
    assert high
    assert later.bytes
    low = Peak(cpu).bytes
    assert low
    assert low <= high - size // 2


def test_the_rate_of_products_is_that_of_the_device_s_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice n³ operations of the quickest try, with matrices large enough to take a while."""
    asked: list[int] = []

    def seconds(side: int, *_: object) -> float:
        asked.append(side)
        return side / 10000 - len(asked) / 1e6

    monkeypatch.setattr("smd_cli.bench.machine._product_s", seconds)
    rate = matrix_rate(torch.device("cpu"), torch.float32)
    assert asked == [256, 512, *[512] * 8]
    assert rate == pytest.approx(2 * 512**3 / (0.0512 - 10 / 1e6))
