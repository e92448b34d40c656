"""Frames: against the naive loop, in both orders, counted, and with plans that change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from dense import weighed
from torch import Tensor

from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.schedule import StepTable
from smd_cli.engine.stream import DroppedError, Frame, picture, single, stream
from smd_cli.engine.windows import Strip, Window
from smd_cli.scene.types import Background, Bootstrap, Brush, Guidance, Scene

from .fake import FakeBackbone
from .scenes import Array, box, brush, by_hand, plan, relative, scene, world


class Run(Protocol):
    """`single` or `stream`."""

    def __call__(
        self,
        plan_for: Callable[[int], Plan],
        backbone: Backbone,
        frames: int | None = None,
        *,
        first: int = 0,
        blend: bool = False,
        previews: bool = False,
    ) -> Iterator[Frame]: ...


LEFT, RIGHT = box(2, 0, 18, 20), box(12, 6, 32, 22)
EMPTY, WHOLE = box(0, 0, 0, 0), box(0, 0, 32, 24)
SOFT = RIGHT * np.linspace(0.5, 1, 32, dtype=np.float32)
TWO = (LEFT, SOFT)
PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
LEAK = 300.0  # as large as squared differences are here
BLUE = Background(color=(30, 60, 220))
IN_A_PICTURE = Background("a wall", "a window", image=Path("wall.png"))
HILL = Background("a hill", "a town")


def two(**changes: Any) -> tuple[Brush, Brush]:
    """A hard and a blurred brush."""
    return (
        brush(1, "a fox", negative="a dog", **changes),
        brush(2, "an owl", negative="a hen", blur_px=2.0, strength=0.8),
    )


def made(backbone: Backbone, wanted: Scene, *paint: Array) -> Plan:
    image = PICTURE if wanted.background.image else None
    return plan(backbone, wanted, paint, picture=image)


def latents(run: Run, ours: Plan, backbone: Backbone, count: int) -> Tensor:
    return torch.stack([frame.latents for frame in run(lambda _: ours, backbone, count)])


@pytest.fixture
def fake() -> FakeBackbone:
    return FakeBackbone()


@pytest.fixture(params=[single, stream], ids=["single", "stream"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


# Against the naive loop


def agrees(run: Run, backbone: FakeBackbone, wanted: Scene, *paint: Array) -> None:
    """Two frames of a scene are those of the naive loop."""
    ours = made(backbone, wanted, *paint)
    frames = latents(run, ours, backbone, 2)
    by_loop = torch.stack([by_hand(backbone, wanted, ours, frame) for frame in range(2)])
    assert torch.isfinite(frames).all()
    assert relative(frames, by_loop) <= 1e-4


SCENES = {
    "over a prompt": scene(*two(), background=HILL),
    "over white": scene(*two()),
    "over blue": scene(*two(), background=BLUE),
    "over a picture": scene(*two(), background=IN_A_PICTURE, bootstrap=Bootstrap(2, 1.5)),
    "discrete": scene(*two(alpha=0.9), background=HILL, mask_type="discrete"),
    "semi-continuous": scene(*two(alpha=0.9), background=BLUE, mask_type="semi-continuous"),
    "bootstrap": scene(*two(), background=HILL, bootstrap=Bootstrap(1)),
    "bootstrap on blue": scene(*two(), background=BLUE, bootstrap=Bootstrap(3, 1.4)),
    "bootstrap on blue alone": scene(*two(), background=BLUE, bootstrap=Bootstrap(2, 0)),
    "blue under a prompt": scene(
        *two(), background=replace(BLUE, prompt="a hill"), bootstrap=Bootstrap(2, 0.6)
    ),
    "more bootstrap than slots": scene(*two(), background=BLUE, bootstrap=Bootstrap(9, 7.5)),
    "leak to a prompt": scene(*two(), background=HILL, bootstrap=Bootstrap(2, 1, LEAK)),
    "leak to blue": scene(*two(), background=BLUE, bootstrap=Bootstrap(2, 1, LEAK)),
    "leak without bootstrap": scene(*two(), background=BLUE, bootstrap=Bootstrap(0, 1, LEAK)),
    "late timesteps": scene(*two(), background=HILL, timesteps=(700, 3, 1, 0)),
    "one slot": scene(*two(), background=HILL, steps=1, bootstrap=Bootstrap(1, 0.5)),
    "two slots": scene(*two(), background=BLUE, steps=2, bootstrap=Bootstrap(1)),
    "average after noise": scene(
        *two(), background=HILL, preaverage=False, bootstrap=Bootstrap(1, 1, LEAK)
    ),
    "average after noise on blue": scene(*two(alpha=0.97), background=BLUE, preaverage=False),
    "guidance with bootstrap": scene(
        *two(), background=HILL, guidance=Guidance("full", 1.5), bootstrap=Bootstrap(2)
    ),
    "no brush over a prompt": scene(background=HILL, bootstrap=Bootstrap(1)),
    "no brush over blue": scene(background=BLUE, bootstrap=Bootstrap(1)),
}


@pytest.mark.parametrize("wanted", SCENES.values(), ids=SCENES)
def test_scenes(wanted: Scene, run: Run) -> None:
    """With a network that convolves: what stands beside a cell counts."""
    fake = FakeBackbone(reach=1)
    agrees(run, fake, wanted, *TWO[: len(wanted.brushes)])


@pytest.mark.parametrize(
    ("prediction", "below"),
    [("epsilon", HILL), ("epsilon", BLUE), ("v_prediction", HILL), ("sample", BLUE)],
    ids=["epsilon", "epsilon on a colour", "v_prediction", "sample on a colour"],
)
@pytest.mark.parametrize(
    "guidance",
    [
        Guidance("full", 1.7),
        Guidance("self", 1.4, 0.6),
        Guidance("initialize", 1.4, 0.6),
        Guidance("none"),
    ],
    ids=lambda guidance: guidance.type,
)
def test_guidance(
    guidance: Guidance, below: Background, prediction: Any, run: Run, fake: FakeBackbone
) -> None:
    """The first brush acts in the later slots only: its residual starts there."""
    wanted = scene(
        *two(alpha=0.9), background=below, guidance=guidance, bootstrap=Bootstrap(1, 0.5)
    )
    fake.prediction = prediction
    agrees(run, fake, wanted, *TWO)
    ours = made(fake, wanted, *TWO)
    first = len(ours.weights) - 2
    assert first not in ours.acting[0]
    assert first in ours.acting[4]


@pytest.mark.parametrize("leak", [0.0, LEAK])
@pytest.mark.parametrize("below", [HILL, BLUE], ids=["prompt", "colour"])
@pytest.mark.parametrize("paint", [EMPTY, WHOLE], ids=["empty", "whole"])
def test_no_paint_and_all_paint(
    paint: Array, below: Background, leak: float, run: Run, fake: FakeBackbone
) -> None:
    """An empty brush costs nothing and changes nothing; a full one leaks to what is under it."""
    wanted = scene(brush(1), brush(2), background=below, bootstrap=Bootstrap(2, 1, leak))
    agrees(run, fake, wanted, paint, LEFT)


def test_an_empty_brush_changes_nothing(run: Run, fake: FakeBackbone) -> None:
    alone = made(fake, scene(brush(1), background=HILL), LEFT)
    beside = made(fake, scene(brush(1), brush(2), background=HILL), LEFT, EMPTY)
    assert torch.equal(latents(run, alone, fake, 2), latents(run, beside, fake, 2))


def test_leak_by_hand(fake: FakeBackbone) -> None:
    """One slot, one brush over blue: the weight is what differs from the noised white."""
    wanted = scene(brush(1), background=BLUE, steps=1, bootstrap=Bootstrap(1, 1, LEAK))
    ours = made(fake, wanted, WHOLE)
    strict = replace(ours, leak=0.0)
    x0 = latents(single, strict, fake, 1)[0]
    alpha, sigma = ours.table.alphas[0], ours.table.sigmas[0]
    plain = alpha * fake.encode_image(torch.ones(1, 3, 24, 32))[0] + sigma * ours.slot_noise[0]
    kept = torch.tanh(((x0 - plain) ** 2).mean(dim=0) / LEAK / 2)  # 2·sigmoid(d) - 1 = tanh(d/2)
    got = latents(single, ours, fake, 1)[0]
    assert 0.1 < kept.mean() < 0.9
    assert torch.allclose(got, kept * x0 + (1 - kept) * ours.background, atol=1e-5)


def test_centring_turns_back(fake: FakeBackbone) -> None:
    """A network that knows no place gives the same with centring and without."""
    ours = made(fake, scene(*two(), background=HILL, bootstrap=Bootstrap(2)), *TWO)
    whole = (Window(Strip(0, 12), Strip(0, 16)),)
    unmoved = replace(ours, windows=tuple((whole,) * len(slot) for slot in ours.windows))
    assert any(own.corner != (0, 0) for slot in ours.windows for (own,) in slot)

    placeless = FakeBackbone(placed=False)
    moved, not_moved = (latents(single, kind, placeless, 1) for kind in (ours, unmoved))
    assert relative(moved, not_moved) <= 1e-5
    moved, not_moved = (latents(single, kind, fake, 1) for kind in (ours, unmoved))
    assert relative(moved, not_moved) > 0.1


# Zero terminal SNR


@pytest.mark.parametrize("kind", ["none", "full", "self", "initialize"])
def test_a_slot_of_pure_noise_is_the_end_of_ever_noisier_ones(kind: Any, run: Run) -> None:
    """α = 0: nothing is divided by it, and the frames are those of a tiny α but for as much."""
    fake = FakeBackbone("v_prediction")
    wanted = scene(*two(), background=HILL, steps=3, guidance=Guidance(kind, 1.4))
    ours = made(fake, wanted, *TWO)

    def at(alpha: float) -> Tensor:
        known = ours.table
        table = replace(known, alphas=(alpha, *known.alphas[1:]), sigmas=(1.0, *known.sigmas[1:]))
        return latents(run, replace(ours, table=table), fake, 2)

    assert torch.isfinite(at(0.0)).all()
    assert relative(at(0.0), at(1e-3)) <= 2e-2


# One frame, any order


@pytest.mark.parametrize("guidance", ["none", "full", "self", "initialize"])
def test_stream_and_single_agree(guidance: Any, tiny: Backbone) -> None:
    size = (64, 48)
    wanted = scene(
        *two(), background=HILL, steps=3, guidance=Guidance(guidance, 1.2), bootstrap=Bootstrap(1)
    )
    paint = [box(0, 0, 40, 48, size), box(24, 8, 64, 40, size)]
    ours = plan(tiny, wanted, paint, size)
    frames = [list(order(lambda _: ours, tiny, 2)) for order in (single, stream)]
    for one, other in zip(*frames, strict=True):
        assert relative(one.latents, other.latents) <= 1e-4
        levels = [picture(frame, tiny).astype(int) for frame in (one, other)]
        assert np.abs(levels[0] - levels[1]).max() <= 1


def test_the_same_run_twice_is_equal_to_the_bit(run: Run, tiny: Backbone) -> None:
    def once() -> Tensor:
        ours = made(tiny, scene(*two(), background=HILL, steps=2, seed=8), *TWO)
        return latents(run, ours, tiny, 2)

    before = world()
    assert torch.equal(once(), once())
    assert world() == before


@pytest.mark.parametrize("noise", ["independent", "fixed"])
def test_a_frame_is_the_same_whatever_the_count(noise: Any, run: Run, fake: FakeBackbone) -> None:
    few, many = (
        made(fake, scene(*two(), background=HILL, noise=noise, frames=count), *TWO)
        for count in (2, 5)
    )
    assert torch.equal(latents(run, few, fake, 2), latents(run, many, fake, 5)[:2])


def test_a_walk_is_the_same_at_the_same_share(run: Run, fake: FakeBackbone) -> None:
    few, many = (
        made(fake, scene(*two(), background=HILL, noise="walk", frames=count), *TWO)
        for count in (2, 4)
    )
    assert relative(latents(run, few, fake, 2), latents(run, many, fake, 4)[::2]) <= 1e-4


def test_fixed_noise_repeats_the_frame(run: Run, fake: FakeBackbone) -> None:
    first, second = latents(run, made(fake, scene(*two(), noise="fixed"), *TWO), fake, 2)
    assert torch.equal(first, second)


def test_torchs_defaults_do_not_matter(run: Run, fake: FakeBackbone) -> None:
    def once() -> Tensor:
        options = {"guidance": Guidance("initialize", 1.2), "preaverage": False}
        wanted = scene(*two(seed=3), background=BLUE, bootstrap=Bootstrap(2, 1.5, LEAK), **options)
        return latents(run, made(fake, wanted, *TWO), fake, 2)

    usual, threads = once(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    try:
        assert torch.equal(once(), usual)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)


# What it costs


@pytest.mark.parametrize(("steps", "count"), [(1, 3), (2, 1), (5, 7)])
@pytest.mark.parametrize(
    ("guidance", "rows_a_view", "rows_a_brush"),
    [("none", 1, 0), ("full", 2, 0), ("self", 1, 0), ("initialize", 1, 1)],
)
def test_calls_and_rows(
    guidance: Any,
    rows_a_view: int,
    rows_a_brush: int,
    steps: int,
    count: int,
    run: Run,
    fake: FakeBackbone,
) -> None:
    """Every slot of a frame once, and only brushes that have weight there."""
    wanted = scene(*two(alpha=0.9), background=HILL, steps=steps, guidance=Guidance(guidance, 1.2))
    ours = made(fake, wanted, *TWO)
    assert len(list(run(lambda _: ours, fake, count))) == count
    assert len(fake.calls) == (count * steps if run is single else count + steps - 1)
    dense = weighed(ours.weights)
    acting = [sum(bool(m.any()) for m in dense[:, slot]) for slot in range(steps)]
    seen = sum(any(bool(m.any()) for m in brush_slots) for brush_slots in dense)
    assert fake.rows == count * (rows_a_view * sum(acting) + rows_a_brush * seen)
    assert sum(acting) <= steps * len(ours.weights)
    taus = [tau for call in fake.calls for tau in call]
    if guidance != "initialize":
        per_slot = [taus.count(tau) for tau in ours.table.timesteps]
        assert per_slot == [count * rows_a_view * rows for rows in acting]


def test_alpha_saves_rows(run: Run, fake: FakeBackbone) -> None:
    """σ = .998, .994, .974, .850, .584: a discrete brush at 0.98 is seen three times, not five."""
    wanted = scene(brush(1, alpha=0.98), background=BLUE, mask_type="discrete")
    ours = made(fake, wanted, LEFT)
    list(run(lambda _: ours, fake, 2))
    assert fake.rows == 2 * 3
    assert {tau for call in fake.calls for tau in call} == {759, 499, 259}


@pytest.mark.parametrize("paint", [[EMPTY], []], ids=["empty", "none"])
def test_nothing_to_paint_needs_no_network(
    paint: list[Array], run: Run, fake: FakeBackbone
) -> None:
    ours = made(fake, scene(*[brush(1) for _ in paint], background=BLUE), *paint)
    for frame in run(lambda _: ours, fake, 2):
        assert torch.allclose(frame.latents, ours.background)
    assert fake.calls == []


# Frames that never end, plans that change


def test_endless(run: Run, fake: FakeBackbone) -> None:
    ours = made(fake, scene(*two(), background=HILL), *TWO)
    frames = list(islice(run(lambda _: ours, fake, None), 9))
    assert [frame.index for frame in frames] == list(range(9))
    wanted = latents(single, ours, fake, 9)
    assert relative(torch.stack([frame.latents for frame in frames]), wanted) <= 1e-4


class Changing:
    """The latest plan: another one after so many network calls."""

    def __init__(self, fake: FakeBackbone, first: Plan, second: Plan, after: int) -> None:
        self.fake, self.first, self.second, self.after = fake, first, second, after

    def __call__(self, frame: int) -> Plan:  # noqa: ARG002
        return self.first if len(self.fake.calls) < self.after else self.second


FIRST, COUNT = scene(*two(), background=HILL), 8


@pytest.mark.parametrize("after", [1, 6])
@pytest.mark.parametrize(
    "second",
    [
        scene(*two(), background=Background("a lake")),
        scene(brush(1, "a cat"), background=BLUE),
        scene(*two(), background=HILL, guidance=Guidance("initialize", 1.2)),
        scene(*two(), background=HILL, guidance=Guidance("full", 1.2), seed=4),
    ],
    ids=["prompt", "one brush", "residual", "guidance and seed"],
)
def test_a_fitting_plan_goes_on(second: Scene, after: int, run: Run, fake: FakeBackbone) -> None:
    old = made(fake, replace(FIRST, sampler=second.sampler), *TWO)
    new = made(fake, second, *TWO[: len(second.brushes)])
    frames = list(run(Changing(fake, old, new, after), fake, COUNT, blend=True))
    assert [frame.index for frame in frames] == list(range(COUNT))
    assert len(fake.calls) == (COUNT * 5 if run is single else COUNT + 5 - 1)
    follows_plans(frames, old, new, fake)


@pytest.mark.parametrize("after", [1, 6])
@pytest.mark.parametrize(
    ("second", "size"),
    [
        (scene(*two(), background=HILL, steps=3), (32, 24)),
        (scene(*two(), background=HILL, steps=7), (32, 24)),
        (scene(*two(), background=HILL, timesteps=(990, 800, 600, 400, 200)), (32, 24)),
        (scene(*two(), background=HILL), (24, 40)),
    ],
    ids=["fewer slots", "more slots", "other timesteps", "size"],
)
def test_another_shape_starts_frames_again(
    second: Scene, size: tuple[int, int], after: int, run: Run, fake: FakeBackbone
) -> None:
    old = made(fake, FIRST, *TWO)
    paint = [box(2, 2, 12, 20, size), box(8, 8, 24, 24, size)]
    new = plan(fake, second, paint, size)
    frames = list(run(Changing(fake, old, new, after), fake, COUNT, blend=True))
    assert [frame.index for frame in frames] == list(range(COUNT))
    follows_plans(frames, old, new, fake, whole=True)


def test_a_new_plan_finds_its_own_residuals(fake: FakeBackbone) -> None:
    """Every brush's negative prompt is asked once in its first slot under each plan.

    The soft brush comes second in the old plan: 2 + 2 rows, 3 + 1 rows, and then all anew.
    """
    old, new = (
        made(fake, scene(*two(), background=below, guidance=Guidance("initialize", 1.2)), *TWO)
        for below in (HILL, Background("a lake", "a ship"))
    )
    list(single(Changing(fake, old, new, after=2), fake, 1, blend=True))
    assert [len(call) for call in fake.calls] == [2 + 2, 3 + 1, 3 + 3, 3, 3]


def follows_plans(
    frames: list[Frame], old: Plan, new: Plan, fake: FakeBackbone, *, whole: bool = False
) -> None:
    """Frames finished under the old plan are its own, and so is the last one of the new plan.

    `whole`: no frame is begun under one plan and finished under the other.
    """
    under = [frame.plan for frame in frames]
    first_new = under.index(new)
    assert under == [old] * first_new + [new] * (COUNT - first_new)
    for frame in frames:
        if whole or frame.plan is old or frame is frames[-1]:
            [pure] = single(lambda _, own=frame.plan: own, fake, 1, first=frame.index)  # type: ignore[misc]
            assert relative(frame.latents, pure.latents) <= 1e-4


@pytest.mark.parametrize("after", [1, 5, 6, 9])
@pytest.mark.parametrize(
    ("second", "size"),
    [
        (scene(*two(), background=Background("a lake")), (32, 24)),
        (scene(*two(), background=HILL, steps=3), (32, 24)),
        (scene(*two(), background=HILL), (24, 40)),
    ],
    ids=["prompt", "fewer slots", "size"],
)
def test_a_new_plan_starts_frames_again(
    second: Scene, size: tuple[int, int], after: int, run: Run, fake: FakeBackbone
) -> None:
    """No frame is mixed, none is missing, and the first under the new plan comes after T calls."""
    old = made(fake, FIRST, *TWO)
    new = plan(fake, second, [box(2, 2, 12, 20, size), box(8, 8, 24, 24, size)], size)
    calls = []
    frames = []
    for frame in run(Changing(fake, old, new, after), fake, COUNT):
        frames.append(frame)
        calls.append(len(fake.calls))
    assert [frame.index for frame in frames] == list(range(COUNT))
    assert not any(frame.mixed or frame.preview for frame in frames)
    first = [frame.plan for frame in frames].index(new)
    assert calls[first] == after + new.table.slots
    alone = fake.calls[after : calls[first]]
    assert [len(call) for call in alone] == [len(acting) for acting in new.acting]
    follows_plans(frames, old, new, fake, whole=True)


@pytest.mark.parametrize("run", [single, stream])
def test_a_step_that_is_dropped_is_taken_anew(run: Run, fake: FakeBackbone) -> None:
    """By the plan that there is then: no frame shows what the call before had come to."""
    other = made(fake, scene(*two(), background=BLUE), *TWO)
    plans = [made(fake, FIRST, *TWO)]

    class Dropping(FakeBackbone):
        def predict(self, rows: Any) -> Tensor:
            if len(self.calls) == 4 and len(plans) == 1:
                plans.append(other)
                raise DroppedError
            return super().predict(rows)

    frames = [*run(lambda _: plans[-1], Dropping(), 6)]
    wanted = [*run(lambda _: other, fake, 6)]
    assert [frame.index for frame in frames] == [*range(6)]
    changed = [n for n, frame in enumerate(frames) if frame.plan is other]
    assert changed
    for n in changed:
        assert torch.allclose(frames[n].latents, wanted[n].latents, atol=1e-5)


def test_blended_frames_are_told(fake: FakeBackbone) -> None:
    old, new = made(fake, FIRST, *TWO), made(fake, scene(*two(), background=BLUE), *TWO)
    frames = list(stream(Changing(fake, old, new, after=6), fake, COUNT, blend=True))
    assert [frame.plan is new for frame in frames] == [False] * 2 + [True] * 6
    assert [frame.mixed for frame in frames] == [False] * 2 + [True] * 4 + [False] * 2


def test_a_run_may_begin_at_any_frame(run: Run, fake: FakeBackbone) -> None:
    ours = made(fake, FIRST, *TWO)
    frames = list(run(lambda _: ours, fake, 2, first=5))
    assert [frame.index for frame in frames] == [5, 6]
    wanted = latents(single, ours, fake, 7)[5:]
    assert relative(torch.stack([frame.latents for frame in frames]), wanted) <= 1e-4


@pytest.mark.parametrize(
    "wanted",
    [FIRST, scene(*two(), background=BLUE, preaverage=False), scene(background=BLUE)],
    ids=["shared noise", "own noise", "nothing to do"],
)
def test_previews_are_the_estimates_between(wanted: Scene, fake: FakeBackbone) -> None:
    """By hand: a slot's estimate is what the same plan without its later slots ends with."""
    ours = made(fake, wanted, *TWO[: len(wanted.brushes)])
    seen = list(single(lambda _: ours, fake, 2, previews=True))
    assert [frame.index for frame in seen] == [0] * 5 + [1] * 5
    assert [frame.preview for frame in seen] == ([True] * 4 + [False]) * 2
    for slots, frame in enumerate(seen[:5], start=1):
        assert relative(frame.latents, until(ours, slots, fake)) <= 1e-5


def test_a_full_pipe_has_no_previews(fake: FakeBackbone) -> None:
    ours = made(fake, FIRST, *TWO)
    seen = list(stream(lambda _: ours, fake, 6, previews=True))
    assert [frame.preview for frame in seen] == [True] * 4 + [False] * 6


def cut(table: StepTable, slots: int) -> StepTable:
    """The first slots of a table."""
    return replace(
        table,
        timesteps=table.timesteps[:slots],
        alphas=table.alphas[:slots],
        sigmas=table.sigmas[:slots],
        c_skip=table.c_skip[:slots],
        c_out=table.c_out[:slots],
    )


def until(ours: Plan, slots: int, backbone: Backbone) -> Tensor:
    """What a plan ends with after so many slots."""
    shorter = replace(ours, table=cut(ours.table, slots))
    return latents(single, shorter, backbone, 1)[0]


# Pixels


def test_picture_by_hand(fake: FakeBackbone) -> None:
    """-1..1 to 0..255, rounded and clipped, cropped to the scene's size."""
    size = (6, 5)
    ours = plan(fake, scene(), (), size)
    decoded = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 7.0])
    shown = torch.zeros(3, 4, 4)
    shown[0, 0, :3] = 2 * decoded[:3]
    shown[1, 2, :3] = 2 * decoded[3:]
    pixels = picture(Frame(0, shown, ours, ours.table.slots), fake)
    assert pixels.shape == (5, 6, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, ::2, 0].tolist() == [0, 0, 128]
    assert pixels[4, ::2, 1].tolist() == [191, 255, 255]
    assert pixels[1, 1::2, 0].tolist() == [0, 0, 128]
    assert (pixels[2:4] == 128).all()


@pytest.mark.parametrize("size", [(64, 48), (60, 43), (33, 31)])
def test_pictures_have_the_scenes_size(size: tuple[int, int], tiny: Backbone) -> None:
    ours = plan(tiny, scene(brush(1), steps=1), [box(0, 0, 20, 20, size)], size)
    (frame,) = single(lambda _: ours, tiny, 1)
    assert picture(frame, tiny).shape == (size[1], size[0], 3)
