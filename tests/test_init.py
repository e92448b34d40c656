"""`smd init`: scenes that check without a warning, masks of a painting's colours, no file lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Smd
from PIL import Image, ImageDraw

from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import ImageMask

RED, BLUE, PURPLE, WHITE = (255, 0, 0), (0, 0, 255), (128, 0, 128), (255, 255, 255)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mask(path: str) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("L"))


def test_the_first_scene_is_right_and_commented(smd: Smd) -> None:
    result = smd(["init", "fox"])
    files = ["fox/scene.schema.json", "fox/masks/ground.png", "fox/masks/fox.png", "fox/scene.yaml"]
    assert (result.code, result.out.split(), result.err) == (0, files, "")
    checked = smd(["check", "fox/scene.yaml"])
    assert (checked.code, checked.err) == (0, "")
    assert Path("fox/scene.yaml").read_text(encoding="utf-8").count("#") > 8
    first = Path("fox/scene.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=scene.schema.json"
    schema = Path("fox/scene.schema.json").read_text(encoding="utf-8")
    assert smd(["schema"]).out == schema
    brushes = load_scene("fox/scene.yaml").scene.brushes
    assert [brush.name for brush in brushes] == ["ground", "fox"]
    parts = [part for brush in brushes for part in brush.mask]
    assert [part.channel for part in parts if isinstance(part, ImageMask)] == ["luma", "alpha"]


def test_the_first_masks_have_soft_edges_and_are_no_circle(smd: Smd) -> None:
    smd(["init"])
    alpha = np.asarray(Image.open("masks/fox.png"))[..., 3]
    soft = int(((alpha > 0) & (alpha < 255)).sum())
    assert 100 < soft < 1500
    down, across = np.nonzero(alpha >= 128)
    reach = np.hypot(down - down.mean(), across - across.mean())
    edge = reach[(alpha[down, across] < 255)]
    assert edge.max() - edge.min() > 5


def test_the_first_scene_renders(smd: Smd) -> None:
    smd(["init", "fox"])
    result = smd(["render", "fox/scene.yaml", "-o", "fox.png"])
    assert (result.code, result.out) == (0, "fox.png\n")
    with Image.open("fox.png") as picture:
        assert picture.size == (256, 256)


@pytest.mark.parametrize("name", ["scene.yaml", "scene.schema.json", "masks/fox.png"])
def test_it_replaces_nothing(smd: Smd, folder: Path, name: str) -> None:
    path = folder / "new" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    result = smd(["init", "new"])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: there is already {Path('new') / name}\nhint: init repl")
    assert [p for p in (folder / "new").rglob("*") if p.is_file()] == [path]
    assert path.read_bytes() == b"mine"


def test_a_file_is_no_folder(smd: Smd, folder: Path) -> None:
    (folder / "first.yaml").write_text("background: sea\n")
    told = smd(["init", "first.yaml"])
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: first.yaml is no folder\nhint: ")


def test_a_link_that_leads_nowhere_is_there(smd: Smd, folder: Path) -> None:
    (folder / "scene.yaml").symlink_to(folder / "elsewhere.yaml")
    assert smd(["init"]).code == 2
    assert not (folder / "elsewhere.yaml").exists()


def painting() -> Image.Image:
    """Red and blue with a border of mixes between them, and flat purple somewhere else."""
    pixels = np.full((96, 128, 3), WHITE, np.uint8)
    pixels[:40, :60], pixels[:40, 60:] = RED, BLUE
    pixels[60:90, 20:50] = PURPLE
    pixels[:40, 60] = (100, 0, 155)  # 39 % red, next to the purple of elsewhere
    pixels[:40, 59] = (140, 0, 115)  # 55 % red
    return Image.fromarray(pixels)


def test_a_painting_gives_a_brush_for_each_colour(smd: Smd) -> None:
    painting().save("town.png")
    result = smd(["init", "town", "--from", "town.png"])
    assert result.code == 0
    names = ["white", "blue", "red", "purple"]
    masks = [f"town/masks/{name}.png" for name in names]
    assert result.out.split() == ["town/scene.schema.json", *masks, "town/scene.yaml"]
    expected = np.zeros((96, 128), np.uint8)
    expected[:40, :60] = 255  # the column of 55 % red too, that of 39 % not
    assert np.array_equal(mask("town/masks/red.png"), expected)
    share = f"{40 * 60 / (96 * 128) * 100:.1f} %"
    assert f"note: #ff0000: {share}, brush red\n" in result.err
    assert len(result.err.splitlines()) == 4
    every = np.stack([mask(f"town/masks/{name}.png") for name in names]).astype(int)
    assert (every.sum(axis=0) == 255).all()
    scene = load_scene("town/scene.yaml").scene
    assert [(brush.name, brush.prompt) for brush in scene.brushes] == [(n, n) for n in names]
    assert scene.size == (128, 96)
    assert smd(["check", "town/scene.yaml"]).code == 0


def test_soft_borders_of_a_drawing_go_to_the_nearer_colour(smd: Smd) -> None:
    """Against a drawing four times as fine: a pixel's owner is who has more of it."""
    fine = Image.new("RGB", (4 * 200, 4 * 160), WHITE)
    draw = ImageDraw.Draw(fine)
    draw.ellipse((100, 80, 500, 520), fill=RED)
    fine.resize((200, 160), Image.Resampling.BOX).save("disc.png")
    smd(["init", "disc", "--from", "disc.png"])
    red = (np.asarray(fine) == RED).all(axis=2).reshape(160, 4, 200, 4).mean(axis=(1, 3))
    sure = np.abs(red - 0.5) > 0.01
    assert np.array_equal((mask("disc/masks/red.png") == 255)[sure], (red > 0.5)[sure])


def test_what_is_transparent_has_no_brush(smd: Smd) -> None:
    layer = Image.new("RGBA", (100, 100), (0, 255, 0, 0))
    ImageDraw.Draw(layer).rectangle((10, 10, 49, 49), fill=(255, 0, 0, 255))
    layer.save("layer.png")
    result = smd(["init", "one", "--from", "layer.png"])
    assert result.out.split()[1:] == ["one/masks/red.png", "one/scene.yaml"]
    assert mask("one/masks/red.png").sum() == 255 * 40 * 40


def test_colours_of_one_name_are_told_apart(smd: Smd) -> None:
    two = Image.new("RGB", (100, 100), (255, 0, 0))
    two.paste((250, 2, 2), (0, 0, 100, 30))
    two.save("two.png")
    result = smd(["init", "two", "--from", "two.png"])
    assert result.out.split()[1:3] == ["two/masks/red.png", "two/masks/red-2.png"]


def photo(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(folder / "p.png")


def many(folder: Path) -> None:
    squares = np.arange(100, dtype=np.uint8).reshape(10, 10).repeat(8, 0).repeat(8, 1)
    Image.fromarray(squares).save(folder / "p.png")


def tiny(folder: Path) -> None:
    Image.new("RGB", (20, 20)).save(folder / "p.png")


def bare(folder: Path) -> None:
    Image.new("RGBA", (80, 80)).save(folder / "p.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (photo, "error: 'p.png' is no painting of flat colours: they cover 0% of it\n"),
        (bare, "error: 'p.png' is no painting of flat colours: they cover 0% of it\n"),
        (many, "error: 'p.png' has 100 flat colours, of which 64 are taken\n"),
        (tiny, "error: 'p.png' measures 20x20: a canvas has from 64 to 8192 px a side\n"),
        (lambda folder: None, "error: there is no file 'p.png'\n"),  # noqa: ARG005
    ],
    ids=["photo", "bare", "many", "tiny", "missing"],
)
def test_what_is_no_painting_is_refused(smd: Smd, folder: Path, make: object, message: str) -> None:
    assert callable(make)
    make(folder)
    result = smd(["init", "new", "--from", "p.png"])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
    assert not (folder / "new").exists()


def test_json_tells_files_and_colours(smd: Smd) -> None:
    painting().save("town.png")
    lines = smd(["init", "town", "--from", "town.png", "--json"]).out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["type"] for event in events] == ["note"] * 4 + ["result"] * 6
