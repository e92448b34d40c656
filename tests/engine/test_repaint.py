"""Brushes and a background that start from what lies under them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from smd_cli.engine.contract import Rows
from smd_cli.engine.plan import Plan
from smd_cli.engine.repaint import first_slot, phases
from smd_cli.engine.schedule import step_table
from smd_cli.engine.stream import single, stream
from smd_cli.scene.types import Background, Bootstrap, Guidance, Scene

from . import naive
from .fake import FakeBackbone
from .scenes import SMALL, box, brush, by_hand, plan, relative, scene

LEFT, MIDDLE, RIGHT = box(0, 0, 18, 24), box(8, 4, 24, 20), box(12, 4, 32, 20)
PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
WALL = Background("a wall", image=Path("wall.png"), repaint=0.97)
STEPS = naive.sigmas([999, 919, 759, 499, 259])  # of five slots: 0.998 0.994 0.974 0.850 0.584


@dataclass
class Watched(FakeBackbone):
    """It remembers what every row saw, by its timestep."""

    seen: dict[float, list[Tensor]] = field(default_factory=dict)

    def predict(self, rows: Rows) -> Tensor:
        for x, tau in zip(rows.x, rows.timesteps.tolist(), strict=True):
            self.seen.setdefault(tau, []).append(x)
        return super().predict(rows)


def painted(backbone: FakeBackbone, made: Plan) -> Tensor:
    [frame] = single(lambda _: made, backbone, 1)
    return frame.latents


@pytest.mark.parametrize(
    ("repaint", "slot"),
    [(1, 0), (0.999, 0), (0.995, 1), (0.98, 2), (0.9, 3), (STEPS[3] + 1e-9, 3), (0.6, 4), (0.5, 5)],
)
def test_a_brush_starts_where_the_noise_is_within_its_repaint(repaint: float, slot: int) -> None:
    assert first_slot(repaint, step_table({}, steps=5)) == slot
    assert first_slot(0, step_table({}, steps=5)) == 5
    silent = step_table({"rescale_betas_zero_snr": True}, steps=5)  # its first slot is noise alone
    assert first_slot(1, silent) == 0


def test_phases_by_hand() -> None:
    assert [*phases([], 5)] == [range(5)]
    assert [*phases([0, 0], 5)] == [range(5)]
    assert [*phases([3, 0, 1, 3], 5)] == [range(1), range(1, 3), range(3, 5)]
    assert [*phases([5, 2], 5)] == [range(2), range(2, 5), range(5, 5)]


@pytest.mark.parametrize("preset", ["auto", "paper"])
@pytest.mark.parametrize("below", [None, "a hill", WALL])
@pytest.mark.parametrize("mask_type", ["continuous", "discrete", "semi-continuous"])
def test_until_it_starts_a_brush_is_not_there(mask_type: Any, below: Any, preset: Any) -> None:
    """In every slot the weights are those of the scene without the brushes that start later."""
    repaints, paints = (1.0, 0.98, 1.0, 0.9), (LEFT, RIGHT, MIDDLE, box(0, 10, 32, 14))
    keys: dict[str, Any] = {"mask_type": mask_type, "preset": preset, "cover": 0.3}
    brushes = [brush(n, repaint=r, blur_px=1.0) for n, r in enumerate(repaints, 1)]
    picture = PICTURE if below is WALL else None
    made = plan(FakeBackbone(), scene(*brushes, background=below, **keys), paints, picture=picture)
    starts, own = [0, 2, 0, 3], made.weights.dense()
    ground = int(below is not None)
    assert len(own) == ground + 4
    for slot in range(5):
        there = [n for n, start in enumerate(starts) if start <= slot]
        wanted = naive.weights(
            np.stack([paints[n] for n in there]).astype(np.float64),
            [1.0] * len(there),
            [1.0] * len(there),
            STEPS,
            factor=2,
            mask_type=mask_type,
            cover=0.3,
            published=preset == "paper",
            background=ground == 1,
        )[:, slot]
        if ground and below is WALL and slot < 3:
            wanted[0] = 0
        here = [*range(ground), *(n + ground for n in there)]
        assert np.abs(own[here, slot] - wanted).max() < 2e-3
        assert not own[[n + ground for n in range(4) if n not in there], slot].any()


SCENES: list[tuple[Scene, list[Any], list[int]]] = [
    (scene(brush(1, repaint=0.9), background="a hill", bootstrap=Bootstrap(2)), [LEFT], [0, 3]),
    (scene(brush(1, repaint=0.98), background="a hill", bootstrap=Bootstrap(4)), [LEFT], [0, 2]),
    (scene(brush(1), background=WALL, bootstrap=Bootstrap(5, 5.0, 0.3)), [LEFT], [3, 0]),
    (
        scene(brush(1), brush(2, repaint=0.99), background=WALL, bootstrap=Bootstrap(4, 1.0, 0.3)),
        [LEFT, RIGHT],
        [3, 0, 2],
    ),
    (
        scene(
            brush(1, repaint=0.98),
            background=WALL,
            guidance=Guidance("initialize", 1.4),
            preaverage=False,
        ),
        [MIDDLE],
        [3, 2],
    ),
]


@pytest.mark.parametrize(("wanted", "paint", "starts"), SCENES)
def test_frames_are_those_of_the_naive_loop(
    wanted: Scene, paint: list[Any], starts: list[int]
) -> None:
    fake = FakeBackbone()
    made = plan(fake, wanted, paint, picture=PICTURE if wanted.background.image else None)
    ours = [f.latents for f in stream(lambda _: made, fake, 3)]
    for number, latents in enumerate(ours):
        assert relative(latents, by_hand(fake, wanted, made, number, starts)) < 1e-4
    assert relative(painted(fake, made), ours[0]) < 1e-5


@pytest.mark.parametrize("boot", [0, 1, 5])
@pytest.mark.parametrize(("repaint", "slot"), [(0.98, 2), (0.9, 3), (0.6, 4)])
def test_a_brush_in_a_picture_starts_from_the_noised_picture(
    repaint: float, slot: int, boot: int
) -> None:
    """All of it is seen, around the brush too, in a slot that others bootstrap as well."""
    fake = Watched()
    below = Background(image=Path("wall.png"))
    wanted = scene(brush(1, repaint=repaint), background=below, bootstrap=Bootstrap(boot))
    made = plan(fake, wanted, [MIDDLE], picture=PICTURE)
    painted(fake, made)
    assert [*fake.seen] == list(made.table.timesteps[slot:])
    [first] = fake.seen[made.table.timesteps[slot]]
    sigma = STEPS[slot]
    noised = np.sqrt(1 - sigma**2) * made.background + sigma * made.slot_noise[slot]
    assert torch.allclose(first, noised, atol=1e-5)
    assert made.rows == 5 - slot


def test_repaint_of_a_picture_is_image_to_image() -> None:
    """A background without brushes starts from the noised picture; the prompt alone goes on."""
    fake = Watched()
    wanted = scene(background=WALL)
    made = plan(fake, wanted, picture=PICTURE)
    latents = painted(fake, made)
    assert [*fake.seen] == [499, 259]
    assert made.rows == 2
    x = np.sqrt(1 - STEPS[3] ** 2) * made.background + STEPS[3] * made.slot_noise[3]
    assert torch.allclose(fake.seen[499][0], x, atol=1e-5)
    other = plan(fake, replace(wanted, background=Background("a wall")), picture=None)
    assert not torch.allclose(latents, painted(fake, other), atol=0.1)


def test_repaint_1_of_a_picture_is_the_prompt_alone() -> None:
    """But for what the picture leaves to bootstrapped brushes, here none."""
    fake = FakeBackbone()
    anew = scene(brush(1), background=replace(WALL, repaint=1.0))
    bare = scene(brush(1), background=Background("a wall"))
    ours = painted(fake, plan(fake, anew, [LEFT], picture=PICTURE))
    assert torch.equal(ours, painted(fake, plan(fake, bare, [LEFT])))


def test_repaint_0_costs_nothing_and_keeps_what_is_there() -> None:
    fake = FakeBackbone()
    kept = scene(brush(1), brush(2, repaint=0.0), background="a hill")
    bare = scene(brush(1), background="a hill")
    made, other = plan(fake, kept, [LEFT, MIDDLE]), plan(fake, bare, [LEFT])
    assert made.rows == other.rows == 10
    assert torch.equal(painted(fake, made), painted(fake, other))


def test_repaint_1_is_the_usual_plan() -> None:
    fake = FakeBackbone()
    wanted = scene(brush(1), brush(2), background="a hill", bootstrap=Bootstrap(2))
    made = plan(fake, wanted, [LEFT, RIGHT])
    assert made.repainters == frozenset()
    assert [[w.corner for w in own] for own in made.windows[0]] != [[(0, 0)]] * 3  # centred
    late = replace(wanted, brushes=(brush(1), brush(2, repaint=0.995)))
    windows = plan(fake, late, [LEFT, RIGHT]).windows
    assert [w.corner for w in windows[1][2]] == [(0, 0)]  # in a bootstrapped slot, and not centred
    assert windows[0][2] == ()
    assert SMALL == (32, 24)
