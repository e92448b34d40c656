"""The evaluation's scenes and its bookkeeping."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from dense import dense

from smd_cli.models.facts import STARTER
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.starter.classifier import Judge, crop, with_margin
from smd_cli.starter.evaluate import (
    BASELINE,
    STUDY,
    TEACHER,
    Evaluator,
    bounding_box,
    changed,
    free_patches,
    off_boxes,
    paint_wanted,
    summary,
)
from smd_cli.starter.evaluation_scenes import EvaluationScene, lone_scene, random_scene
from smd_cli.starter.figures import Pixels, Sight, Verdict, by_word, contact_sheet, figures
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import COLOURABLE, COLOURS, MATERIALS, OBJECTS, Thing


def test_scenes_are_fixed_by_their_number_and_keep_to_the_rules() -> None:
    shares, counts, coloured = [], [], []
    for number in range(60):
        wanted = random_scene(number)
        assert wanted == random_scene(number)
        assert {thing.word for thing in wanted.objects} <= set(OBJECTS)
        assert wanted.material.word in MATERIALS
        counts.append(len({thing.word for thing in wanted.objects}))
        coloured += [thing.colour is not None for thing in wanted.objects]
        if wanted.material.colour:
            assert wanted.material.word in COLOURABLE
        painted = paint_scene(load_scene("-", stdin=io.BytesIO(wanted.text({}).encode())))
        assert painted.size == (256, 256)
        own = [float(dense(p.paint).mean()) for p in painted.brushes]
        assert sum(own) < 0.62
        shares += own
    assert set(counts) == {1, 2, 3, 4}
    assert 0.2 < np.mean(coloured) < 0.5
    assert min(shares) > 0.055
    assert max(shares) < 0.305
    assert max(shares) - min(shares) > 0.15


def test_changes_reach_the_scene() -> None:
    wanted = random_scene(3)
    text = wanted.text({"sampler": {"timesteps": [999, 500]}, "defaults": {"blur": 5}})
    scene = load_scene("-", stdin=io.BytesIO(text.encode())).scene
    assert scene.sampler.timesteps == (999, 500)
    assert all(brush.blur_px == 5 for brush in scene.brushes)


def test_one_prompt_names_everything() -> None:
    wanted = random_scene(3)
    text = wanted.text(wanted.without_regions())
    scene = load_scene("-", stdin=io.BytesIO(text.encode())).scene
    assert not scene.brushes
    assert scene.background.prompt is not None
    assert all(
        str(thing) in scene.background.prompt for thing in (*wanted.objects, wanted.material)
    )


def test_seeds_of_a_lone_wish_differ_in_the_seed_alone() -> None:
    first, second = lone_scene(4, 0), lone_scene(4, 1)
    assert (first.objects, first.material) == (second.objects, second.material)
    assert {**first.scene, "seed": 1} == second.scene
    assert lone_scene(5, 0).objects != first.objects


@pytest.mark.parametrize("way", [BASELINE, *STUDY.values()])
def test_every_way_is_a_sampler_that_scenes_may_have(way: dict[str, Any]) -> None:
    own = {"timesteps": [999, 640], "bootstrap": {"steps": 1, "mix": 0.9}}
    sampler = changed(own, way)
    scene = load_scene(
        "-", stdin=io.BytesIO(random_scene(0).text({"sampler": sampler}).encode())
    ).scene
    assert scene.sampler.timesteps == (999, 640)
    assert scene.sampler.bootstrap.mix == 0.9
    assert scene.sampler.bootstrap.steps == way.get("bootstrap", {}).get("steps", 1)


def test_the_teacher_takes_25_ddim_steps_with_guidance() -> None:
    text = random_scene(0).text({"sampler": TEACHER})
    sampler = load_scene("-", stdin=io.BytesIO(text.encode())).scene.sampler
    assert (sampler.method, sampler.steps) == ("multidiffusion", 25)
    assert (sampler.guidance.type, sampler.guidance.scale) == ("full", 3.0)
    assert sampler.bootstrap.steps == 10


def test_patches_lie_outside_the_masks() -> None:
    taken = np.zeros((256, 256), dtype=np.bool_)
    taken[40:150, 30:200] = True
    patches = free_patches(taken)
    assert 1 <= len(patches) <= 12
    assert not any(taken[t:b, x:r].any() for t, x, b, r in (*patches, *off_boxes(taken)))
    assert {b - t for t, _, b, _ in off_boxes(taken)} == {64, 96}


def test_a_crowded_canvas_still_gets_a_patch() -> None:
    taken = np.ones((256, 256), dtype=np.bool_)
    taken[100:110, 100:110] = False
    (patch,) = free_patches(taken)
    assert patch[0] <= 100 < 110 <= patch[2]
    assert not off_boxes(taken)


def test_boxes_and_crops() -> None:
    paint = np.zeros((256, 256), dtype=np.bool_)
    paint[0:100, 50:150] = True
    assert bounding_box(paint) == (0, 50, 100, 150)
    assert with_margin((0, 50, 100, 150)) == (0, 45, 105, 155)
    assert crop(np.ones((256, 256, 3), dtype=np.float32), (0, 45, 105, 155)).shape == (64, 64, 3)


def test_figures_and_sheet() -> None:
    box, pixels = (10, 10, 90, 90), np.zeros((256, 256, 3), dtype=np.uint8)
    two = EvaluationScene((Thing("fox", "red"), Thing("owl")), Thing("sand", "pink"), {})
    one = EvaluationScene((Thing("owl"),), Thing("sea"), {})
    fox, cat, owl = (Sight(word, "red", True) for word in ("fox", "cat", "owl"))
    flat = Sight("owl", "red", shaped=False)
    verdicts = [
        Verdict(two, pixels, (box, box), (fox, cat), Sight("sand", "blue", True), (True, False), 1),
        Verdict(one, pixels, (box,), (flat,), Sight("sky", "blue", True), (False,), seconds=2),
    ]
    assert owl.shaped
    found = figures(verdicts)
    assert found["objects_right"] == 66.7
    assert found["objects_strictly_right"] == 33.3
    assert found["objects_right_by_count"] == {"1": 100.0, "2": 50.0}
    assert found["backgrounds_right"] == 50.0
    assert found["colours_right"] == 50.0
    assert found["leak"] == 33.3
    assert found["seconds_per_scene"] == 1.5
    assert by_word(verdicts) == {"fox": "1/1", "owl": "1/2", "sand": "1/1", "sea": "0/1"}
    assert contact_sheet(verdicts).width == 8 * 264
    assert summary({"own": found, "variety": 0.5}).startswith("own: objects 66.7 %")


def test_nothing_asked_for_in_colour_is_no_figure() -> None:
    pixels = np.zeros((256, 256, 3), dtype=np.uint8)
    wanted = EvaluationScene((Thing("owl"),), Thing("sea"), {})
    verdict = Verdict(
        wanted, pixels, (), (Sight("owl", "red", True),), Sight("sea", "red", True), (), 1
    )
    assert figures([verdict])["colours_right"] is None


class Constant(Judge):
    """A judge that says fox, blue, whatever it is shown."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        words = torch.zeros(len(x), len(OBJECTS) + len(MATERIALS) + 1)
        words[:, list(OBJECTS).index("fox")] = 1
        colours = torch.zeros(len(x), len(COLOURS))
        colours[:, list(COLOURS).index("blue")] = 1
        return words, colours


@pytest.mark.slow
def test_a_scene_is_rendered_and_judged(painter: Painter) -> None:
    evaluator = Evaluator(Constant(), {"model": str(STARTER), "sampler": {"timesteps": [999]}})
    wanted = random_scene(1)
    verdict = evaluator.verdict(wanted)
    assert verdict.pixels.shape == (256, 256, 3)
    assert {sight.word for sight in (*verdict.objects, verdict.material)} == {"fox"}
    fox = EvaluationScene((Thing("fox"),), Thing("sea"), lone_scene(0, 0).scene)
    assert evaluator.verdict(fox).elsewhere == (True,)
    plain = evaluator.verdict(wanted, wanted.without_regions())
    assert len(plain.objects) == len(wanted.objects)
    assert not np.array_equal(plain.pixels, verdict.pixels)
    box = (70, 70, 190, 190)
    painted: list[Pixels] = [
        paint_wanted(painter, lone_scene(0, 0), box, seed) for seed in (0, 0, 1)
    ]
    assert evaluator.spread(painted[:2], box) == 0
    assert evaluator.spread(painted[1:], box) > 0
