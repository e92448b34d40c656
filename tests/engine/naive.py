"""The engine once more, slowly: one brush, one slot, one network row at a time.

Written from the published equations, not from smd_cli: nothing of smd_cli.engine is used here.
MultiDiffusion (arXiv 2302.08113), StreamMultiDiffusion (2403.09055), StreamDiffusion (2312.12491),
LCM (2310.04378). Letters: P brushes, T slots, C, h, w latents, H, W canvas, f = H/h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from asked import whole_rows
from torch import Tensor

from smd_cli.engine.contract import Backbone, Conditioning

Array = npt.NDArray[np.float64]
Network = Callable[[Tensor, float, Conditioning], Tensor]  # x (C, h, w), timestep, prompt row


# Schedule


@cache
def alpha_bars(first: float = 0.00085, last: float = 0.012) -> list[float]:
    """ᾱ of SD 1.5's scaled linear betas, one product at a time."""
    bars, product = [], 1.0
    for t in range(1000):
        root = math.sqrt(first) + (math.sqrt(last) - math.sqrt(first)) * t / 999
        product *= 1 - root**2
        bars.append(product)
    return bars


def sigmas(taus: Sequence[float]) -> list[float]:
    """σ_i of SD 1.5."""
    return [math.sqrt(1 - alpha_bars()[int(tau)]) for tau in taus]


# Masks


def covered(paint: Array, cover: float, published: bool) -> Array:
    """(P, H, W): every pixel of every brush times what the brushes above leave of it."""
    out: Array = paint.copy()
    for p, y, x in np.ndindex(paint.shape):
        above = max((paint[q, y, x] for q in range(p + 1, len(paint))), default=0.0)
        if published:
            above = 1.0 if above > 0 else 0.0
        out[p, y, x] = paint[p, y, x] * (1 - (1 - cover) * above)
    return out


def blurred(mask: Array, std_px: float, radius_px: int) -> Array:
    """(H, W) with a two-dimensional Gaussian kernel, edges replicated."""
    if std_px == 0:
        return mask
    height, width = mask.shape
    reach = range(-radius_px, radius_px + 1)
    total, weights = np.zeros(mask.shape), 0.0
    for down in reach:
        for right in reach:
            weight = math.exp(-(down**2 + right**2) / (2 * std_px**2))
            rows = np.clip(np.arange(height) + down, 0, height - 1)
            columns = np.clip(np.arange(width) + right, 0, width - 1)
            total += weight * mask[np.ix_(rows, columns)]
            weights += weight
    return total / weights


def quantised(
    mask: float, slot: int, sigma: Sequence[float], mask_type: str, published: bool
) -> float:
    """One pixel's weight in one slot; 1e-5 is what float32 may have lost."""
    later = sigma[slot + 1] if slot + 1 < len(sigma) else 0.0
    if mask_type == "discrete" or (mask_type == "semi-continuous" and slot + 1 < len(sigma)):
        acts = mask > sigma[slot] if published else mask > 0 and mask >= sigma[slot] - 1e-5
        return float(acts)
    return min(max((mask - later) / (sigma[slot] - later), 0.0), 1.0)


def weights(
    paint: Array,
    alphas: Sequence[float],
    blurs_px: Sequence[float],
    sigma: Sequence[float],
    *,
    factor: int,
    mask_type: str,
    cover: float,
    published: bool,
    background: bool,
) -> Array:
    """(P, T, h, w) from paint (P, H, W); with `background`, its weight comes first."""
    masks = covered(paint, cover, published)
    count, height, width = paint.shape
    shape = (count, len(sigma), height // factor, width // factor)
    out = np.zeros(shape)
    for p in range(count):
        widest = max(blurs_px) if published else blurs_px[p]
        soft = blurred(masks[p], blurs_px[p], math.ceil(3 * widest)) * alphas[p]
        for i, y, x in np.ndindex(shape[1:]):
            pixel = soft[y * factor, x * factor]
            out[p, i, y, x] = quantised(pixel, i, sigma, mask_type, published)
    if not background:
        return out
    below = np.zeros((1, *shape[1:]))
    for i, y, x in np.ndindex(shape[1:]):
        bare = all(paint[p, y * factor, x * factor] == 0 for p in range(count))
        left = 1 - sum(out[p, i, y, x] for p in range(count))
        below[0, i, y, x] = float(bare) if published else min(max(left, 0.0), 1.0)
    return np.concatenate([below, out])


# One frame


def network_of(backbone: Backbone) -> Network:
    """A backbone's network, one row at a time."""

    def network(x: Tensor, tau: float, prompt: Conditioning) -> Tensor:
        return backbone.predict(whole_rows(x[None], [tau], prompt, backbone.factor))[0]

    return network


@dataclass(frozen=True)
class Case:
    """All that a frame depends on. `negatives` and `brush_noise` where they are needed.

    `painted`: brush 0 is a prompted background. `starts`: a first slot a brush, 0 for all by
    default; until then it neither paints nor takes what leaks, and then it sees all there is.
    """

    taus: Sequence[float]
    weights: Tensor  # (P, T, h, w)
    prompts: Sequence[Conditioning]
    background: Tensor  # (C, h, w)
    slot_noise: Tensor  # (T, C, h, w)
    start: Tensor  # (C, h, w)
    white: Tensor = field(default_factory=lambda: torch.zeros(()))
    negatives: Sequence[Conditioning] = ()
    painted: bool = False
    bootstrap: int = 0
    mix: float = 1.0
    leak: float = 0.0
    guidance: str = "none"
    scale: float = 1.0
    delta: float = 1.0
    prediction: str = "epsilon"
    consistency: bool = True
    brush_noise: Tensor | None = None  # (P, T, C, h, w): average after the noise
    starts: Sequence[int] = ()

    def start_of(self, p: int) -> int:
        return self.starts[p] if self.starts else 0


def frame(case: Case, network: Network) -> Tensor:
    """The finished latents (C, h, w)."""
    x, origins = case.start, dict[int, Tensor]()
    for i in range(len(case.taus)):
        estimates, kept = {}, {}
        given_back = torch.zeros(case.background.shape[1:])
        for p in range(len(case.weights)):
            m = case.weights[p, i]
            takes_leak = case.painted and p == 0 and case.leak > 0 and i < case.bootstrap
            takes_leak = takes_leak and i >= case.start_of(p)
            if not m.any() and not takes_leak:
                continue
            estimates[p], surroundings = _estimate(case, network, i, p, x, origins)
            kept[p] = m
            boots = i < case.bootstrap and not case.start_of(p)
            if case.leak > 0 and boots and not takes_leak:
                distance = ((estimates[p] - surroundings) ** 2).mean(dim=0)
                kept[p] = m * (2 / (1 + torch.exp(-distance / case.leak)) - 1)
                given_back = given_back + m - kept[p]
        if case.painted and 0 in kept:
            kept[0] = kept[0] + given_back
        x = _next(case, i, estimates, kept)
    return x


def _estimate(
    case: Case, network: Network, i: int, p: int, x: Tensor, origins: dict[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """One brush's denoised picture, and the noised surroundings it was shown."""
    a, s = _alpha(case, i), _sigma(case, i)
    m, surroundings, down, right = case.weights[p, i], x, 0, 0
    if i < case.bootstrap and not case.start_of(p):
        r = min(max(case.mix - i, 0.0), 1.0)
        b = r * case.white + (1 - r) * case.background
        surroundings = a * b + s * case.slot_noise[0]
        x = m * x + (1 - m) * surroundings
        down, right = _to_centre(m.any(dim=1)), _to_centre(m.any(dim=0))

    def noise_seen(prompt: Conditioning) -> Tensor:
        seen = x.roll((down, right), (1, 2))
        output = network(seen, case.taus[i], prompt).roll((-down, -right), (1, 2))
        return {
            "epsilon": output,
            "v_prediction": a * output + s * x,
            "sample": (x - a * output) / s,
        }[case.prediction]

    e = noise_seen(case.prompts[p])
    if case.guidance == "full":
        e_u = noise_seen(case.negatives[p])
        e = e_u + case.scale * (e - e_u)
    if case.guidance == "initialize" and p not in origins:
        origins[p] = (x - s * noise_seen(case.negatives[p])) / a
    if case.guidance in ("self", "initialize"):
        origin = case.background if case.guidance == "self" else origins[p]
        e_v = (x - a * origin) / s
        e = case.delta * e_v + case.scale * (e - case.delta * e_v)
    x0 = (x - s * e) / a
    scaled = 10.0 * case.taus[i]
    c_skip = 0.25 / (scaled**2 + 0.25) if case.consistency else 0.0
    c_out = scaled / math.sqrt(scaled**2 + 0.25) if case.consistency else 1.0
    return c_out * x0 + c_skip * x, surroundings


def _next(case: Case, i: int, estimates: dict[int, Tensor], kept: dict[int, Tensor]) -> Tensor:
    """x of the next slot, or the picture after the last."""
    last = i + 1 == len(case.taus)
    a, s = (1.0, 0.0) if last else (_alpha(case, i + 1), _sigma(case, i + 1))
    n = case.slot_noise[0 if last else i + 1]
    total = torch.zeros(case.background.shape[1:])
    mean = torch.zeros_like(case.background)
    for p, x0 in estimates.items():
        own = n if case.brush_noise is None else case.brush_noise[p, 0 if last else i + 1]
        mean = mean + kept[p] * (x0 if case.brush_noise is None else a * x0 + s * own)
        total = total + kept[p]
    mean = torch.where(total > 0, mean / total.clamp(min=1e-30), torch.zeros_like(mean))
    u = (1 - total).clamp(0, 1)
    if case.brush_noise is None:
        return a * ((1 - u) * mean + u * case.background) + s * n
    return (1 - u) * mean + u * (a * case.background + s * n)


def _to_centre(line: Tensor) -> int:
    """How far to roll so that the stretch of True sits in the middle."""
    hits = [k for k, hit in enumerate(line.tolist()) if hit]
    return len(line) // 2 - (hits[0] + hits[-1] + 1) // 2 if hits else 0


def _alpha(case: Case, i: int) -> float:
    return math.sqrt(alpha_bars()[int(case.taus[i])])


def _sigma(case: Case, i: int) -> float:
    return sigmas([case.taus[i]])[0]
