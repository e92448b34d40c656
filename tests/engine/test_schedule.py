"""The step table against diffusers' schedulers and the numbers that were published."""

from __future__ import annotations

import contextlib
from typing import Any

import diffusers.schedulers
import numpy as np
import pytest
from diffusers import DDIMScheduler, DDPMScheduler, LCMScheduler

from smd_cli.engine.schedule import alphas_cumprod, lcm_timesteps, step_table, trailing_timesteps
from smd_cli.errors import UsageError
from smd_cli.models.schedulers import refuse_scheduler

from . import naive

SD15: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
}
PUBLISHED = {
    4: (999, 759, 499, 259),
    5: (999, 919, 759, 499, 259),
    6: (999, 899, 679, 639, 599, 259),
}


@pytest.mark.parametrize("steps", sorted(set(range(1, 51)) - set(PUBLISHED)))
def test_timesteps_are_those_of_lcm(steps: int) -> None:
    scheduler = LCMScheduler(**SD15)
    scheduler.set_timesteps(steps)
    assert lcm_timesteps(steps) == tuple(scheduler.timesteps.tolist())


@pytest.mark.parametrize("steps", range(1, 51))
def test_trailing_timesteps_are_those_of_diffusers(steps: int) -> None:
    theirs = DDIMScheduler(timestep_spacing="trailing")
    theirs.set_timesteps(steps)
    assert trailing_timesteps(steps) == tuple(theirs.timesteps.tolist())
    told = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
    assert step_table(told, steps=steps).timesteps == trailing_timesteps(steps)
    lcm = {**told, "_class_name": "LCMScheduler"}
    assert step_table(lcm, steps=steps).timesteps == lcm_timesteps(steps)


@pytest.mark.parametrize("steps", PUBLISHED)
def test_published_timesteps(steps: int) -> None:
    assert lcm_timesteps(steps) == PUBLISHED[steps]
    assert step_table(SD15, steps=steps).timesteps == PUBLISHED[steps]


def test_published_sigmas() -> None:
    table = step_table(SD15, steps=5)
    assert table.sigmas == pytest.approx((0.998, 0.994, 0.974, 0.850, 0.584), abs=5e-4)
    assert table.next_sigmas == (*table.sigmas[1:], 0)
    assert [a**2 + s**2 for a, s in zip(table.alphas, table.sigmas, strict=True)] == (
        pytest.approx([1] * 5)
    )


def test_sd15_one_product_at_a_time() -> None:
    assert alphas_cumprod(SD15) == pytest.approx(naive.alpha_bars(), rel=1e-12)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        SD15,
        {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"trained_betas": np.linspace(0.002, 0.01, 1000).tolist()},
    ],
    ids=["scaled_linear", "linear", "squaredcos_cap_v2", "trained_betas"],
)
def test_alphas_are_those_of_ddpm(config: dict[str, Any], zero_snr: bool) -> None:
    config = {**config, "rescale_betas_zero_snr": zero_snr}
    wanted = DDPMScheduler(**config).alphas_cumprod.double().numpy()
    assert alphas_cumprod(config) == pytest.approx(wanted, rel=1e-4, abs=1e-7)


# Schedulers that have a table of ᾱ and are not for painting pictures of Stable Diffusion.
OTHER_USES = {
    "CogVideoXDDIMScheduler",
    "CogVideoXDPMScheduler",
    "DDIMInverseScheduler",
    "DPMSolverMultistepInverseScheduler",
    "RePaintScheduler",
    "UnCLIPScheduler",
}


def schedulers() -> dict[str, Any]:
    """Every scheduler of diffusers that can be made without anything said."""
    made = {}
    for name in dir(diffusers.schedulers):
        if name.endswith("Scheduler") and not name.startswith("Flax"):
            with contextlib.suppress(Exception):  # some want other packages
                made[name] = getattr(diffusers.schedulers, name)()
    return made


def test_every_scheduler_is_read_right_or_refused() -> None:
    """What a config leaves out is what diffusers takes for it."""
    read = set()
    for name, scheduler in schedulers().items():
        told = {"_class_name": name}
        if name in OTHER_USES or not hasattr(scheduler, "alphas_cumprod"):
            with pytest.raises(UsageError, match=f"has the scheduler {name}, which is not supp"):
                refuse_scheduler("m", told)
            continue
        refuse_scheduler("m", told)
        read.add(name)
        wanted = scheduler.alphas_cumprod.double().numpy()
        assert alphas_cumprod(told) == pytest.approx(wanted, rel=1e-4, abs=1e-7), name
    assert {"DDIMScheduler", "EulerDiscreteScheduler", "PNDMScheduler", "LCMScheduler"} < read
    assert len(read) > 12


@pytest.mark.parametrize("scaling", [10.0, 4.0])
def test_timestep_scaling_is_the_schedulers(scaling: float) -> None:
    scheduler = LCMScheduler(**SD15, timestep_scaling=scaling)
    table = step_table({**SD15, "timestep_scaling": scaling}, timesteps=(3, 1))
    wanted = [float(scheduler.get_scalings_for_boundary_condition_discrete(t)[1]) for t in (3, 1)]
    assert table.c_out == pytest.approx(wanted, rel=1e-12)


def test_boundary_scalings_are_those_of_lcm() -> None:
    taus = (999, 500, 37, 1, 0)
    table = step_table(SD15, timesteps=taus)
    scheduler = LCMScheduler(**SD15)
    pairs = [scheduler.get_scalings_for_boundary_condition_discrete(tau) for tau in taus]
    assert table.c_skip == pytest.approx([float(skip) for skip, _ in pairs], rel=1e-12)
    assert table.c_out == pytest.approx([float(out) for _, out in pairs], rel=1e-12)
    assert (table.c_skip[-1], table.c_out[-1]) == (1, 0)


def test_models_that_are_no_consistency_models() -> None:
    table = step_table(SD15, steps=3, consistency=False)
    assert (table.c_skip, table.c_out) == ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_prediction_type(kind: str) -> None:
    assert step_table({**SD15, "prediction_type": kind}, steps=1).prediction == kind
    assert step_table(SD15, steps=1).prediction == "epsilon"


@pytest.mark.parametrize(
    ("config", "options", "sentence"),
    [
        (SD15, {"steps": 0}, "steps must be 1..50, not 0"),
        (SD15, {"steps": 51}, "steps must be 1..50, not 51"),
        (SD15, {"timesteps": (1000,)}, "timesteps must fall from slot to slot within 0..999"),
        (SD15, {"timesteps": (5, -1)}, "timesteps must fall"),
        (SD15, {"timesteps": (500, 500)}, "timesteps must fall"),
        (SD15, {"timesteps": (100, 200)}, "timesteps must fall"),
        (SD15, {"timesteps": ()}, "timesteps must fall"),
        ({"beta_schedule": "sigmoid"}, {"steps": 1}, "noise schedule 'sigmoid' is not supported"),
        (
            {**SD15, "prediction_type": "flow"},
            {"steps": 1},
            "prediction type 'flow' is not supported",
        ),
        ({"trained_betas": [0.1] * 10}, {"steps": 1}, "trained with 10 timesteps, not 1000"),
    ],
)
def test_refusals(config: dict[str, Any], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        step_table(config, **options)


# What a network's output says


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("consistency", [False, True])
def test_coefficients_agree_on_a_known_noise(kind: str, consistency: bool) -> None:
    """x = α·x0 + σ·e; v = α·e - σ·x0 (Salimans & Ho, arXiv 2202.00512)."""
    table = step_table({"prediction_type": kind}, steps=5, consistency=consistency)
    alpha, sigma = np.array(table.alphas), np.array(table.sigmas)
    x0, e = np.array([2.0, -1.0, 0.3, 0.0, 4.0]), np.array([0.5, 3.0, -1.0, 2.0, 0.1])
    x = alpha * x0 + sigma * e
    output = {"epsilon": e, "v_prediction": alpha * e - sigma * x0, "sample": x0}[kind]
    clean = np.array(table.c_out) * x0 + np.array(table.c_skip) * x
    for (p, q), wanted in (
        (table.to_denoised, clean),
        (table.to_clean, x0),
        (table.to_noise, e),
    ):
        assert np.allclose(p * x + q * output, wanted, atol=1e-12)
