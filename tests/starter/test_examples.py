"""Training examples show what the region sampler will ask for."""

import numpy as np
import pytest

from smd_cli.starter.examples import (
    Example,
    Lesson,
    ask,
    first_example,
    paint_canvas,
    window_example,
)
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, without_articles

LESSONS: tuple[Lesson, ...] = ("bootstrap", "early", "late")


def bare(name: str) -> str:
    """A thing's word without its colour."""
    first, _, rest = name.partition(" ")
    return rest if first in COLOURS else name


def example_of(
    painter: Painter, rng: np.random.Generator, lesson: Lesson, side: int = 256
) -> Example:
    if lesson == "bootstrap":
        return first_example(painter, rng, side)
    return ask(paint_canvas(painter, rng, lesson, side), rng)


def draw(painter: Painter, lesson: Lesson, seed: int = 0, count: int = 40) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [example_of(painter, rng, lesson) for _ in range(count)]


@pytest.mark.parametrize("lesson", LESSONS)
def test_sizes_and_captions(painter: Painter, lesson: Lesson) -> None:
    for example in draw(painter, lesson):
        assert example.target.shape == example.seen.shape == (256, 256, 3)
        assert example.weight.shape == (32, 32)
        assert (example.free is not None) == (lesson == "bootstrap")
        things, _, material = without_articles(example.caption).partition(", ")
        assert all(bare(thing) in (*OBJECTS, *MATERIALS) for thing in things.split(" and "))
        assert bare(material) in ("", *MATERIALS)


def test_only_early_canvases_show_something_else_than_their_target(painter: Painter) -> None:
    early = draw(painter, "early")
    late = draw(painter, "late")
    assert sum(not np.array_equal(e.target, e.seen) for e in early) > 20
    assert all(np.array_equal(e.target, e.seen) for e in late)


def test_a_first_slot_shows_an_object_on_what_its_prompt_names_or_on_white(
    painter: Painter,
) -> None:
    examples = [e for e in draw(painter, "bootstrap") if e.free is not None]
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
    captions = [e.caption for e in draw(painter, "late")]
    objects = [c for c in captions if bare(without_articles(c).split(", ")[0]) in OBJECTS]
    assert 0 < sum("," in c for c in objects) < len(objects) / 2


def test_the_same_seed_draws_the_same(painter: Painter) -> None:
    first, again = (draw(painter, "early", seed=7) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.caption == b.caption
        assert np.array_equal(a.seen, b.seen)


def test_some_captions_name_two_objects_that_are_both_weighed(painter: Painter) -> None:
    examples = draw(painter, "late", seed=3, count=200)
    pairs = [e for e in examples if " and " in e.caption]
    assert 5 < len(pairs) < 40
    singles = [e for e in examples if " and " not in e.caption and "," not in e.caption]
    assert np.mean([(e.weight == 1).mean() for e in pairs]) > 0.2
    assert singles


@pytest.mark.parametrize("side", [128, 160, 384, 512])
@pytest.mark.parametrize("lesson", LESSONS)
def test_canvases_of_odd_sizes(painter: Painter, lesson: Lesson, side: int) -> None:
    example = example_of(painter, np.random.default_rng(4), lesson, side)
    assert example.target.shape == (side, side, 3)
    assert example.weight.shape == (side // 8, side // 8)


def test_a_canvas_is_asked_for_several_things_and_each_is_weighed_where_it_is(
    painter: Painter,
) -> None:
    rng = np.random.default_rng(5)
    canvas = paint_canvas(painter, rng, "early")
    while len(canvas.things) < 2:
        canvas = paint_canvas(painter, rng, "early")
    for _ in range(20):
        example = ask(canvas, rng)
        assert example.target is canvas.target
        inside = example.weight == 1
        named = [n for n, thing in enumerate(canvas.things) if str(thing) in example.caption]
        taken = np.logical_or.reduce([region.cells for region in canvas.regions])
        if named:
            assert inside.any()
            assert (inside <= taken).all()
            assert example.box[2] in [canvas.looks[n].size_cells for n in named]
        else:
            assert not (inside & taken).any()
            assert example.box == (0, 0, 0)


def test_a_first_object_tells_the_chances_of_its_look(painter: Painter) -> None:
    told = [e.chances for e in draw(painter, "bootstrap") if e.box[2] and not np.all(e.free)]
    assert len(told) > 10
    assert all(len(chances) == 3 for chances in told)
    assert len(set(told)) == len(told)


def test_windows_are_small_pictures(painter: Painter) -> None:
    rng = np.random.default_rng(0)
    pictures = [window_example(painter, rng, 96) for _ in range(8)]
    assert {picture.shape for picture in pictures} == {(96, 96, 3)}
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in pictures)
