"""A thing that moves stays the same where its noise goes with it."""

from __future__ import annotations

import numpy as np
import pytest

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.scene.motion import scene_at
from smd_cli.scene.types import NoiseKind
from smd_cli.starter.classifier import JUDGE, load_judge
from smd_cli.starter.steadiness import STEP_PX, apart, film, steadiness


def test_the_motion_is_undone_before_pictures_are_compared() -> None:
    draw = np.random.default_rng(3)
    thing = draw.integers(0, 256, (6, 12, 3), dtype=np.uint8)
    pictures, inside = [], []
    for n in range(3):
        picture, mask = draw.integers(0, 256, (10, 40, 3), dtype=np.uint8), np.zeros((10, 40), bool)
        picture[2:8, 4 + 3 * n : 16 + 3 * n] = thing
        mask[2:8, 4 + 3 * n : 16 + 3 * n] = True
        pictures.append(picture)
        inside.append(mask)
    assert apart(pictures, inside, 3) == 0
    assert apart(pictures[:2], inside[:2], 10) > 30, "not so where the motion is another"
    pictures[2][2:8, 10:22] = np.where(thing < 128, thing + 6, thing - 6)
    assert apart(pictures, inside, 3) == pytest.approx(3), "6 levels in one of two frames"
    assert apart(pictures, inside, 4) == pytest.approx(3), "what is left within a cell is undone"


def test_the_fox_goes_by_whole_pixels() -> None:
    file = film(5, "flow")
    moves = [scene_at(file.scene, frame).brushes[1].mask[0].move for frame in range(5)]
    assert [move and move[0].value for move in moves] == [STEP_PX * n for n in range(5)]
    assert file.scene.sampler.noise == "flow"


@pytest.mark.slow
def test_a_fox_that_takes_its_noise_along_changes_less() -> None:
    backbone, judge = load_backbone(film(2, "fixed").scene.model, "cpu", "fp32"), load_judge(JUDGE)
    kinds: tuple[NoiseKind, ...] = ("flow", "fixed")
    films = [film(3, kind, 16) for kind in kinds]
    flow, fixed = (steadiness(backbone, judge, file, 16, [0]) for file in films)
    assert flow.seen == flow.frames == 3
    assert flow.apart < 0.5 * fixed.apart
