"""Training examples show what the region sampler will ask for."""

import numpy as np
import pytest

from smd_cli.starter.examples import Example, Lesson, canvas_example, window_example
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, without_articles

LESSONS: tuple[Lesson, ...] = ("bootstrap", "early", "late")


def bare(name: str) -> str:
    """A thing's word without its colour."""
    first, _, rest = name.partition(" ")
    return rest if first in COLOURS else name


def draw(painter: Painter, lesson: Lesson, canvas: bool, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    if canvas:
        return [canvas_example(painter, rng, lesson) for _ in range(40)]
    return [window_example(painter, rng, lesson, 96) for _ in range(40)]


@pytest.mark.parametrize("lesson", LESSONS)
@pytest.mark.parametrize("canvas", [False, True])
def test_sizes_and_captions(painter: Painter, lesson: Lesson, canvas: bool) -> None:
    side = 256 if canvas else 96
    for example in draw(painter, lesson, canvas):
        assert example.target.shape == example.seen.shape == (side, side, 3)
        assert example.weight.shape == (side // 8, side // 8)
        assert (example.free is not None) == (lesson == "bootstrap")
        things, _, material = without_articles(example.caption).partition(", ")
        assert all(bare(thing) in (*OBJECTS, *MATERIALS) for thing in things.split(" and "))
        assert bare(material) in ("", *MATERIALS)


def test_only_early_canvases_show_something_else_than_their_target(painter: Painter) -> None:
    early = draw(painter, "early", canvas=True)
    late = draw(painter, "late", canvas=True)
    assert sum(not np.array_equal(e.target, e.seen) for e in early) > 20
    assert all(np.array_equal(e.target, e.seen) for e in late)


def test_a_first_slot_shows_an_object_on_what_its_prompt_names_or_on_white(
    painter: Painter,
) -> None:
    examples = [e for e in draw(painter, "bootstrap", canvas=True) if e.free is not None]
    alone = [
        e
        for e in examples
        if bare(without_articles(e.caption)) in OBJECTS and e.free is not None and not e.free.all()
    ]
    assert len(alone) > 10
    for example in alone:
        assert (example.target[:16] > 0.95).all()
    assert any(e.free.all() for e in examples if e.free is not None)


def test_a_brush_prompt_may_or_may_not_name_what_is_around(painter: Painter) -> None:
    captions = [e.caption for e in draw(painter, "late", canvas=True)]
    objects = [c for c in captions if bare(without_articles(c).split(", ")[0]) in OBJECTS]
    assert 0 < sum("," in c for c in objects) < len(objects) / 2


def test_the_same_seed_draws_the_same(painter: Painter) -> None:
    first, again = (draw(painter, "early", canvas=True, seed=7) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.caption == b.caption
        assert np.array_equal(a.seen, b.seen)


def test_some_captions_name_two_objects_that_are_both_weighed(painter: Painter) -> None:
    rng = np.random.default_rng(3)
    examples = [canvas_example(painter, rng, "late") for _ in range(200)]
    pairs = [e for e in examples if " and " in e.caption]
    assert 5 < len(pairs) < 40
    singles = [e for e in examples if " and " not in e.caption and "," not in e.caption]
    assert np.mean([(e.weight == 1).mean() for e in pairs]) > 0.2
    assert singles


@pytest.mark.parametrize("side", [128, 160, 384, 512])
@pytest.mark.parametrize("lesson", LESSONS)
def test_canvases_of_odd_sizes(painter: Painter, lesson: Lesson, side: int) -> None:
    example = canvas_example(painter, np.random.default_rng(4), lesson, side)
    assert example.target.shape == (side, side, 3)
    assert example.weight.shape == (side // 8, side // 8)
