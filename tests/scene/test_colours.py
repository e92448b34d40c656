"""Colour maps: one picture for many brushes, each of which has a colour of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Smd
from dense import levels
from layer_files import Paint, ora, painted
from picture_files import Values
from PIL import Image

from smd_cli.scene.json_schema import scene_schema
from smd_cli.scene.paint import colours as colours_of
from smd_cli.scene.paint import files
from smd_cli.scene.paint.files import PaintSource
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(colours()).save("map.png")
    return tmp_path


def colours() -> Values:
    """Three stripes, and a column of reds that are off by 5, 8 and 9 levels."""
    pixels = np.zeros((96, 96, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:64], pixels[:, 64:] = RED, GREEN, BLUE
    pixels[:30, 90], pixels[30:60, 90], pixels[60:90, 90] = (250, 5, 0), (247, 8, 8), (246, 0, 0)
    return pixels


def scene(*masks: str, text: str = "") -> str:
    lines = [f"  - {{name: b{n}, prompt: a fox, mask: {mask}}}\n" for n, mask in enumerate(masks)]
    Path("s.yaml").write_text("background: grass\nbrushes:\n" + "".join(lines) + text, "utf-8")
    return "s.yaml"


def paint(*masks: str) -> list[Values]:
    return [levels(brush.paint) for brush in paint_scene(load_scene(scene(*masks))).brushes]


def within(colour: tuple[int, int, int], tolerance: int) -> Values:
    """By a naive loop."""
    rows = colours().tolist()
    near = [
        [all(abs(p - c) <= tolerance for p, c in zip(pixel, colour, strict=True)) for pixel in row]
        for row in rows
    ]
    levels_within: Values = np.array(near, np.uint8) * np.uint8(255)
    return levels_within


@pytest.mark.parametrize("written", ['"#ff0000"', '"#FF0000"', "ff0000", "red", "[255, 0, 0]"])
def test_a_colour_may_be_written_in_all_these_ways(written: str) -> None:
    [found] = paint(f"{{image: map.png, color: {written}}}")
    assert np.array_equal(found, within(RED, 8))


@pytest.mark.parametrize("tolerance", [0, 5, 8, 9, 127, 255])
def test_tolerance_is_the_most_that_a_channel_may_be_off(tolerance: int) -> None:
    [found] = paint(f"{{image: map.png, color: red, tolerance: {tolerance}}}")
    assert np.array_equal(found, within(RED, tolerance))


def test_inverted_it_is_all_other_colours() -> None:
    [found] = paint("{image: map.png, color: red, invert: true}")
    assert np.array_equal(found, 255 - within(RED, 8))


def test_brushes_of_one_map_share_one_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def read(path: Path, written: str, *how: Any) -> colours_of.ColourMap:
        opened.append(written)
        return colours_of.read_map(path, written, *how)

    monkeypatch.setattr(files, "read_map", read)
    masks = [f"{{image: map.png, color: {one}}}" for one in ("red", "green", "blue")]
    file = load_scene(scene(*masks))
    painted_scene = paint_scene(file, PaintSource())
    assert len(painted_scene.brushes) == 3
    assert opened == ["map.png"]


def test_kinds_of_pictures(folder: Path) -> None:
    picture = Image.fromarray(colours())
    picture.save("map.webp", lossless=True)
    picture.quantize(16, dither=Image.Dither.NONE).save("palette.png")
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save("grey.png")
    ora(folder / "map.ora", (96, 96), [Paint("map", painted(within(RED, 8), RED))])
    masks = [f"{{image: {name}, color: red}}" for name in ("map.webp", "palette.png")]
    found = paint(*masks, "{image: map.ora, layer: map, color: red}")
    for one in found:
        assert np.array_equal(one, within(RED, 8))
    grey = round(0.299 * 255)
    [found_grey] = paint(f"{{image: grey.png, color: [{grey}, {grey}, {grey}], tolerance: 0}}")
    assert np.array_equal(found_grey[:, :32], np.full((96, 32), 255))
    assert not found_grey[:, 40:89].any()


def test_what_is_transparent_is_no_colour_and_soft_edges_stay() -> None:
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (96, 1))
    Image.fromarray(painted(alpha, RED)).save("map.png")
    [found] = paint("{image: map.png, color: red}")
    assert np.array_equal(found, alpha)


def test_a_colour_that_an_option_names_is_told_at_the_option(smd: Smd) -> None:
    file = scene("{image: map.png, color: red}")
    result = smd(["check", file, "--set", "brushes.1.mask.color=pink"])
    assert (result.code, result.err.split(" 'map.png'")[0]) == (
        2,
        "--set brushes.1.mask.color=pink: error:",
    )


def test_a_colour_that_is_nowhere_lists_those_that_there_are(smd: Smd) -> None:
    result = smd(["check", scene('{image: map.png, color: "#00ff10"}')])
    assert result.code == 2
    share = (32 * 96) / (96 * 96)
    assert result.err.splitlines()[0] == (
        "s.yaml:3:61: error: 'map.png' has no pixel of the colour #00ff10"
    )
    assert f"hint: its colours are #008000 ({share:.1%}), #ff0000 ({share:.1%}), #0000ff (" in (
        result.err
    )
    assert result.err.endswith("; tolerance: 127 takes the nearest, #008000\n")


def test_a_map_that_is_transparent_says_so(smd: Smd) -> None:
    Image.new("RGBA", (96, 96), (255, 0, 0, 0)).save("map.png")
    result = smd(["check", scene("{image: map.png, color: red}")])
    assert "hint: it is transparent everywhere\n" in result.err


@pytest.mark.parametrize(
    ("mask", "error", "hint"),
    [
        (
            "\n      image: map.png\n      color: #ff0000",
            'color has no value: it must be a colour name, "#rrggbb" or [red, green, blue]',
            'an unquoted # begins a comment: write it in quotes, "#ff0000"',
        ),
        (
            "\n      image: map.png\n      color: 112233",
            'color must be a colour name, "#rrggbb" or [red, green, blue], not 112233',
            'write it in quotes: "112233"',
        ),
        (
            "{image: map.png, color: rad}",
            "color must be a colour name, \"#rrggbb\" or [red, green, blue], not the text 'rad'",
            "did you mean red?",
        ),
        ("{image: map.png, tolerance: 4}", "tolerance needs a color", "it says how near"),
        (
            "{image: map.png, color: red, channel: luma}",
            "a mask takes only one of color and channel",
            "",
        ),
        (
            "{image: map.png, color: red, tolerance: 256}",
            "tolerance must be a whole number from 0 to 255, not 256",
            "",
        ),
        ("{image: map.png, layer: fox}", "'map.png' has no layers", "layer: is for files of"),
        (
            "{rect: [0, 0, 9, 9], color: red}",
            "a mask of a rect takes no color",
            "it is for a mask of",
        ),
        ("{ellipse: [0, 0, 9, 9], repeat: loop}", "a mask of an ellipse takes no repeat", ""),
    ],
)
def test_what_is_wrong_has_a_place_and_a_hint(smd: Smd, mask: str, error: str, hint: str) -> None:
    text = f"background: grass\nbrushes:\n  - prompt: a fox\n    mask: {mask}\n"
    Path("s.yaml").write_text(text, encoding="utf-8")
    result = smd(["check", "s.yaml"])
    assert result.code == 2
    assert f"error: {error}" in result.err
    assert f"hint: {hint}" in result.err or not hint
    assert result.err.count("error:") == 1


def test_options_take_away_what_they_exclude(smd: Smd) -> None:
    path = scene("{image: map.png, channel: red}")
    said = smd(["check", path, "--set", "brushes.b0.mask.color=#0000ff"])
    assert (said.code, "(#0000ff within 8 = painted)" in said.out) == (0, True)
    path = scene("{image: map.png, color: red, tolerance: 3}")
    said = smd(["check", path, "--set", "brushes.b0.mask.channel=blue"])
    assert (said.code, "(blue: bright = painted)" in said.out) == (0, True)
    said = smd(["check", path, "--set", "brushes.b0.mask.rect=[0, 0, 50%, 50%]"])
    assert (said.code, "rect" in said.out) == (0, True)


def test_the_schema_has_them() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft7Validator(scene_schema())

    def valid(mask: dict[str, object]) -> bool:
        return bool(check.is_valid({"brushes": [{"prompt": "a", "mask": mask}]}))

    for color in ("#ff0000", "ff0000", "red", [1, 2, 3]):
        assert valid({"image": "m.png", "color": color, "tolerance": 3})
    assert valid({"image": "m.ora", "layer": "a/fox", "color": "red"})
    assert not valid({"image": "m.png", "tolerance": 3})
    assert not valid({"image": "m.png", "color": "red", "channel": "luma"})
    assert not valid({"image": "m.png", "color": 112233})
    assert not valid({"rect": [0, 0, 9, 9], "layer": "fox"})
