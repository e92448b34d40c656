"""The evaluation's scenes and its bookkeeping."""

import io
import json

import numpy as np

from smd_cli.scene.model import Sampler
from smd_cli.scene.paint import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.starter.classifier import crop, with_margin
from smd_cli.starter.evaluate import (
    Verdict,
    Wish,
    bounding_box,
    contact_sheet,
    free_patches,
    random_wish,
    summary,
)
from smd_cli.starter.vocabulary import MATERIALS, OBJECTS


def test_scenes_are_fixed_by_their_number_and_keep_to_the_rules() -> None:
    shares = []
    for number in range(40):
        wish = random_wish(number, {})
        assert wish == random_wish(number, {})
        assert set(wish.objects) <= set(OBJECTS)
        assert 1 <= len(set(wish.objects)) == len(wish.objects) <= 3
        assert wish.material in MATERIALS
        file = load_scene("-", stdin=io.BytesIO(wish.text.encode()))
        painted = paint_scene(file)
        assert painted.size == (256, 256)
        shares += [float(p.paint.mean()) for p in painted.brushes]
    assert min(shares) > 0.055
    assert max(shares) < 0.305
    assert max(shares) - min(shares) > 0.15


def test_changes_reach_the_scene() -> None:
    wish = random_wish(3, {"sampler": {"timesteps": [999, 500]}, "defaults": {"blur": 5}})
    scene = load_scene("-", stdin=io.BytesIO(wish.text.encode())).scene
    assert scene.sampler.timesteps == (999, 500)
    assert all(brush.blur_px == 5 for brush in scene.brushes)
    assert json.loads(random_wish(3, {}).text)["brushes"] == json.loads(wish.text)["brushes"]


def test_patches_lie_outside_the_masks() -> None:
    taken = np.zeros((256, 256), dtype=np.bool_)
    taken[40:150, 30:200] = True
    patches = free_patches(taken)
    assert 1 <= len(patches) <= 12
    assert not any(taken[t:b, x:r].any() for t, x, b, r in patches)


def test_a_crowded_canvas_still_gets_a_patch() -> None:
    taken = np.ones((256, 256), dtype=np.bool_)
    taken[100:110, 100:110] = False
    (patch,) = free_patches(taken)
    assert patch[0] <= 100 < 110 <= patch[2]


def test_boxes_and_crops() -> None:
    paint = np.zeros((256, 256), dtype=np.bool_)
    paint[0:100, 50:150] = True
    assert bounding_box(paint) == (0, 50, 100, 150)
    assert with_margin((0, 50, 100, 150)) == (0, 45, 105, 155)
    assert crop(np.ones((256, 256, 3), dtype=np.float32), (0, 45, 105, 155)).shape == (64, 64, 3)


def test_figures_and_sheet() -> None:
    box, pixels = (10, 10, 90, 90), np.zeros((256, 256, 3), dtype=np.uint8)
    two, one = Wish("", ("fox", "owl"), "grass"), Wish("", ("owl",), "sea")
    verdicts = [
        Verdict(two, pixels, (box, box), ("fox", "cat"), (True, True), "grass", seconds=1.0),
        Verdict(one, pixels, (box,), ("owl",), (False,), "sand", seconds=2.0),
    ]
    figures = summary(verdicts, Sampler())
    assert figures["objects"] == 3
    assert figures["objects_right"] == 66.7
    assert figures["objects_strictly_right"] == 33.3
    assert figures["objects_right_alone"] == 100.0
    assert figures["backgrounds_right"] == 50.0
    assert figures["by_object"] == {"fox": "1/1", "owl": "1/2"}
    assert figures["seconds_per_scene"] == 1.5
    assert contact_sheet(verdicts).width == 8 * 264
