"""Training examples show what the region sampler will ask for."""

import numpy as np
import pytest

from smd_cli.starter.examples import (
    Example,
    ask,
    bootstrapped_example,
    paint_canvas,
    soft_edges,
    window_example,
)
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import COLOURS, MATERIALS, OBJECTS, without_articles

KINDS = ("bootstrapped", "canvas")


def bare(name: str) -> str:
    """A thing's word without its colour."""
    first, _, rest = name.partition(" ")
    return rest if first in COLOURS else name


def example_of(painter: Painter, rng: np.random.Generator, kind: str, side: int = 256) -> Example:
    if kind == "bootstrapped":
        return bootstrapped_example(painter, rng, side)
    return ask(paint_canvas(painter, rng, side), rng)


def draw(painter: Painter, kind: str, seed: int = 0, count: int = 40) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [example_of(painter, rng, kind) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_and_captions(painter: Painter, kind: str) -> None:
    for example in draw(painter, kind):
        assert example.target.shape == (256, 256, 3)
        assert example.weight.shape == (32, 32)
        assert (example.free is not None) == (kind == "bootstrapped")
        assert (example.canvas is not None) == (kind == "canvas")
        things, _, material = without_articles(example.caption).partition(", ")
        assert all(bare(thing) in (*OBJECTS, *MATERIALS) for thing in things.split(" and "))
        assert bare(material) in ("", *MATERIALS)


def test_a_bootstrapped_slot_shows_an_object_on_what_its_prompt_names_or_on_white(
    painter: Painter,
) -> None:
    examples = draw(painter, "bootstrapped")
    alone = [
        e
        for e in examples
        if bare(without_articles(e.caption)) in OBJECTS and e.free is not None and not e.free.all()
    ]
    assert len(alone) > 10
    for example in alone:
        assert (example.target[:16] > 0.95).all()
    assert any(e.free.all() for e in examples if e.free is not None)


def test_a_region_ends_in_cells_that_are_partly_white_along_some_of_its_sides() -> None:
    cells = np.zeros((16, 16), dtype=np.bool_)
    cells[3:9, 4:12] = True
    rng = np.random.default_rng(0)
    drawn = np.stack([soft_edges(cells, rng) for _ in range(200)])
    assert (drawn[:, ~cells] == 0).all()
    assert (drawn[:, 4:8, 5:11] == 1).all()
    for side in (drawn[:, 3, 5:11], drawn[:, 8, 5:11], drawn[:, 4:8, 4], drawn[:, 4:8, 11]):
        assert (side == side[:, :1]).all()
        assert 0.2 < (side[:, 0] < 1).mean() < 0.5
    for example_free in drawn:
        assert example_free.dtype == np.float32


def test_of_regions_that_overlap_the_lower_one_is_what_is_left_of_it(painter: Painter) -> None:
    rng = np.random.default_rng(8)
    canvases = [paint_canvas(painter, rng) for _ in range(40)]
    shared = [
        (one.cells & other.cells).any()
        for canvas in canvases
        for n, one in enumerate(canvas.regions)
        for other in canvas.regions[:n]
    ]
    assert len(shared) > 40
    assert np.mean(shared) < 0.1


def test_a_brush_prompt_may_or_may_not_name_what_is_around(painter: Painter) -> None:
    captions = [e.caption for e in draw(painter, "canvas")]
    objects = [c for c in captions if bare(without_articles(c).split(", ")[0]) in OBJECTS]
    assert 0 < sum("," in c for c in objects) < len(objects) / 2


def test_the_same_seed_draws_the_same(painter: Painter) -> None:
    first, again = (draw(painter, "canvas", seed=7) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.caption == b.caption
        assert np.array_equal(a.target, b.target)


@pytest.mark.slow
def test_some_captions_name_two_objects_that_are_both_weighed(painter: Painter) -> None:
    examples = draw(painter, "canvas", seed=3, count=200)
    pairs = [e for e in examples if " and " in e.caption]
    assert 5 < len(pairs) < 40
    singles = [e for e in examples if " and " not in e.caption and "," not in e.caption]
    assert np.mean([(e.weight == 1).mean() for e in pairs]) > 0.2
    assert singles


@pytest.mark.parametrize("side", [128, 160, 384, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_canvases_of_odd_sizes(painter: Painter, kind: str, side: int) -> None:
    example = example_of(painter, np.random.default_rng(4), kind, side)
    assert example.target.shape == (side, side, 3)
    assert example.weight.shape == (side // 8, side // 8)


def test_a_canvas_is_asked_for_several_things_and_each_is_weighed_where_it_is(
    painter: Painter,
) -> None:
    rng = np.random.default_rng(5)
    canvas = paint_canvas(painter, rng)
    while len(canvas.things) < 2:
        canvas = paint_canvas(painter, rng)
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
    told = [e.chances for e in draw(painter, "bootstrapped") if e.box[2] and e.chances]
    assert len(told) > 10
    assert all(len(chances) == 3 for chances in told)
    assert len(set(told)) == len(told)


def test_windows_are_small_pictures(painter: Painter) -> None:
    rng = np.random.default_rng(0)
    pictures = [window_example(painter, rng, 96) for _ in range(8)]
    assert {picture.shape for picture in pictures} == {(96, 96, 3)}
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in pictures)
