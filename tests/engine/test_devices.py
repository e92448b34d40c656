"""What meets a model lies on its device: shown on "meta", where only shapes are worked out.

Nothing there mixes with tensors of the CPU, as on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from smd_cli.engine.contract import Conditioning, Rows
from smd_cli.engine.stream import single, stream
from smd_cli.scene.types import NOT_WRAPPED, Background, Guidance, Wrapped

from .fake import FakeBackbone
from .scenes import box, brush, plan, scene

META = torch.device("meta")


def crosses(*tensors: Tensor | None) -> None:
    """What the contract says of every tensor between engine and model."""
    for tensor in tensors:
        assert tensor is None or (tensor.device, tensor.dtype) == (META, torch.float32)


@dataclass
class Elsewhere(FakeBackbone):
    """A model on another device, which looks at everything that it is given."""

    device: torch.device = field(default_factory=lambda: META)

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        rows = super().encode_prompts(prompts, length)
        return Conditioning({name: tensor.to(META) for name, tensor in rows.tensors.items()})

    def predict(self, rows: Rows) -> Tensor:
        crosses(rows.x, *rows.conditioning.tensors.values())
        assert rows.timesteps.device == rows.places.device == META
        return torch.empty_like(rows.x)

    def encode_image(self, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        crosses(image)
        return super().encode_image(image, wraps)


@pytest.mark.parametrize("run", [single, stream])
@pytest.mark.parametrize("embeds", [False, True])
@pytest.mark.parametrize("kind", ["none", "full", "self", "initialize"])
def test_the_engine_gives_a_model_tensors_of_its_device(
    kind: Any, embeds: bool, run: Callable[..., Any]
) -> None:
    model = Elsewhere(embeds_guidance=embeds)
    photo = np.zeros((24, 32, 3), np.uint8)
    below = Background("a hill", image=Path("photo.png"))
    wanted = scene(brush(1, seed=3), background=below, guidance=Guidance(kind, 2.0), frames=2)
    ours = plan(model, wanted, [box(4, 4, 20, 20)], picture=photo)
    crosses(ours.background, ours.slot_noise, ours.start_noise(1))
    vars(ours)["acting"] = ((0,),) * ours.table.slots  # it reads numbers, which "meta" has not
    assert len(list(run(lambda _: ours, model, 2))) == 2
    assert model.pictures == 2  # the photo, and white
