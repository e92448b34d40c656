"""Does a thing that moves stay the same? A fox crosses a meadow, by every kind of noise.

    python -m smd_cli.starter.steadiness

For each kind: in how many frames the judge sees a fox, and by how many levels of 255 the fox
differs on the mean from that of the first frame, the motion undone. A thing is painted on whole
latent cells: what is left of the motion within one is undone, too.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import picture, single
from smd_cli.scene.paint.boxes import HALF, full_window
from smd_cli.scene.paint.moving import painted_at
from smd_cli.scene.paint.painted import Painted, paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import Source
from smd_cli.scene.types import NoiseKind, SceneFile
from smd_cli.starter.classifier import (
    CLASSES,
    JUDGE,
    NOTHING,
    Judge,
    crop,
    judge_input,
    load_judge,
    with_margin,
)
from smd_cli.starter.evaluate import bounding_box
from smd_cli.work.motion import FramePlans

KINDS: tuple[NoiseKind, ...] = ("flow", "fixed", "independent")
STEP_PX = 11  # a frame, so that most frames lie between latent cells
SLACK_PX = 4  # half a cell
_WORD = "a fox"
_FIRST_PX = (10, 100, 108, 128)  # left, top, width and height
Pixels = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Steadiness:
    """How steady things are: `seen` of `frames` frames show what they should; `apart`: the mean
    difference from the first frame, in levels of 0..255, of those after it.
    """

    seen: int
    frames: int
    apart: float

    def __str__(self) -> str:
        return f"{_WORD} in {self.seen} of {self.frames} frames, {self.apart:.1f} levels apart"


def film(frames: int, noise: NoiseKind, step_px: int = STEP_PX) -> SceneFile:
    """A fox that goes to the right by so many pixels a frame."""
    box = ", ".join(map(str, _FIRST_PX))
    last = f"{frames - 1}: [{step_px * (frames - 1)}, 0]"
    text = f"""\
model: starter
size: 256x256
frames: {frames}
background: blue sky
sampler: {{noise: {noise}}}
brushes:
  - {{prompt: grass, mask: {{rect: [0, 58%, 100%, 42%]}}}}
  - {{prompt: {_WORD}, mask: {{ellipse: [{box}], move: {{0: [0, 0], {last}}}}}}}
"""
    return load_scene(Source("steadiness", "steadiness", Path(), text))


def apart(pictures: Sequence[Pixels], inside: Sequence[Bits], step_px: int) -> float:
    """The mean difference of pictures (H, W, 3) from the first, each moved back to where that is.

    By SLACK_PX more or less, if it fits better then. `inside` (H, W): where the thing is in each;
    what is not in both is not compared.
    """
    found = []
    for n, (pixels, here) in enumerate(zip(pictures, inside, strict=True)):
        both = inside[0] & np.roll(here, -n * step_px, axis=1)
        backs = range(-n * step_px - SLACK_PX, -n * step_px + SLACK_PX + 1)
        moved = (np.roll(pixels, back, axis=1).astype(int) for back in backs)
        found.append(min(np.abs(there - pictures[0])[both].mean() for there in moved))
    return float(np.mean(found[1:]))


def steadiness(
    backbone: Backbone, judge: Judge, file: SceneFile, step_px: int, seeds: Sequence[int]
) -> Steadiness:
    """A film painted by some seeds; what moves is its second brush, by `step_px` a frame."""
    painted, seen, far = paint_scene(file), 0, []
    frames = file.scene.frames
    masks = [*_masks(painted.brushes[1], frames)]
    for seed in seeds:
        plans = FramePlans(Planner(backbone), replace(file.scene, seed=seed), painted)
        pictures = [picture(frame, backbone) for frame in single(plans, backbone, frames)]
        seen += _seen(judge, pictures, masks)
        far.append(apart(pictures, masks, step_px))
    return Steadiness(seen, frames * len(seeds), float(np.mean(far)))


def _masks(fox: Painted, frames: int) -> Iterator[Bits]:
    """Where the fox is in every frame, (H, W)."""
    for frame in range(frames):
        paint = painted_at(fox, frame).paint
        yield paint.read(full_window(paint.size)) >= HALF


@torch.inference_mode()
def _seen(judge: Judge, pictures: Sequence[Pixels], masks: Sequence[Bits]) -> int:
    """In how many pictures the judge sees it."""
    boxes = [with_margin(bounding_box(mask)) for mask in masks]
    floats = [pixels.astype(np.float32) / np.float32(255) for pixels in pictures]
    words, _ = judge(judge_input([crop(*pair) for pair in zip(floats, boxes, strict=True)]))
    return sum(CLASSES[int(n)] == _WORD.split()[1] for n in words[:, :NOTHING].argmax(1))


def main(arguments: list[str] | None = None) -> None:
    """Print a line for every kind of noise."""
    parser = argparse.ArgumentParser(prog="smd_cli.starter.steadiness", description=__doc__)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1, help="so many films of each kind")
    parser.add_argument("--step", type=int, default=STEP_PX, help="pixels a frame")
    options = parser.parse_args(arguments)
    backbone = load_backbone(film(2, "fixed").scene.model, "cpu", "fp32")
    judge, seeds = load_judge(JUDGE), range(options.seeds)
    for kind in KINDS:
        file = film(options.frames, kind, options.step)
        made = steadiness(backbone, judge, file, options.step, seeds)
        print(f"noise: {kind}: {made}", flush=True)


if __name__ == "__main__":
    main()
