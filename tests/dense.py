"""Paint as whole arrays, for tests that look at every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smd_cli.engine.weights import Weights
from smd_cli.scene.paint.boxes import Levels, Paint, full_window, laid

Array = npt.NDArray[np.float32]


def levels(paint: Paint) -> Levels:
    """The levels (H, W) of the whole canvas."""
    return paint.read(full_window(paint.size))


def dense(paint: Paint) -> Array:
    """The paint (H, W) of the whole canvas in 0..1."""
    shares: Array = levels(paint) / np.float32(255)
    return shares


def rounded(paint: npt.NDArray[Any]) -> Array:
    """Paint in 0..1 as 8 bits hold it."""
    return np.asarray(np.rint(paint * 255).astype(np.float32) / np.float32(255))


def boxed(paint: npt.NDArray[Any]) -> Paint:
    """The paint that an array (H, W) in 0..1 holds."""
    return laid(np.rint(paint * 255).astype(np.uint8), (0, 0), (paint.shape[1], paint.shape[0]))


def weighed(weights: Weights) -> torch.Tensor:
    """What every brush weighs on the whole canvas, (P, T, 1, h, w)."""
    return torch.from_numpy(weights.dense())[:, :, None]
