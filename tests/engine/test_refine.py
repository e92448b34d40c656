"""Frames painted at half size first: against the naive loop in both sizes, and in both orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dense import weighed
from torch import Tensor

from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import picture, single, stream
from smd_cli.scene.types import Bootstrap, Brush, Scene

from . import naive
from .fake import FakeBackbone
from .scenes import Array, box, brush, plan, relative, scene

BOXES = (box(4, 0, 20, 18), box(12, 6, 32, 24))
TAUS = (999, 759, 400, 259, 120)  # noise 0.998 0.974 0.737 0.584 0.340: refined from the fourth on


def wanted(**changes: Any) -> Scene:
    boot = Bootstrap(2, 1.0)
    brushes = (brush(1, "a fox"), brush(2, "an owl", blur_px=2.0, strength=0.8))
    keys: dict[str, Any] = {
        "timesteps": TAUS,
        "bootstrap": boot,
        "refine": 2,
        "background": "a hill",
    }
    return scene(*brushes, **{**keys, **changes})


def halved(paint: Array) -> Array:
    """Every pixel the mean of four, as 8 bits hold it."""
    mean = paint.reshape(12, 2, 16, 2).mean((1, 3))
    return np.asarray(np.rint(mean * 255) / 255, dtype=np.float32)


def case_of(fake: FakeBackbone, made: Plan, frame: int, bootstrap: int) -> naive.Case:
    height, width = (cells * fake.factor for cells in made.sides)
    return naive.Case(
        taus=made.table.timesteps,
        weights=weighed(made.weights)[:, :, 0],
        prompts=made.conditioning,
        background=made.background,
        white=fake.encode_image(torch.ones(1, 3, height, width))[0],
        slot_noise=made.slot_noise,
        start=made.start_noise(frame),
        painted=True,
        bootstrap=bootstrap,
    )


def by_hand(fake: FakeBackbone, frame: int) -> Tensor:
    """The scene at half size, its picture scaled up, and what the last two slots make of it."""
    small = replace(wanted(refine=1), brushes=tuple(_small(b) for b in wanted().brushes))
    first = plan(fake, small, [halved(paint) for paint in BOXES], (16, 12))
    draft = naive.frame(case_of(fake, first, frame, 2), naive.network_of(fake))
    pixels = F.interpolate(draft[None], scale_factor=2.0) / 2  # as the fake decodes
    large = F.interpolate(pixels.clamp(-1, 1), size=(24, 32), mode="bicubic").clamp(-1, 1)
    encoded = fake.encode_image(large)[0]
    own = plan(fake, wanted(refine=1, bootstrap=Bootstrap(0)), BOXES)
    whole = case_of(fake, own, frame, 0)
    sigma = naive.sigmas(TAUS)[3]
    x = (1 - sigma**2) ** 0.5 * encoded + sigma * own.slot_noise[3]
    # Slots 3 and 4 alone: the last of their noises is the one that is added after slot 3.
    rest = replace(
        whole,
        taus=TAUS[3:],
        weights=whole.weights[:, 3:],
        slot_noise=whole.slot_noise[3:],
        start=x,
    )
    return naive.frame(rest, naive.network_of(fake))


def _small(one: Brush) -> Brush:
    return replace(one, blur_px=one.blur_px / 2)


def test_a_frame_is_the_naive_loops_in_both_sizes() -> None:
    fake = FakeBackbone()
    made = plan(fake, wanted(), BOXES)
    assert (made.first, made.passes) == (3, 7)
    for frame in single(lambda _: made, fake, 3):
        assert relative(frame.latents, by_hand(FakeBackbone(), frame.index)) < 1e-4
        assert picture(frame, fake).shape == (24, 32, 3)


def test_both_orders_and_one_frame_alone_give_the_same() -> None:
    fake = FakeBackbone()
    made = plan(fake, wanted(noise="walk", frames=9), BOXES)
    one_by_one = {f.index: f.latents for f in single(lambda _: made, fake, 9)}
    piped = list(stream(lambda _: made, fake, 9))
    assert [f.index for f in piped] == list(range(9))
    for frame in piped:
        assert relative(frame.latents, one_by_one[frame.index]) < 1e-5
    [alone] = single(lambda _: made, fake, 1, first=5)
    torch.testing.assert_close(alone.latents, one_by_one[5], rtol=0, atol=0)
    [last] = [f for f in stream(lambda _: made, fake, 7, first=2) if f.index == 8]
    torch.testing.assert_close(last.latents, piped[8].latents, rtol=0, atol=0)


def test_it_costs_the_rows_that_it_says() -> None:
    fake = FakeBackbone()
    made = plan(fake, wanted(), BOXES)
    list(single(lambda _: made, fake, 1))
    assert fake.rows == made.rows
    assert made.draft is not None
    assert made.rows > made.draft.rows > plan(fake, wanted(refine=1), BOXES).rows / 2


def test_a_canvas_of_odd_sides_has_its_own_size() -> None:
    fake, size = FakeBackbone(), (33, 21)
    made = plan(fake, scene(brush(1), refine=2), [box(3, 2, 33, 21, size)], size)
    assert made.draft is not None
    assert made.draft.size == (17, 11)
    [frame] = single(lambda _: made, fake, 1)
    assert picture(frame, fake).shape == (21, 33, 3)


def test_a_changed_plan_starts_its_frames_again() -> None:
    fake = FakeBackbone()
    old, new = plan(fake, wanted(), BOXES), plan(fake, wanted(seed=7), BOXES)
    fresh = [f.latents for f in single(lambda _: new, FakeBackbone(), 2)]
    for blend in (False, True):
        asked: list[int] = []

        def plan_for(frame: int, asked: list[int] = asked) -> Plan:
            asked.append(frame)
            return old if len(asked) < 10 else new

        frames = list(stream(plan_for, fake, 2, blend=blend))
        for frame, wished in zip(frames, fresh, strict=True):
            assert frame.plan is new
            assert not frame.mixed
            assert relative(frame.latents, wished) < 1e-5


@pytest.mark.parametrize("run", [single, stream])
def test_previews_are_of_the_whole_size(run: Any) -> None:
    fake = FakeBackbone()
    made = plan(fake, wanted(), BOXES)
    frames = list(run(lambda _: made, fake, 1, previews=True))
    assert [f.slots for f in frames] == [3, 4, 5]
    assert {tuple(f.latents.shape) for f in frames} == {(3, 12, 16)}
