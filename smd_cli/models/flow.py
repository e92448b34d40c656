"""Where flow-matching models put their slots: noise levels from their scheduler's config.

Flow matching mixes on a straight line, x = (1-σ)·x0 + σ·n (arXiv 2209.03003), and a scheduler may
shift its levels towards noise, the more the larger the canvas is (arXiv 2403.03206, section 5.3.2).
What of it a family takes is in its record. The tests compare all levels with diffusers' own
schedulers. Imports no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from smd_cli.errors import UsageError

EULER = "FlowMatchEulerDiscreteScheduler"
FLOW_SCHEDULERS = (EULER, "FlowMatchLCMScheduler")

Size = tuple[int, int]
Levels = Callable[[Mapping[str, Any], int, Size], Sequence[float]]
Path = Literal["line", "circle"]


@dataclass(frozen=True)
class Spacing:
    """How a family's slots are spaced, where that does not come from betas.

    `levels` gives so many falling levels for a scheduler's config and a canvas' (width, height) in
    px. On a `line` a level is σ in 0..1, the clean share is 1-σ, and the network tells the velocity
    n - x0; on a `circle` it is an angle s in 0..π/2, with the shares cos s and sin s (TrigFlow,
    arXiv 2410.11081). `schedulers`: the classes whose configs it reads.
    """

    path: Path
    levels: Levels
    schedulers: tuple[str, ...] = FLOW_SCHEDULERS


def refuse_flow_scheduler(name: str, config: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise UsageError where a scheduler's config tells of levels that smd does not read.

    `name`: what the user calls the model.
    """
    kind = config.get("_class_name")
    if kind is not None and kind not in known:
        raise UsageError(
            f"the model {name} has the scheduler {kind}, which is not supported for models of its "
            "kind",
            f"known: {', '.join(known)}",
        )
    odd = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas")
    for key in odd:
        if config.get(key):
            raise UsageError(f"the model {name} asks for {key}, which is not supported")
    if config.get("num_train_timesteps", 1000) != 1000:
        raise UsageError(f"the model {name} was not trained with 1000 timesteps")


def even(steps: int, last: float | None = None) -> tuple[float, ...]:
    """`steps` levels from 1 down to `last`, 1/steps where that is not said, evenly spaced."""
    end = 1 / steps if last is None else last
    stride = (1 - end) / (steps - 1) if steps > 1 else 0.0
    return tuple(1 - stride * n for n in range(steps))


def length_shift(scheduler: Mapping[str, Any], tokens: int) -> float:
    """µ for a picture of so many tokens: a straight line through two that a config names."""
    low, high = (scheduler.get(f"{end}_image_seq_len", n) for end, n in _LENGTHS)
    least, most = (scheduler.get(f"{end}_shift", mu) for end, mu in _SHIFTS)
    return float(least + (most - least) * (tokens - low) / (high - low))


_LENGTHS = (("base", 256), ("max", 4096))
_SHIFTS = (("base", 0.5), ("max", 1.15))


def length_levels(scheduler: Mapping[str, Any], steps: int, size: Size) -> tuple[float, ...]:
    """Evenly from 1 to 1/steps, shifted by the config, or by the picture's patches of 16 px."""
    return shifted(scheduler, even(steps), length_shift(scheduler, patches(size)))


def patches(size: Size, side_px: int = 16) -> int:
    """How many patches with a side of so many px a canvas (width, height) takes."""
    return math.prod(math.ceil(side / side_px) for side in size)


def shifted(scheduler: Mapping[str, Any], levels: Sequence[float], mu: float) -> tuple[float, ...]:
    """Levels moved as a config says: by its own `shift`, or by µ where it shifts by the canvas."""
    if not scheduler.get("use_dynamic_shifting", False):
        moved = _moved(float(scheduler.get("shift", 1.0)), levels)
    elif scheduler.get("time_shift_type", "exponential") == "exponential":
        moved = _moved(math.exp(mu), levels)
    else:
        moved = _moved(mu, levels)
    end = scheduler.get("shift_terminal")
    if not end:
        return moved
    scale = (1 - end) / (1 - moved[-1])
    return tuple(1 - (1 - level) * scale for level in moved)


def _moved(shift: float, levels: Sequence[float]) -> tuple[float, ...]:
    return tuple(shift * level / (1 + (shift - 1) * level) for level in levels)
