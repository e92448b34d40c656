"""Warnings about masks: inverted, empty, covered and faint ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .scenes import said

SIDE = 128
Box = tuple[int, int, int, int]


def drawing(folder: Path, *boxes: Box, paper: int = 255, ink: int = 0) -> None:
    """Save m.png: boxes (left, top, right, bottom) of ink on paper."""
    levels = np.full((SIDE, SIDE), paper, dtype=np.uint8)
    for left, top, right, bottom in boxes:
        levels[top:bottom, left:right] = ink
    Image.fromarray(levels).save(folder / "m.png")


def brushes(*masks: str, model: str = "hub:a/b", more: str = "") -> str:
    lines = [f"  - {{name: n{n}, prompt: a fox, mask: {m}}}" for n, m in enumerate(masks, 1)]
    head = f"model: {model}\nsize: {SIDE}x{SIDE}\nbackground: sky\n{more}brushes:"
    return "\n".join([head, *lines, ""])


# Inverted


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((30, 40, 90, 97), 79),
        ((60, 60, 64, 64), 99),
        ((20, 30, 100, 110), 60),
        ((30, 40, 90, 128), 67),  # cut off by the lower edge
        ((100, 100, 128, 128), 95),  # in a corner
    ],
)
def test_black_on_white_paper_is_told(tmp_path: Path, box: Box, share: int) -> None:
    drawing(tmp_path, box)
    [told] = said(tmp_path, brushes("m.png"))
    assert told == (
        f"5:37 'm.png' is painted all around, {share} % of the canvas, as the paper of a black "
        "drawing is: white = painted | if black is meant, write invert: true; invert: false "
        "settles it"
    )


@pytest.mark.parametrize(
    "boxes",
    [
        [],  # everything
        [(0, 120, 128, 128)],  # a sky
        [(0, 0, 128, 6)],  # a ground
        [(0, 120, 128, 128), (30, 100, 60, 128)],  # a sky with a house below
        [(120, 0, 128, 128)],  # a side
        [(0, 0, 40, 40), (88, 0, 128, 40)],  # a valley
        [(20, 20, 110, 110)],  # a frame
        [(70, 70, 128, 128)],  # a step
    ],
)
def test_white_that_is_meant_is_not_told(tmp_path: Path, boxes: list[Box]) -> None:
    drawing(tmp_path, *boxes)
    assert said(tmp_path, brushes("m.png")) == []


def test_nearly_white_paper_with_no_drawing_is_everything(tmp_path: Path) -> None:
    drawing(tmp_path, (30, 40, 90, 97), paper=254, ink=249)
    assert said(tmp_path, brushes("m.png")) == []


def test_a_written_invert_settles_it(tmp_path: Path) -> None:
    drawing(tmp_path, (30, 40, 90, 97))
    for mask in ("{image: m.png, invert: false}", "{image: m.png, invert: true}"):
        assert said(tmp_path, brushes(mask)) == []
    [told] = said(tmp_path, brushes("{image: m.png, channel: luma}"))
    assert "'m.png' is painted all around" in told


def test_a_layer_that_is_opaque_all_around_is_meant(tmp_path: Path) -> None:
    levels = np.full((SIDE, SIDE, 4), 255, dtype=np.uint8)
    levels[40:90, 40:90, 3] = 0
    Image.fromarray(levels).save(tmp_path / "m.png")
    assert said(tmp_path, brushes("m.png")) == []


# Empty


def test_a_mask_without_paint_is_told_once(tmp_path: Path) -> None:
    Image.new("RGBA", (SIDE, SIDE)).save(tmp_path / "m.png")
    [told] = said(tmp_path, brushes("m.png"))
    assert "5:37 'm.png' is transparent everywhere: it paints nothing" in told
    [told] = said(tmp_path, brushes("{image: m.png, channel: alpha}"))
    assert "the mask of 'n1' is empty" in told
    Image.new("L", (SIDE, SIDE)).save(tmp_path / "m.png")
    [told] = said(tmp_path, brushes("m.png"))
    assert "the mask of 'n1' is empty" in told


def test_an_empty_first_frame_has_two_things_to_tell(tmp_path: Path) -> None:
    first, other = Image.new("L", (SIDE, SIDE)), Image.new("L", (SIDE, SIDE), 255)
    first.save(tmp_path / "m.png", save_all=True, append_images=[other])
    assert len(said(tmp_path, brushes("m.png"))) == 2


def test_a_tiny_brush_is_told_once(tmp_path: Path) -> None:
    [told] = said(tmp_path, brushes("{rect: [9, 9, 12, 12]}"))
    assert "'n1' paints 144 px, less than 4 latent cells" in told


# Covered

WHOLE = "{rect: [0, 0, 100, 100]}"


@pytest.mark.parametrize(("height", "share"), [(86, 86), (97, 97)])
def test_a_brush_of_which_little_shows_is_told_with_what_covers_it(
    tmp_path: Path, height: int, share: int
) -> None:
    over = (f"{{rect: [0, 0, 30, {height}]}}", f"{{rect: [30, 0, 70, {height}]}}")
    [told] = said(tmp_path, brushes(WHOLE, *over))
    assert told == (
        f"5:31 'n1' is covered to {share} % by later brushes: 'n3', 'n2' | later brushes lie on "
        "top: move it down the list"
    )


def test_a_brush_of_which_enough_shows_is_not_told(tmp_path: Path) -> None:
    sharp = "defaults: {blur: 0}\n"
    assert said(tmp_path, brushes(WHOLE, "{rect: [0, 0, 100, 84]}", more=sharp)) == []


def test_only_the_uppermost_is_named_and_a_few_of_many(tmp_path: Path) -> None:
    [first, second] = said(tmp_path, brushes(WHOLE, WHOLE, WHOLE))
    assert "'n1' is fully covered by later brushes: 'n3' |" in first
    assert "'n2' is fully covered by later brushes: 'n3' |" in second
    strips = [f"{{rect: [0, {20 * n}, 100, 20]}}" for n in range(5)]
    told = said(tmp_path, brushes(WHOLE, *strips))
    assert "'n1' is fully covered by later brushes: 'n2', 'n3', 'n4' and 2 more |" in told[0]


def test_layers_that_do_not_thin_each_other_cover_nothing(tmp_path: Path) -> None:
    text = brushes(WHOLE, WHOLE, more="sampler: {cover: 1}\n")
    assert said(tmp_path, text) == []


# Faint


def stroke(folder: Path, opacity: float) -> None:
    levels = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    levels[20:110, 20:110] = (255, 255, 255, round(opacity * 255))
    Image.fromarray(levels).save(folder / "m.png")


def test_a_faint_stroke_on_the_starter_is_told(tmp_path: Path) -> None:
    """0.4 lies in slot 3 of 5 (noise 0.465 to 0.344): 0.46 + 1 + 1 of 5."""
    stroke(tmp_path, 0.4)
    [told] = said(tmp_path, brushes("m.png", model="starter", more="sampler: {steps: 5}\n"))
    assert told.startswith("6:37 'n1' acts in only 3 of 5 slots: its mask reaches 0.40 at most | ")
    assert told.endswith(
        "paint the mask with full opacity; strength: says how much of its prompt shows"
    )


def test_a_stroke_that_acts_in_half_of_the_slots_is_not_told(tmp_path: Path) -> None:
    stroke(tmp_path, 0.45)  # 0.87 + 1 + 1
    assert said(tmp_path, brushes("m.png", model="starter")) == []


def test_what_holds_a_brush_back_most_is_told(tmp_path: Path) -> None:
    stroke(tmp_path, 0.4)
    text = brushes("m.png").replace("a fox,", "a fox, alpha: 0.99,")
    [told] = said(tmp_path, text)
    assert "its mask reaches 0.40 at most" in told
    stroke(tmp_path, 1)
    [told] = said(tmp_path, text.replace("0.99", "0.4"))
    assert "acts in only 1 of 5 slots: its alpha is 0.4 | " in told


def test_hard_masks_are_told_of_the_soft_ones(tmp_path: Path) -> None:
    stroke(tmp_path, 0.4)
    [told] = said(tmp_path, brushes("m.png", more="sampler: {mask_type: discrete}\n"))
    assert told.endswith("; mask_type: continuous lets faint paint act earlier")


# Masks that come in later


def test_a_mask_that_comes_in_later_is_not_empty(tmp_path: Path) -> None:
    there = "{rect: [0, 0, 40, 40], move: {0: [-60, 0], 9: [20, 0]}}"
    across = "{rect: [0, 60, 40, 40], move: {0: [-60, 0], 9: [160, 0]}}"
    never = "{rect: [0, 0, 40, 40], move: {0: [-60, 0], 9: [-90, 0]}}"
    told = said(tmp_path, brushes(there, across, never, more="frames: 10\n"))
    assert told == ["8:31 the mask of 'n3' is empty | invert: true swaps painted and unpainted"]


def test_a_sequence_that_begins_empty_is_told_of_its_first_frame(tmp_path: Path) -> None:
    for number, ink in enumerate((0, 0, 255)):
        drawing(tmp_path, (20, 20, 90, 90), paper=0, ink=ink)
        (tmp_path / "m.png").rename(tmp_path / f"m-{number}.png")
    told = said(tmp_path, brushes("m-%d.png", more="frames: 3\n"))
    assert told == [
        "6:37 the mask of 'n1' is empty in the first frame | later ones are not looked at; "
        "invert: true swaps painted and unpainted"
    ]


# On their way


def test_what_is_covered_in_some_frames_is_told_with_them(tmp_path: Path) -> None:
    fox = "{rect: [0, 0, 40, 40], move: {0: [0, 0], 4: [80, 80]}}"
    wall = "{rect: [16, 16, 52, 52]}"
    text = brushes(fox, wall, more="frames: 5\n")
    text = text.replace("prompt: a fox", "prompt: a fox, blur: 0")
    assert said(tmp_path, text) == [
        "6:40 frame 1: 'n1' is fully covered by later brushes: 'n2' | later brushes lie on top: "
        "move it down the list"
    ]
    [told] = said(tmp_path, text.replace("frames: 5", "frames: 41").replace("4: [", "40: ["))
    assert told.startswith("6:40 frame 10: 'n1' is fully covered")
    assert told.endswith("; frames 0, 10, 20, 30, 40 were looked at")


def test_what_shrinks_is_told_from_which_frame_on(tmp_path: Path) -> None:
    fox = "{ellipse: [44, 44, 40, 40], scale: {0: 1, 4: 0.1}}"
    told = said(tmp_path, brushes(fox, more="frames: 5\n"))
    assert [one.split(" | ")[0] for one in told] == [
        "6:5 frames 1 to 2: 'n1' acts in only 2 of 5 slots: a blur of 8 px thins so small a brush",
        "6:31 frames 3 to 4: 'n1' paints 133 px, less than 4 latent cells of 8x8 px",
    ]


def test_what_is_so_in_all_frames_is_told_as_of_one_that_stands_still(tmp_path: Path) -> None:
    still = "{rect: [20, 20, 9, 9]}"
    moving = "{rect: [20, 20, 9, 9], move: {0: [0, 0], 4: [40, 0]}}"
    once = said(tmp_path, brushes(still, more="frames: 5\n"))
    assert once
    assert said(tmp_path, brushes(moving, more="frames: 5\n")) == once


def test_what_comes_in_or_fades_is_meant(tmp_path: Path) -> None:
    enters = "{rect: [0, 0, 60, 60], move: {0: [-57, 0], 4: [20, 0]}}"
    assert said(tmp_path, brushes(enters, more="frames: 5\n")) == []
    fades = brushes("{rect: [0, 0, 60, 60]}", more="frames: 5\n")
    fades = fades.replace("prompt: a fox", "prompt: a fox, alpha: {0: 1, 4: 0.2}")
    assert said(tmp_path, fades) == []


def test_a_brush_is_looked_at_when_it_comes_in(tmp_path: Path) -> None:
    text = brushes("{rect: [9, 9, 40, 40]}", "{rect: [0, 0, 60, 60]}", more="frames: 41\n")
    text = text.replace("name: n2,", "name: n2, enabled: {0: false, 3: true, 5: false},")
    [told] = said(tmp_path, text)
    assert told.startswith("6:31 frame 3: 'n1' is fully covered by later brushes: 'n2' | ")
    assert told.endswith("frames 0, 3, 10, 20, 30, 40 were looked at")


def test_what_comes_from_nothing_is_meant(tmp_path: Path) -> None:
    text = "size: 256x256\nframes: 24\nbackground: grass\nbrushes:\n"
    mask = "{ellipse: [60, 60, 100, 100], scale: {0: SCALE, 23: 1}}"
    text += f"  - {{prompt: a fox, mask: {mask}}}\n"
    assert said(tmp_path, text.replace("SCALE", "0.01")) == []
    assert said(tmp_path, text.replace("SCALE", "0.15")) != []
