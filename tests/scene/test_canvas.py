"""Whose size the canvas takes, and masks that are placed on it unscaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import mask_of
from PIL import Image

from smd_cli.errors import SceneError
from smd_cli.scene.paint.painted import canvas_size, paint_scene
from smd_cli.scene.parse import load_scene

MASK = mask_of()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(MASK).save("fox.png")  # 24x16


def saved(name: str, width: int, height: int) -> None:
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[: height // 3] = 255
    Image.fromarray(pixels).save(name)


def scene(*masks: str, size: str = "") -> str:
    lines = [f"  - {{prompt: a fox, mask: {mask}}}" for mask in masks]
    head = ["model: starter", *([f"size: {size}"] if size else []), "brushes:"]
    Path("s.yaml").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return "s.yaml"


def painted(mask: str, size: str = "80x64") -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return dense(paint_scene(load_scene(scene(mask, size=size))).brushes[0].paint)


def problems(*masks: str, size: str = "80x64") -> list[str]:
    with pytest.raises(SceneError) as caught:
        paint_scene(load_scene(scene(*masks, size=size)))
    return [f"{p.message} / {p.hint}" if p.hint else p.message for p in caught.value.problems]


@pytest.mark.parametrize(
    ("at", "x", "y"), [("[10, 20]", 10, 20), ('["25%", "50%"]', 20, 32), ("[0, 0]", 0, 0)]
)
def test_at_places_a_picture_unscaled(at: str, x: int, y: int) -> None:
    expected = np.zeros((64, 80), dtype=np.float32)
    expected[y : y + 16, x : x + 24] = MASK / np.float32(255)
    assert (painted(f"{{image: fox.png, at: {at}}}") == expected).all()
    assert (painted(f"{{image: fox.png, at: {at}, invert: true}}") == 1 - expected).all()


def test_what_lies_beyond_the_canvas_is_cut() -> None:
    expected = np.zeros((64, 80), dtype=np.float32)
    expected[:9, :12] = MASK[7:, 12:] / np.float32(255)
    assert (painted("{image: fox.png, at: [-12, -7]}") == expected).all()
    expected = np.zeros((64, 80), dtype=np.float32)
    expected[58:, 73:] = MASK[:6, :7] / np.float32(255)
    assert (painted("{image: fox.png, at: [73, 58]}") == expected).all()


@pytest.mark.parametrize("at", ["[80, 0]", "[0, 64]", "[-24, 0]", '[0, "-25%"]'])
def test_wholly_beyond_the_canvas_is_an_error(at: str) -> None:
    [problem] = problems(f"{{image: fox.png, at: {at}}}")
    assert problem.startswith("'fox.png' measures 24x16: at ")
    assert problem.endswith("it lies wholly outside the 80x64 canvas")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("{image: fox.png, at: [1, 2], fit: cover}", "a mask takes only one of at and fit"),
        ("{image: fox.png, at: [1]}", "at must be a point [x, y], not a list of 1"),
        ("{image: fox.png, at: middle}", "at must be a point [x, y], not the text 'middle'"),
        ("{rect: [0, 0, 9, 9], at: [1, 2]}", "a mask of a rect takes no at"),
    ],
)
def test_at_is_read_strictly(mask: str, message: str) -> None:
    [problem] = problems(mask)
    assert problem.split(" / ")[0] == message


def test_check_tells_where_a_picture_was_placed() -> None:
    found = paint_scene(load_scene(scene("{image: fox.png, at: [10, 50%]}", size="80x64")))
    assert found.brushes[0].sources == ("fox.png (luma: white = painted, 24x16 at 10,32)",)
    assert found.warnings == ()


def test_a_cropped_layer_is_told_with_both_ways_out() -> None:
    assert problems("fox.png") == [
        "'fox.png' measures 24x16, another aspect ratio than the canvas' 80x64 / "
        "a layer cropped on export? export it at 80x64, or place it with at: [x, y]; else say how "
        "with fit: stretch, contain or cover"
    ]


# The canvas' size


def canvas(*masks: str) -> tuple[tuple[int, int], list[str]]:
    file = load_scene(scene(*masks))
    try:
        warnings = [w.message for w in paint_scene(file).warnings]
    except SceneError as wrong:
        warnings = [p.message for p in wrong.problems]
    return canvas_size(file), warnings


def test_masks_that_agree_are_the_canvas() -> None:
    saved("a.png", 96, 64)
    saved("b.png", 96, 64)
    assert canvas("a.png", "b.png") == ((96, 64), [])


def test_a_placed_mask_never_decides() -> None:
    saved("a.png", 96, 64)
    saved("b.png", 128, 128)
    assert canvas("{image: b.png, at: [0, 0]}", "a.png")[0] == (96, 64)
    assert canvas("{image: a.png, at: [0, 0]}")[0] == (256, 256)  # the model's own


def test_a_fitted_mask_decides_only_alone() -> None:
    saved("a.png", 96, 64)
    saved("b.png", 128, 128)
    assert canvas("{image: b.png, fit: cover}", "a.png") == ((96, 64), [])
    assert canvas("{image: b.png, fit: cover}") == ((128, 128), [])


def test_a_cropped_first_mask_does_not_make_the_canvas() -> None:
    saved("a.png", 90, 70)
    saved("b.png", 128, 128)
    size, told = canvas("a.png", "b.png")
    assert size == (128, 128)
    assert told == ["'a.png' measures 90x70, another aspect ratio than the canvas' 128x128"]


def test_masks_of_one_shape_and_several_sizes_are_told() -> None:
    saved("a.png", 64, 64)
    saved("b.png", 128, 128)
    assert canvas("a.png", "b.png") == (
        (64, 64),
        ["the canvas takes the size of 'a.png', 64x64, but 'b.png' measures 128x128"],
    )


def test_an_odd_canvas_of_a_cropped_layer_is_told() -> None:
    disc = (np.hypot(*np.mgrid[-38.5:39, -34.5:35]) < 34.8).astype(np.uint8) * 255
    ring = disc[np.ix_(disc.any(axis=1), disc.any(axis=0))]
    Image.fromarray(np.stack([ring] * 4, axis=-1)).save("a.png")
    size, [told] = canvas("a.png")
    assert size == ring.shape[::-1]
    assert told.endswith("as a layer cropped on export is: the canvas takes its size")
