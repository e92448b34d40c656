"""Every flight has a plan of its own: frames that differ, and rows that cannot share a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from smd_cli.engine.contract import Conditioning
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import single, stream
from smd_cli.scene.types import Background, Bootstrap, Guidance

from .fake import FakeBackbone
from .scenes import box, brush, by_hand, plan, relative, scene

COUNT = 7


def moving(fake: FakeBackbone, **changes: Any) -> list[Plan]:
    """A plan a frame: a brush that travels to the right, and guidance that comes and goes."""
    guided = [Guidance("full", 1.5), Guidance("initialize", 1.2), Guidance()]
    return [
        plan(
            fake,
            scene(
                brush(1, "a fox", negative="a dog", blur_px=1.0),
                background=Background("a hill"),
                bootstrap=Bootstrap(1),
                guidance=guided[frame % 3],
                **changes,
            ),
            [box(2 * frame, 4, 2 * frame + 12, 20)],
        )
        for frame in range(COUNT)
    ]


def alone(fake: FakeBackbone, own: Plan, frame: int) -> Tensor:
    """A frame by itself, under one plan."""
    return next(single(lambda _: own, fake, 1, first=frame)).latents


@pytest.mark.parametrize("run", [single, stream])
def test_a_plan_a_frame(run: Any) -> None:
    """Frame k is that of its own plan, whatever flies beside it; rows still share their calls."""
    fake = FakeBackbone()
    plans = moving(fake)
    wanted = [alone(fake, own, k) for k, own in enumerate(plans)]
    fake.calls.clear()
    frames = list(run(lambda k: plans[k], fake, COUNT))
    assert len(fake.calls) == (COUNT * 5 if run is single else COUNT + 5 - 1)
    for frame, latents in zip(frames, wanted, strict=True):
        assert frame.plan is plans[frame.index]
        assert relative(frame.latents, latents) <= 1e-4


def test_only_frames_whose_plan_has_changed_start_again() -> None:
    """An edit of what comes later leaves the frames before it in flight."""
    fake = FakeBackbone()
    old, new = moving(fake), moving(fake, seed=9)
    fake.calls.clear()
    edited = [*old[:2], *new[2:]]

    def plan_for(frame: int) -> Plan:
        return (old if len(fake.calls) < 4 else edited)[frame]

    frames = list(stream(plan_for, fake, COUNT))
    assert [frame.plan for frame in frames] == edited
    assert not any(frame.mixed for frame in frames)
    calls = len(fake.calls)
    for frame in frames:
        assert relative(frame.latents, alone(fake, frame.plan, frame.index)) <= 1e-4
    assert calls < 4 + COUNT + 5 + 4  # the first two were not painted twice


@dataclass
class Ragged(FakeBackbone):
    """A model whose rows are as long as their prompts and cannot be filled up."""

    def encode_prompts(self, prompts: Sequence[str], length: int = 0) -> Conditioning:
        told = super().encode_prompts(prompts, length)
        count = max(map(len, prompts))
        filler = told["tokens"].new_zeros(len(prompts), count, 2)
        return Conditioning({**told.tensors, "tokens": torch.cat([told["tokens"], filler], 1)})


@pytest.mark.parametrize("guidance", ["none", "full", "initialize"])
def test_rows_of_other_lengths_take_calls_of_their_own(guidance: Any) -> None:
    fake = Ragged()
    wanted = scene(
        brush(1, "fox", negative="dog or hen"),
        brush(2, "owl", negative="cat"),
        brush(3, "a long-eared owl"),
        bootstrap=Bootstrap(2),
        guidance=Guidance(guidance, 1.3),
        steps=3,
    )
    paint = [box(2, 0, 18, 20), box(12, 6, 32, 22), box(0, 10, 9, 24)]
    ours = plan(fake, wanted, paint)
    assert len({row.key for row in ours.conditioning}) == 2
    fake.calls.clear()
    frames = [frame.latents for frame in single(lambda _: ours, fake, 2)]
    most = {"none": 2, "full": 4, "initialize": 4}[guidance]
    assert 2 * 3 * 2 <= len(fake.calls) <= 2 * 3 * most
    by_loop = [by_hand(fake, wanted, ours, frame) for frame in range(2)]
    assert relative(torch.stack(frames), torch.stack(by_loop)) <= 1e-4
