"""A model's own tensors lie on its device: shown on "meta", where only shapes are worked out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from asked import whole_rows
from torch import Tensor

from smd_cli.backbone.loading import load
from smd_cli.engine.blending import blended
from smd_cli.engine.contract import Conditioning
from smd_cli.models.ref import ModelRef

META = torch.device("meta")


def crosses(*tensors: Tensor | None) -> None:
    """What the contract says of every tensor between engine and model."""
    for tensor in tensors:
        assert tensor is None or (tensor.device, tensor.dtype) == (META, torch.float32)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["sd1", "lcm", "sdxl", "sdxl-lcm"])
@pytest.mark.slow
def test_a_model_computes_on_its_device(
    name: str, dtype: str, families: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real networks; pictures and latents may come from anywhere."""
    monkeypatch.setattr(load, "pick_device", lambda _: META)
    monkeypatch.setattr(load, "pick_dtype", lambda *_: load.DTYPES[dtype])
    monkeypatch.setattr(Conditioning, "equals", lambda *_: False)  # there are no numbers to compare
    model = load.load_backbone(ModelRef("m", families[name]), "meta")
    with torch.inference_mode():
        for where in (META, torch.device("cpu")):
            crosses(model.encode_image(torch.zeros(1, 3, 32, 32, device=where)))
            crosses(model.decode_latents(torch.zeros(1, 4, 4, 4, device=where)))
        rows = model.encode_prompts(["a (red:1.5) fox", ""])
        crosses(*rows.tensors.values())
        alone = [model.encode_prompts([prompt]) for prompt in ("a fox", "")]
        with META:
            x = torch.zeros(2, 4, 8, 8)
            one = blended(alone, torch.ones(2, 8, 8))
            for told in (rows, rows.guided(2.0), Conditioning.stack([one, one])):
                answer = model.predict(whole_rows(x, [999, 1], told))
                crosses(*told.tensors.values(), answer)
