"""The judge: that it learns, is written and read again."""

from pathlib import Path

import pytest
import torch

from smd_cli.starter.classifier import Labelled, accuracy, load_judge, save_judge, train_judge


@pytest.mark.slow
def test_a_judge_learns_and_is_the_same_when_read_again(tmp_path: Path) -> None:
    dark, light = (torch.full((8, 3, 64, 64), level, dtype=torch.uint8) for level in (20, 230))
    classes, colours = torch.tensor([3] * 8 + [5] * 8), torch.tensor([1] * 8 + [2] * 8)
    data = Labelled(torch.cat([dark, light]), classes, colours)
    judge = train_judge(data, seed=0, epochs=60, batch=16)
    assert accuracy(judge, data) == (1, 1)
    save_judge(judge, tmp_path / "judge.safetensors")
    again = load_judge(tmp_path / "judge.safetensors")
    crops = data.crops.float() / 127.5 - 1
    for ours, theirs in zip(judge(crops), again(crops), strict=True):
        assert torch.allclose(ours, theirs, atol=0.02)
