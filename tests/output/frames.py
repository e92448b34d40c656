"""Frames to write, and one call that writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from smd_cli.output.stills import Pixels
from smd_cli.output.targets import plan_targets
from smd_cli.output.writers import open_outputs
from smd_cli.scene.types import Output


def picture(k: int = 0, width: int = 65, height: int = 33) -> Pixels:
    """Smooth and different for every k: two ramps and a bar that moves."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    ramps = [x * 255 / width, y * 255 / height, (x + y + 9 * k) % 64 * 3]
    pixels = np.stack(ramps, axis=-1).astype(np.uint8)
    pixels[:, (5 * k) % width] = 255
    return pixels


def write(
    *outs: str,
    frames: Sequence[Pixels],
    text: Mapping[str, str] | None = None,
    output: Output | None = None,
    clobber: bool = True,
) -> tuple[str, ...]:
    """Write frames to one name or several and give the resulting paths."""
    height, width = frames[0].shape[:2]
    targets = plan_targets(outs, scene_name="meadow", seed=7, frames=len(frames))
    with open_outputs(
        targets, size=(width, height), output=output or Output(), clobber=clobber
    ) as outputs:
        for k, pixels in enumerate(frames):
            outputs.add(k, pixels, text or {})
    return outputs.paths
