"""The step table: what each denoising slot means in the diffusion process.

Plain NumPy, so that `smd check` can tell in how many slots a brush acts without importing torch.
Sources: DDPM (arXiv 2006.11239), LCM (2310.04378), the index lists of StreamMultiDiffusion
(2403.09055). The tests compare every table with diffusers' own schedulers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from smd_cli.errors import UsageError
from smd_cli.models.checkpoints import trails
from smd_cli.models.facts import ModelDefaults
from smd_cli.models.flow import Size, Spacing
from smd_cli.models.schedulers import TRAIN_TIMESTEPS, refuse_betas, refuse_prediction, with_betas
from smd_cli.scene.types import Sampler

FloatArray = npt.NDArray[np.float64]
Prediction = Literal["epsilon", "v_prediction", "sample", "flow"]
Coefficients = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]

LCM_GRID = 50  # the grid that LCM was distilled on: 999, 979, …, 19
_PUBLISHED_INDICES = {4: (0, 12, 25, 37), 5: (0, 4, 12, 25, 37), 6: (0, 5, 16, 18, 20, 37)}
_QUARTER = 1.5709  # a little more than π/2, which is noise alone on a circle
_SIGMA_DATA, _TIMESTEP_SCALING = 0.5, 10.0


@dataclass(frozen=True)
class StepTable:
    """One row per slot i = 0..T-1, from noise to picture.

    `timesteps` τ_i are what the network sees: whole numbers in 0..999, or of a flow 1000·σ_i, or
    the angle of one on a circle. `alphas` α_i = sqrt(ᾱ[τ_i]) and `sigmas` σ_i = sqrt(1 - ᾱ[τ_i])
    scale signal and noise of x_t = α·x0 + σ·n. `c_skip` and `c_out` are the LCM boundary scalings:
    denoised = c_out·x0 + c_skip·x_t.
    """

    timesteps: tuple[float, ...]
    alphas: tuple[float, ...]
    sigmas: tuple[float, ...]
    c_skip: tuple[float, ...]
    c_out: tuple[float, ...]
    prediction: Prediction = "epsilon"

    @property
    def slots(self) -> int:
        """T, the number of denoising slots."""
        return len(self.timesteps)

    @property
    def blind(self) -> int:
        """In so many slots, the first ones, x is noise alone: nothing under it can be seen."""
        return sum(1 for _ in itertools.takewhile(lambda alpha: alpha <= 0, self.alphas))

    @property
    def next_alphas(self) -> tuple[float, ...]:
        """α_{i+1}, and 1 after the last slot."""
        return (*self.alphas[1:], 1.0)

    @property
    def next_sigmas(self) -> tuple[float, ...]:
        """σ_{i+1}, and 0 after the last slot."""
        return (*self.sigmas[1:], 0.0)

    @property
    def to_clean(self) -> tuple[FloatArray, FloatArray]:
        """p and q, (T,) each: the clean picture is x0 = p·x + q·output."""
        return _TO_CLEAN[self.prediction](np.array(self.alphas), np.array(self.sigmas))

    @property
    def to_noise(self) -> tuple[FloatArray, FloatArray]:
        """r and s, (T,) each: the noise estimate is e = r·x + s·output."""
        return _TO_NOISE[self.prediction](np.array(self.alphas), np.array(self.sigmas))

    @property
    def to_denoised(self) -> tuple[FloatArray, FloatArray]:
        """The same as `to_clean`, with the boundary scalings."""
        (p, q), skip, out = self.to_clean, np.array(self.c_skip), np.array(self.c_out)
        return out * p + skip, out * q


# Every prediction type is linear in what the network saw and said: x0 = p·x + q·output, and the
# noise e = r·x + s·output, since x = α·x0 + σ·e.
_TO_CLEAN: Mapping[Prediction, Coefficients] = {
    "epsilon": lambda alpha, sigma: (1 / alpha, -sigma / alpha),
    "v_prediction": lambda alpha, sigma: (alpha, -sigma),
    "sample": lambda alpha, sigma: (np.zeros_like(alpha), np.ones_like(sigma)),
    "flow": lambda alpha, sigma: (np.ones_like(alpha), -sigma),
}
_TO_NOISE: Mapping[Prediction, Coefficients] = {
    "epsilon": lambda alpha, sigma: (np.zeros_like(alpha), np.ones_like(sigma)),
    "v_prediction": lambda alpha, sigma: (sigma, alpha),
    "sample": lambda alpha, sigma: (1 / sigma, -alpha / sigma),
    "flow": lambda alpha, sigma: (np.ones_like(sigma), alpha),
}


def step_table(
    scheduler: Mapping[str, Any],
    *,
    steps: int | None = None,
    timesteps: Sequence[int] | None = None,
    consistency: bool = True,
) -> StepTable:
    """Build the table from a scheduler's config and either `steps` or explicit `timesteps`.

    Steps follow LCM's grid, or trail where the scheduler's do. `consistency` takes the LCM boundary
    scalings (σ_data 0.5, timestep scaling 10 or as configured); False is for models that predict x0
    without them. Raises UsageError for a prediction type that is none of `Prediction`, and for
    timesteps that do not fall from slot to slot or lie outside 0..999.
    """
    spaced = trailing_timesteps if trails(scheduler) else lcm_timesteps
    taus = spaced(steps) if steps is not None else tuple(timesteps or ())
    bounded = (TRAIN_TIMESTEPS, *taus, -1)
    if not taus or any(late >= early for early, late in itertools.pairwise(bounded)):
        raise UsageError(f"timesteps must fall from slot to slot within 0..999, not {list(taus)}")
    bars = alphas_cumprod(scheduler)[list(taus)]
    scaled = np.array(taus, dtype=np.float64) * scheduler.get("timestep_scaling", _TIMESTEP_SCALING)
    skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2) if consistency else np.zeros(len(taus))
    out = scaled / np.sqrt(scaled**2 + _SIGMA_DATA**2) if consistency else np.ones(len(taus))
    return StepTable(
        taus,
        tuple(np.sqrt(bars).tolist()),
        tuple(np.sqrt(1 - bars).tolist()),
        tuple(skip.tolist()),
        tuple(out.tolist()),
        _prediction(scheduler),
    )


def spaced_table(
    spacing: Spacing,
    scheduler: Mapping[str, Any],
    size: Size,
    *,
    steps: int | None = None,
    timesteps: Sequence[float] | None = None,
) -> StepTable:
    """The table of a family that spaces its slots by itself, on a canvas of (width, height) px.

    Explicit `timesteps` are 1000·σ. Raises UsageError where they do not fall within 0..1000, and
    for any on a circle, whose angles they are not.
    """
    if timesteps is not None and spacing.path == "circle":
        raise UsageError(
            "timesteps cannot be chosen with this model, whose levels are angles", "give steps"
        )
    levels = (
        np.array(spacing.levels(scheduler, steps, size), dtype=np.float64)
        if steps is not None
        else np.array(timesteps or (), dtype=np.float64) / TRAIN_TIMESTEPS
    )
    on_line = spacing.path == "line"
    most = 1.0 if on_line else _QUARTER
    if not len(levels) or levels[-1] <= 0 or levels[0] > most or (np.diff(levels) >= 0).any():
        raise UsageError(f"timesteps must fall from slot to slot, not {list(timesteps or ())}")
    alphas, sigmas = (1 - levels, levels) if on_line else (np.cos(levels), np.sin(levels))
    seen = levels * TRAIN_TIMESTEPS if on_line else levels
    return StepTable(
        tuple(seen.tolist()),
        tuple(np.maximum(alphas, 0).tolist()),
        tuple(sigmas.tolist()),
        (0.0,) * len(levels),
        (1.0,) * len(levels),
        "flow" if on_line else "v_prediction",
    )


def table_for(
    sampler: Sampler,
    make: Callable[[int | None, Sequence[int] | None], StepTable],
    *,
    spaced: bool = False,
) -> StepTable:
    """A sampler's slots; `make` gives the model's table for so many steps or these timesteps.

    The baseline takes DDIM's timesteps, and no boundary scalings, whatever the model is; one that
    spaces its slots by itself takes its own (Euler's steps).
    """
    if sampler.method == "stream" or spaced:
        return make(sampler.steps, sampler.timesteps)
    taus = sampler.timesteps or ddim_timesteps(sampler.steps or LCM_GRID)
    count = len(taus)
    return replace(make(None, taus), c_skip=(0.0,) * count, c_out=(1.0,) * count)


def planned_table(sampler: Sampler, model: ModelDefaults, size: Size) -> StepTable:
    """A sampler's slots with a model that says these things of itself, before it is loaded."""

    def make(steps: int | None, timesteps: Sequence[int] | None) -> StepTable:
        if model.spacing:
            return spaced_table(
                model.spacing, model.scheduler, size, steps=steps, timesteps=timesteps
            )
        return step_table(
            model.scheduler, steps=steps, timesteps=timesteps, consistency=model.consistency
        )

    return table_for(sampler, make, spaced=model.spacing is not None)


def bootstrap_slots(steps: int, table: StepTable) -> int:
    """S for so many `bootstrap.steps`, counted from the first slot in which white can be seen."""
    return min(table.blind + steps, table.slots) if steps else 0


def refuse_noise_alone(model: str, table: StepTable) -> None:
    """Raise UsageError where a network that predicts noise is asked about nothing but noise.

    x0 = (x_t - σ·ε) / α, and α is 0 where the signal ends in nothing (arXiv 2305.08891, section 3).
    `model`: what the user calls it.
    """
    alone = [tau for tau, alpha in zip(table.timesteps, table.alphas, strict=True) if alpha <= 0]
    if alone and table.prediction == "epsilon":
        raise UsageError(
            f"timestep {alone[-1]} is noise alone with the model {model}, whose network predicts "
            "noise: that tells nothing of the picture",
            f"sampler: {{timesteps: [...]}} with all of them below {alone[-1]}",
        )


def ddim_timesteps(steps: int) -> tuple[int, ...]:
    """DDIM's evenly spaced timesteps as Stable Diffusion takes them: 981, 961, …, 1 for 50."""
    stride = TRAIN_TIMESTEPS // steps
    return tuple(stride * i + 1 for i in reversed(range(steps)))


def _prediction(scheduler: Mapping[str, Any]) -> Prediction:
    refuse_prediction(scheduler)
    return cast(Prediction, scheduler.get("prediction_type", "epsilon"))


def lcm_timesteps(steps: int) -> tuple[int, ...]:
    """The timesteps of `steps` slots, 1..50: the published lists for 4 to 6, else even spacing.

    Even spacing is LCM's own: `steps` indices spread over its 50-step grid, rounded down.
    """
    if not 1 <= steps <= LCM_GRID:
        raise UsageError(f"steps must be 1..{LCM_GRID}, not {steps}")
    even = np.floor(np.linspace(0, LCM_GRID, num=steps, endpoint=False)).astype(int)
    indices = _PUBLISHED_INDICES.get(steps, tuple(even.tolist()))
    stride = TRAIN_TIMESTEPS // LCM_GRID
    return tuple(TRAIN_TIMESTEPS - 1 - stride * i for i in indices)


def trailing_timesteps(steps: int) -> tuple[int, ...]:
    """`steps` timesteps that end each of as many equal parts: 999, 749, 499, 249 for 4.

    What Turbo and Lightning models were distilled on (arXiv 2305.08891, table 2). steps: 1..50.
    """
    if not 1 <= steps <= LCM_GRID:
        raise UsageError(f"steps must be 1..{LCM_GRID}, not {steps}")
    ends = np.round(np.arange(TRAIN_TIMESTEPS, 0, -TRAIN_TIMESTEPS / steps)).astype(int) - 1
    return tuple(ends[:steps].tolist())


def alphas_cumprod(scheduler: Mapping[str, Any]) -> FloatArray:
    """ᾱ, shape (1000,), from a scheduler's config: its betas, or its `trained_betas`.

    Knows the schedules of the Stable Diffusion family: linear, scaled_linear, squaredcos_cap_v2,
    with or without rescaling to zero terminal SNR (arXiv 2305.08891). Raises UsageError else.
    """
    refuse_betas(scheduler)
    bars = np.cumprod(1.0 - _betas(with_betas(scheduler)))
    if scheduler.get("rescale_betas_zero_snr"):
        root = np.sqrt(bars)
        bars = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return cast(FloatArray, bars)


def _betas(scheduler: Mapping[str, Any]) -> FloatArray:
    trained = scheduler.get("trained_betas")
    if trained:
        return np.asarray(trained, dtype=np.float64)
    kind, start, end = (scheduler[f"beta_{key}"] for key in ("schedule", "start", "end"))
    if kind == "linear":
        return np.linspace(start, end, TRAIN_TIMESTEPS)
    if kind == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, TRAIN_TIMESTEPS) ** 2
    edges = np.cos((np.arange(TRAIN_TIMESTEPS + 1) / TRAIN_TIMESTEPS + 0.008) / 1.008 * np.pi / 2)
    return cast(FloatArray, np.minimum(1 - edges[1:] ** 2 / edges[:-1] ** 2, 0.999))
