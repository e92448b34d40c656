"""Levels of flow models against diffusers' schedulers, and what a flow does in the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from asked import whole_rows
from dense import weighed
from diffusers import FlowMatchEulerDiscreteScheduler

from smd_cli.engine.plan import Plan
from smd_cli.engine.schedule import StepTable, bootstrap_slots, spaced_table
from smd_cli.engine.stream import single, stream
from smd_cli.errors import UsageError
from smd_cli.models.flow import Spacing, even, length_shift, refuse_flow_scheduler, shifted

from .fake import FakeBackbone
from .scenes import box, brush, plan, scene

CONFIGS: list[dict[str, Any]] = [
    {},
    {"shift": 3.0},
    {"use_dynamic_shifting": True},
    {"use_dynamic_shifting": True, "base_shift": 0.3, "max_shift": 2.0, "max_image_seq_len": 1000},
    {"use_dynamic_shifting": True, "time_shift_type": "linear"},
    {"shift": 2.0, "shift_terminal": 0.1},
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_shifted_levels_are_those_of_diffusers(config: dict[str, Any], steps: int) -> None:
    if steps == 1 and "shift_terminal" in config:
        pytest.skip("one level cannot begin at 1 and end elsewhere")
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    mu = length_shift(config, 1024)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    ours = shifted(config, even(steps), mu)
    assert np.allclose(ours, scheduler.sigmas[:-1].numpy(), atol=1e-6)
    table = spaced_table(line(ours), config, (64, 64), steps=steps)
    assert np.allclose(table.timesteps, scheduler.timesteps.numpy(), atol=1e-3)


def line(levels: Any) -> Spacing:
    return Spacing("line", lambda _config, _steps, _size: levels)


def test_mu_grows_with_the_picture_as_in_the_paper() -> None:
    assert length_shift({}, 256) == pytest.approx(0.5)
    assert length_shift({}, 4096) == pytest.approx(1.15)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"_class_name": "DDIMScheduler"}, "DDIMScheduler"),
        ({"use_karras_sigmas": True}, "use_karras_sigmas"),
        ({"num_train_timesteps": 500}, "1000 timesteps"),
    ],
)
def test_other_levels_are_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        refuse_flow_scheduler("odd", config, line([1.0]).schedulers)


def test_explicit_timesteps_are_levels() -> None:
    table = spaced_table(line([]), {}, (64, 64), timesteps=[1000, 500, 250])
    assert table.sigmas == (1.0, 0.5, 0.25)
    assert table.alphas == (0.0, 0.5, 0.75)
    with pytest.raises(UsageError, match="angles"):
        spaced_table(Spacing("circle", lambda *_: [1.0]), {}, (64, 64), timesteps=[500])
    with pytest.raises(UsageError, match="must fall"):
        spaced_table(line([]), {}, (64, 64), timesteps=[500, 500])


def test_a_circle_mixes_by_cosine_and_sine() -> None:
    table = spaced_table(Spacing("circle", lambda *_: [np.pi / 2, 1.0]), {}, (64, 64), steps=2)
    assert np.allclose(table.alphas, [0, np.cos(1.0)], atol=1e-12)
    assert np.allclose(table.sigmas, [1, np.sin(1.0)])
    assert table.prediction == "v_prediction"


def test_x0_and_noise_of_a_velocity() -> None:
    """v = n - x0 at x = (1-σ)·x0 + σ·n tells both."""
    table = spaced_table(line([1.0, 0.6]), {}, (64, 64), steps=2)
    x0, noise = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1)).unbind()
    for slot, sigma in enumerate(table.sigmas):
        x, velocity = (1 - sigma) * x0 + sigma * noise, noise - x0
        p, q = (column[slot] for column in table.to_clean)
        r, s = (column[slot] for column in table.to_noise)
        assert torch.allclose(p * x + q * velocity, x0, atol=1e-6)
        assert torch.allclose(r * x + s * velocity, noise, atol=1e-6)


def test_bootstrapping_counts_from_the_first_slot_that_shows_anything() -> None:
    table = spaced_table(line([1.0, 0.8, 0.4]), {}, (64, 64), steps=3)
    assert table.blind == 1
    assert [bootstrap_slots(steps, table) for steps in (0, 1, 2, 9)] == [0, 2, 3, 3]


class Flowing(FakeBackbone):
    """The fake network as a flow model of three slots."""

    def step_table(
        self, steps: int | None, timesteps: Sequence[int] | None, size: tuple[int, int]
    ) -> StepTable:
        return spaced_table(line(LEVELS), {}, size, steps=steps, timesteps=timesteps)


LEVELS = (1.0, 0.7, 0.3)


def made(kind: str, *, preaverage: bool = True) -> tuple[Flowing, Plan]:
    """A background prompt alone, painted by three slots."""
    fake = Flowing(spaced=True)
    keys = {"steps": 3, "noise_between": kind, "preaverage": preaverage}
    return fake, plan(fake, scene(background="a meadow", **keys))


@pytest.mark.parametrize("run", [single, stream])
@pytest.mark.parametrize("preaverage", [True, False])
def test_kept_noise_is_eulers_step(run: Any, preaverage: bool) -> None:
    fake, ours = made("kept", preaverage=preaverage)
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=list(LEVELS))
    x = ours.start_noise(0)[None]
    for tau in scheduler.timesteps:
        velocity = fake.predict(whole_rows(x, [float(tau)], ours.conditioning[0]))
        x = scheduler.step(velocity, tau, x).prev_sample
    frame = next(run(lambda _: ours, fake, 1))
    assert torch.allclose(frame.latents, x[0], atol=1e-5)


def test_fresh_noise_is_the_stochastic_step_of_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, ours = made("fresh")
    scheduler = FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    scheduler.set_timesteps(sigmas=list(LEVELS))
    noises = iter([*ours.slot_noise[1:], ours.slot_noise[0]])
    drawn = "diffusers.schedulers.scheduling_flow_match_euler_discrete.randn_tensor"
    monkeypatch.setattr(drawn, lambda *_, **__: next(noises)[None])
    x = ours.start_noise(0)[None]
    for tau in scheduler.timesteps:
        velocity = fake.predict(whole_rows(x, [float(tau)], ours.conditioning[0]))
        x = scheduler.step(velocity, tau, x).prev_sample
    frame = next(single(lambda _: ours, fake, 1))
    assert torch.allclose(frame.latents, x[0], atol=1e-5)


@pytest.mark.parametrize("run", [single, stream])
def test_regions_of_a_flow_are_those_of_the_naive_loop(run: Any) -> None:
    """Where the noise is kept, brushes share x: their mean is one Euler step of it."""
    fake = Flowing(spaced=True)
    wanted = scene(
        brush(1, "a fox", blur_px=2.0), brush(2, "an owl"), steps=3, noise_between="kept"
    )
    ours = plan(fake, wanted, [box(2, 2, 20, 20), box(14, 6, 30, 22)])
    x = ours.start_noise(0)
    for slot, sigma in enumerate(LEVELS):
        later = (*LEVELS, 0.0)[slot + 1]
        told = [fake.predict(whole_rows(x[None], [1000 * sigma], one)) for one in ours.conditioning]
        x0 = torch.cat([x[None] - sigma * velocity for velocity in told])
        weights = weighed(ours.weights)[:, slot]
        total = weights.sum(0)
        mean = (weights * x0).sum(0) / torch.where(total > 0, total, torch.ones_like(total))
        room = (1 - total).clamp(0, 1)
        mean = (1 - room) * mean + room * ours.background
        noise = (x - (1 - sigma) * mean) / sigma
        x = (1 - later) * mean + later * noise
    frame = next(run(lambda _: ours, fake, 1))
    assert torch.allclose(frame.latents, x, atol=1e-5)


def test_the_first_slot_of_pure_noise_has_every_brush() -> None:
    """m ≥ σ holds at σ = 1, where a brush is all of 1."""
    fake = Flowing(spaced=True)
    wanted = scene(brush(1, "a fox"), steps=3, mask_type="discrete")
    ours = plan(fake, wanted, [box(0, 0, 32, 24)])
    assert ours.acting == ((0,), (0,), (0,))
