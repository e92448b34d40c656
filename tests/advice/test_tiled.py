"""Warnings of things that no window shows whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from .scenes import said

MOST = 192  # what the starter draws, as it says itself


def boxed(side: int, prompt: str = "a fox", *more: str, model: str = "starter") -> str:
    """A brush, in a canvas of 1024x1024, whose box begins at a cell at full and at half size."""
    brush = f"{{prompt: {prompt}, blur: 0, mask: {{rect: [192, 192, {side}, 100]}}}}"
    lines = [f"model: {model}", "size: 1024x1024", *more, f"brushes: [{brush}]"]
    return "\n".join(lines) + "\n"


def test_a_thing_that_is_larger_than_the_model_draws_it(tmp_path: Path) -> None:
    assert said(tmp_path, boxed(MOST)) == []
    assert said(tmp_path, boxed(MOST + 8)) == [
        "3:36 'brush 1' spans 200x104 px: the model starter draws things of 192 px at most, so its "
        "thing may come several times | sampler: {refine: 2} paints it at half the size first, as "
        "a whole"
    ]
    assert said(tmp_path, boxed(MOST + 8).replace("200, 100", "100, 192")) == []
    [told] = said(
        tmp_path, boxed(MOST + 8).replace("1024x1024", "256x256").replace("[192, 192,", "[0, 0,")
    )
    assert told.endswith("may come several times | of at most 192 px it is painted as a whole")


def test_a_thing_that_is_refined_fits_at_twice_the_side(tmp_path: Path) -> None:
    refined = "sampler: {refine: 2}"
    assert said(tmp_path, boxed(2 * MOST, "a fox", refined)) == []
    [told] = said(tmp_path, boxed(2 * MOST + 16, "a fox", refined))
    assert (
        "several times even at half the size | of at most 192 px it is painted as a whole" in told
    )
    [told] = said(tmp_path, boxed(2 * MOST))
    assert "refine: 2" in told
    [told] = said(tmp_path, boxed(2 * MOST + 16))
    assert told.endswith("may come several times | of at most 192 px it is painted as a whole")


@pytest.mark.parametrize(
    "text",
    [
        boxed(600, "grass"),
        boxed(800, "a castle", "sampler: {windows: off}", model="sd15"),
        boxed(600, "a fox").replace("blur: 0", "blur: 0, repaint: 0.5"),
        boxed(800, "a castle", "sampler: {windows: 1024}", model="sd15"),
        "model: starter\nsize: 2048x256\nbackground: a fox\n",
    ],
    ids=["material", "off", "repaint", "windows", "background"],
)
def test_what_does_not_come_twice(tmp_path: Path, text: str) -> None:
    assert [told for told in said(tmp_path, text) if "several times" in told] == []


def test_where_nothing_can_be_refined_nobody_is_told_to(tmp_path: Path) -> None:
    [told] = said(tmp_path, boxed(600, "a fox", "wrap: y"))
    assert told.endswith("several times | of at most 192 px it is painted as a whole")
    Image.new("RGB", (1024, 1024), "teal").save(tmp_path / "p.png")
    picture = "background: {image: p.png}"
    assert said(tmp_path, boxed(150, "a fox", picture)) == []
    [told] = said(tmp_path, boxed(600, "a fox", picture, "sampler: {windows: 256}"))
    assert told.endswith("several times | of at most 192 px it is painted as a whole")


def test_ground_and_sky_of_a_model_whose_words_nobody_knows(tmp_path: Path) -> None:
    """SD 1.5 has windows of 96 cells, and 88 for a centred brush: 704 px."""
    assert said(tmp_path, boxed(704, "a castle", model="sd15")) == []
    [told] = said(tmp_path, boxed(712, "a castle", model="sd15"))
    assert "the model sd15 sees 768 px at most at once" in told
    text = boxed(832, "a castle", model="sd15")
    assert said(tmp_path, text) == []  # to the right edge
    assert len(said(tmp_path, text.replace("832", "831"))) == 1


def test_two_things_of_one_brush_far_from_each_other(tmp_path: Path) -> None:
    blobs = "[{rect: [0, 0, 96, 96]}, {rect: [928, 928, 96, 96]}]"
    text = f"model: starter\nsize: 1024x1024\nbrushes: [{{prompt: a fox, mask: {blobs}}}]\n"
    assert said(tmp_path, text) == []


def test_parts_of_a_mask_are_things_of_their_own(tmp_path: Path) -> None:
    """Side by side, one above the other, and over the end of a canvas that wraps."""
    text = "model: starter\nsize: 512x512\n{}brushes: [{{prompt: a fox, blur: 0, mask: {}}}]\n"
    apart = "[{ellipse: [20, 20, 104, 104]}, {ellipse: [120, 300, 120, 120]}]"
    assert said(tmp_path, text.format("", apart)) == []
    ends = "[{rect: [400, 304, 112, 144]}, {rect: [0, 304, 64, 144]}]"
    assert said(tmp_path, text.format("wrap: x\n", ends)) == []
    [told] = said(tmp_path, text.format("wrap: x\n", ends.replace("64", "88")))
    assert "'brush 1' spans 200x144 px" in told
