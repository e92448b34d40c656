"""Real architectures with random weights: they are as large as the published ones."""

from __future__ import annotations

import pytest
import torch

from smd_cli.bench.architectures import _made, random_backbone
from smd_cli.models.families import Family, sd, sdxl

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "family", "parameters"),
    [("sd15", sd.FAMILY, 859_520_964), ("sdxl", sdxl.FAMILY, 2_567_463_684)],
)
def test_the_unet_is_as_large_as_published(name: str, family: Family, parameters: int) -> None:
    with torch.device("meta"):
        unet = _made(name, family.denoiser, torch.float32)
    assert sum(weight.numel() for weight in unet.parameters()) == parameters


def test_a_tiny_one_paints_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, other = (
        random_backbone("tiny", CPU, torch.float32, low=False, compiled=False) for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.inference_mode():
        told = one.encode_prompts(["a fox", ""])
        assert told["tokens"].shape == (2, 77, 32)
        assert torch.equal(told["tokens"], other.encode_prompts(["a fox", ""])["tokens"])
        picture = one.decode_latents(torch.ones(1, 4, 8, 8))
    assert picture.shape == (1, 3, 64, 64)
    assert picture.isfinite().all()
    assert (one.factor, one.channels) == (8, 4)
