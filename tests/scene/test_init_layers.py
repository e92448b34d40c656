"""`smd init --from` a document of layers, or the palette of the published demo."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Smd
from dense import levels
from layer_files import Folder, Item, Paint, cropped, kra, ora, painted, psd_layers, soft_shape
from picture_files import psd as flat_psd
from PIL import Image

from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import ImageMask

SHAPE = soft_shape()
SIZE = (120, 90)
GROUND = painted(np.full((90, 120), 255, np.uint8), (255, 255, 255))
PIXELS, CORNER = cropped(painted(SHAPE))
BAR = painted(np.full((20, 50), 255, np.uint8))
WRITERS: dict[str, Callable[..., Path]] = {"ora": ora, "kra": kra, "psd": psd_layers}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def town() -> list[Item]:
    """Two in a group, a hidden one, two of one name, and what lies below."""
    fox = Paint("a fox", PIXELS, CORNER, opacity=204)
    return [
        Paint("a house", BAR, (5, 3), visible=False),
        Folder("animals", [fox, Paint("a house", BAR, (60, 5))], opacity=204),
        Paint("2", BAR, (60, 60)),
        Paint("grass", GROUND),
    ]


@pytest.mark.parametrize("kind", WRITERS)
def test_every_layer_is_a_brush_whose_mask_stays_in_the_document(smd: Smd, kind: str) -> None:
    file = WRITERS[kind](Path(f"town.{kind}"), SIZE, town())
    result = smd(["init", "new/town", "--from", f"town.{kind}"])
    assert result.code == 0
    assert result.out.split() == ["new/town/scene.schema.json", "new/town/scene.yaml"]
    scene_file = load_scene("new/town/scene.yaml")
    scene = scene_file.scene
    assert (scene.size, scene.background.prompt) == (SIZE, "grass")
    assert [(b.name, b.prompt, b.enabled) for b in scene.brushes] == [
        ("layer 2", "layer 2", True),
        ("a house", "a house", True),
        ("a fox", "a fox", True),
        ("a house-2", "a house", False),
    ]
    parts = [brush.mask[0] for brush in scene.brushes]
    masks = [part for part in parts if isinstance(part, ImageMask)]
    assert [m.layer for m in masks] == ["2", "animals/a house", "a fox", "a house"]
    assert {(m.channel, m.written) for m in masks} == {("alpha", f"../../town.{kind}")}
    share = (BAR.shape[0] * BAR.shape[1]) / (120 * 90)
    assert result.err.splitlines()[:2] == [
        "note: layer 'grass': all, the background",
        f"note: layer '2': {share:.1%}, brush layer 2".replace("%", " %"),
    ]
    brushes = paint_scene(scene_file).brushes
    assert np.abs(levels(brushes[2].paint) - SHAPE * 0.64).max() <= 1
    assert smd(["check", "new/town/scene.yaml"]).code == 0
    edited = [Paint("a fox", BAR, (0, 0)), *town()[2:]]
    WRITERS[kind](file, SIZE, edited)
    again = load_scene("new/town/scene.yaml", only=["a fox"])
    assert levels(paint_scene(again).brushes[0].paint)[:20, :50].min() == 255


def test_a_bottom_layer_with_holes_is_a_brush(smd: Smd) -> None:
    ora(Path("town.ora"), SIZE, [Paint("a fox", PIXELS, CORNER), Paint("sand", BAR)])
    assert smd(["init", "new", "--from", "town.ora"]).code == 0
    scene = load_scene("new/scene.yaml").scene
    assert (scene.background.prompt, len(scene.brushes)) == ("white", 2)
    assert smd(["check", "new/scene.yaml"]).code == 0


def test_names_that_yaml_would_read_otherwise_are_quoted(smd: Smd) -> None:
    names = ["null", "a: b # c", "- x", '"', "~", "Füchse 狐", "yes", "1e3", "{", "it's"]
    kra(Path("~ town.kra"), SIZE, [Paint(name, BAR) for name in names])
    result = smd(["init", "new", "--from", "~ town.kra"])
    assert result.code == 0
    brushes = load_scene("new/scene.yaml").scene.brushes
    assert [brush.name for brush in brushes] == names[::-1]
    assert [brush.prompt for brush in brushes] == names[::-1]
    assert len(paint_scene(load_scene("new/scene.yaml")).brushes) == len(names)
    here = smd(["init", "--from", "~ town.kra"])
    assert (here.code, paint_scene(load_scene("scene.yaml")).size) == (0, SIZE)


def test_layers_that_can_be_no_masks_are_left_out_and_told(smd: Smd) -> None:
    layers = [Paint("a fox", PIXELS, CORNER), Paint("", BAR), Paint("lines", BAR)]
    kra(Path("old.kra"), SIZE, layers)
    with zipfile.ZipFile("old.kra") as old, zipfile.ZipFile("town.kra", "w") as new:
        for name in old.namelist():
            parts = old.read(name).split(b"<layer ")
            as_vectors = [p.replace(b"paintl", b"shapel") if b'"lines"' in p else p for p in parts]
            new.writestr(name, b"<layer ".join(as_vectors))
    result = smd(["init", "new", "--from", "town.kra"])
    assert result.code == 0
    assert "note: a layer without a name is left out: no mask can name it\n" in result.err
    assert "note: layer 'lines' is left out: it is a vector layer, which holds no " in result.err
    assert [b.name for b in load_scene("new/scene.yaml").scene.brushes] == ["a fox"]


def test_layers_of_one_name_in_one_place_are_refused(smd: Smd, folder: Path) -> None:
    ora(Path("town.ora"), SIZE, [Paint("a fox", PIXELS, CORNER), Paint("a fox", BAR)])
    result = smd(["init", "new", "--from", "town.ora"])
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: 'town.ora' has 2 layers named 'a fox'\nhint: give each layer a name of its own\n"
    )
    assert not (folder / "new").exists()


def test_nothing_is_replaced(smd: Smd, folder: Path) -> None:
    ora(Path("town.ora"), SIZE, town())
    (folder / "scene.yaml").write_text("mine", encoding="utf-8")
    assert smd(["init", "--from", "town.ora"]).code == 2
    assert (folder / "scene.yaml").read_text(encoding="utf-8") == "mine"
    assert not (folder / "scene.schema.json").exists()


@pytest.mark.parametrize(
    ("size", "layers", "message"),
    [
        ((60, 90), town(), "error: 'town.ora' measures 60x90: a canvas has from 64 to 8192 px"),
        (SIZE, [Paint("grass", GROUND)], "error: 'town.ora' has no layer that can be a mask\n"),
    ],
    ids=["tiny", "ground alone"],
)
def test_what_is_no_start_is_refused(smd: Smd, size: Any, layers: Any, message: str) -> None:
    ora(Path("town.ora"), size, layers)
    result = smd(["init", "new", "--from", "town.ora"])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)


def test_a_psd_without_layers_is_a_painting_of_colours(smd: Smd) -> None:
    red = np.full((90, 120), 255, np.uint8)
    flat_psd(Path("flat.psd"), [red, np.zeros_like(red), np.zeros_like(red)], 3)
    result = smd(["init", "new", "--from", "flat.psd"])
    assert (result.code, result.err) == (0, "note: #ff0000: 100.0 %, brush red\n")


# The demo's palette


def palette(**other: object) -> dict[str, object]:
    """What the demo exports."""
    return {
        "current_palette": 0,
        "model_id": "Blazing Drive V11m",
        "active_palettes": 3,
        "prompt_names": ["🌄 Background", "👧 Girl", "🐶 Dog", "🎨 New Palette", "unseen"],
        "prompts": ["grass", "a fox", "an owl: big # one", "", "a cat"],
        "neg_prompts": ["humans", "bad", "", "bad", "bad"],
        "prompt_strengths": [1.0, 0.8, 1.0, 1.0],
        "mask_strengths": [0.99, 1.0, 1.0, 1.0],
        "mask_stds": [0.0, 12.5, 0.0, 0.0],
        "seed": 2024,
        **other,
    }


def test_a_palette_is_a_scene_with_a_map_to_paint_on(smd: Smd) -> None:
    Path("palette.json").write_text(json.dumps(palette()), encoding="utf-8")
    result = smd(["init", "new", "--from", "palette.json"])
    assert result.code == 0
    assert result.out.split()[1:] == ["new/map.png", "new/scene.yaml"]
    assert result.err == "note: #2692f3: brush 👧 Girl\nnote: #f89e12: brush 🐶 Dog\n"
    scene_file = load_scene("new/scene.yaml")
    scene = scene_file.scene
    assert (scene.seed, scene.background.prompt) == (2024, "grass")
    assert scene.background.negative == "humans"
    girl, dog = scene.brushes
    assert (girl.name, girl.prompt, girl.negative) == ("👧 Girl", "a fox", "bad")
    assert (girl.alpha, girl.blur_px, girl.strength) == (0.99, 0.0, 1.0)
    assert (dog.prompt, dog.negative) == ("an owl: big # one", "")
    assert (dog.alpha, dog.blur_px, dog.strength) == (1.0, 12.5, 0.8)
    painted_scene = paint_scene(scene_file)
    assert painted_scene.size == (768, 512)
    discs = [levels(brush.paint) for brush in painted_scene.brushes]
    assert all(one.max() == 255 for one in discs)
    assert not (np.minimum(*discs) > 0).any()
    assert smd(["check", "new/scene.yaml"]).code == 0
    with Image.open("new/map.png") as picture:
        assert picture.getpixel((192, 256)) == (0x26, 0x92, 0xF3, 255)


def test_the_drawing_of_the_demo_takes_the_maps_place(smd: Smd) -> None:
    Path("palette.json").write_text(json.dumps(palette()), encoding="utf-8")
    smd(["init", "new", "--from", "palette.json"])
    drawing = Image.new("RGBA", (192, 96))
    drawing.paste((0x26, 0x92, 0xF3, 255), (0, 0, 50, 96))
    drawing.paste((0xF8, 0x9E, 0x12, 255), (50, 0, 100, 96))
    drawing.save("new/map.png")
    painted_scene = paint_scene(load_scene("new/scene.yaml"))
    assert painted_scene.size == (192, 96)
    assert [brush.paint.share for brush in painted_scene.brushes] == [50 / 192, 50 / 192]


def test_a_seed_below_zero_is_a_random_one(smd: Smd) -> None:
    Path("p.json").write_text(json.dumps(palette(seed=-1, active_palettes=None)), encoding="utf-8")
    assert smd(["init", "new", "--from", "p.json"]).code == 0
    assert "seed: random\n" in Path("new/scene.yaml").read_text(encoding="utf-8")
    names = [brush.name for brush in load_scene("new/scene.yaml").scene.brushes]
    assert names == ["👧 Girl", "🐶 Dog", "unseen"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no palette of the demo: no JSON object"),
        ("[1]", "no palette of the demo: no JSON object"),
        ("[" * 99_999, "no palette of the demo: no JSON object"),
        ("{}", "no palette of the demo: its 'prompts' is no list of texts"),
        (json.dumps(palette(prompt_names=[1])), "its 'prompt_names' is no list of texts"),
        (json.dumps(palette(prompts=[])), "it has 0 prompts and 5 names"),
        (json.dumps(palette(prompt_names=["a"])), "it has 5 prompts and 1 names"),
        (json.dumps(palette(prompts=["x", "", ""])), "has 0 palettes with a prompt"),
    ],
    ids=range(8),
)
def test_what_is_no_palette_is_refused(smd: Smd, text: str, message: str) -> None:
    Path("p.json").write_text(text, encoding="utf-8")
    result = smd(["init", "new", "--from", "p.json"])
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "hint: " in result.err


def test_a_palette_that_is_missing(smd: Smd) -> None:
    result = smd(["init", "new", "--from", "p.json"])
    assert result.err == "error: 'p.json' cannot be opened: no such file or directory\n"
