"""Which schedulers' configs tell how noisy a timestep is in the way that smd reads.

What matters is the table of noise levels that a model was trained on: betas over 1000 timesteps.
Which of them a scheduler visits, and by which solver, is the sampler's own affair.
Imports no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from smd_cli.errors import UsageError

TRAIN_TIMESTEPS = 1000
PREDICTIONS = ("epsilon", "v_prediction", "sample")
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")

SD_BETAS: Mapping[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
}
_DDPM_BETAS = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
_K_BETAS = {"beta_schedule": "linear", "beta_start": 0.00085, "beta_end": 0.012}

# The schedulers of diffusers that are made of betas, with what they take where a config is silent.
# Left out: EDM, flow matching and other noise of their own kind (EDMEuler, FlowMatchEuler, SCM,
# ScoreSde, KarrasVe, IPNDM, UnCLIP), those of video (CogVideoX), and those that do not paint
# (inverse ones, RePaint).
_BETAS_OF: Mapping[str, Mapping[str, Any]] = {
    "DDIMScheduler": _DDPM_BETAS,
    "DDIMParallelScheduler": _DDPM_BETAS,
    "DDPMScheduler": _DDPM_BETAS,
    "DDPMParallelScheduler": _DDPM_BETAS,
    "DEISMultistepScheduler": _DDPM_BETAS,
    "DPMSolverMultistepScheduler": _DDPM_BETAS,
    "DPMSolverSDEScheduler": _K_BETAS,
    "DPMSolverSinglestepScheduler": _DDPM_BETAS,
    "EulerAncestralDiscreteScheduler": _DDPM_BETAS,
    "EulerDiscreteScheduler": _DDPM_BETAS,
    "HeunDiscreteScheduler": _K_BETAS,
    "KDPM2AncestralDiscreteScheduler": _K_BETAS,
    "KDPM2DiscreteScheduler": _K_BETAS,
    "LCMScheduler": SD_BETAS,
    "LMSDiscreteScheduler": _DDPM_BETAS,
    "PNDMScheduler": _DDPM_BETAS,
    "SASolverScheduler": _DDPM_BETAS,
    "TCDScheduler": SD_BETAS,
    "UniPCMultistepScheduler": _DDPM_BETAS,
}
_OURS = "noise levels are read from the betas of DDIM, DDPM, Euler, DPM-Solver, UniPC, LCM and TCD"


def with_betas(config: Mapping[str, Any]) -> dict[str, Any]:
    """A scheduler's config with the betas that its class takes where it says nothing.

    Those of Stable Diffusion where no class is named.
    """
    return {**_BETAS_OF.get(config.get("_class_name", ""), SD_BETAS), **config}


def refuse_scheduler(name: str, config: Mapping[str, Any]) -> None:
    """Raise UsageError where a scheduler's config tells of noise that smd does not know.

    `name`: what the user calls the model.
    """
    kind = config.get("_class_name")
    if kind is not None and kind not in _BETAS_OF:
        raise UsageError(
            f"the model {name} has the scheduler {kind}, which is not supported: its noise levels "
            "are of another kind",
            _OURS,
        )
    if config.get("use_flow_sigmas"):
        raise UsageError(f"the model {name} is a flow model, which is not supported", _OURS)
    if config.get("timestep_type", "discrete") != "discrete":
        odd = f"timesteps of the kind {config['timestep_type']!r}"
        raise UsageError(f"the model {name} has {odd}, which are not supported", _OURS)
    refuse_prediction(config)
    refuse_betas(config)


def refuse_prediction(config: Mapping[str, Any]) -> None:
    """Raise UsageError for a network that predicts what is none of `PREDICTIONS`."""
    kind = config.get("prediction_type", "epsilon")
    if kind not in PREDICTIONS:
        raise UsageError(f"the prediction type {kind!r} is not supported")


def refuse_betas(config: Mapping[str, Any]) -> None:
    """Raise UsageError for another number of timesteps, or an unknown schedule of noise."""
    trained = config.get("trained_betas")
    count = len(trained) if trained else config.get("num_train_timesteps", TRAIN_TIMESTEPS)
    if count != TRAIN_TIMESTEPS:
        raise UsageError(f"the model was trained with {count!r} timesteps, not {TRAIN_TIMESTEPS}")
    betas = trained or [config[key] for key in ("beta_start", "beta_end") if key in config]
    numbers = [*betas, config.get("timestep_scaling", 1)]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise UsageError("the model's scheduler has settings that are no numbers")
    if not all(0 <= beta <= 1 for beta in betas):
        odd = next(beta for beta in betas if not 0 <= beta <= 1)
        raise UsageError(f"the model's scheduler has a beta of {odd:g}: they lie within 0..1")
    kind = config.get("beta_schedule", "scaled_linear")
    if not trained and kind not in BETA_SCHEDULES:
        raise UsageError(f"the noise schedule {kind!r} is not supported")
