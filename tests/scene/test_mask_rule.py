"""Which channel of a picture is its mask, and what is said where that is in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dense import dense
from picture_files import mask_of
from PIL import Image

from smd_cli.errors import Place, Problem
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.paint.pictures import MaskImage, PictureError, read_mask
from smd_cli.scene.types import Background, Brush, ImageMask, Output, Sampler, Scene, SceneFile

MASK = mask_of()
SIZE = (24, 16)


def layer(path: Path, colours: Any, alpha: Any) -> Path:
    """Save a picture of grey `colours` with `alpha`, each a number or an array."""
    planes = [np.broadcast_to(np.asarray(p, dtype=np.uint8), (16, 24)) for p in (colours, alpha)]
    Image.fromarray(np.stack([planes[0]] * 3 + [planes[1]], axis=-1)).save(path)
    return path


def read(path: Path) -> tuple[MaskImage, list[str]]:
    mask = read_mask(path, path.name, SIZE)
    return mask, [note.message for note in mask.notes]


@pytest.mark.parametrize("hidden", [0, 128, 255])
@pytest.mark.parametrize("least", [0, 7])
def test_a_layer_with_nothing_on_it_is_empty_whatever_is_hidden(
    tmp_path: Path, hidden: int, least: int
) -> None:
    alpha = np.zeros((16, 24), dtype=np.uint8)
    alpha[2, 2] = least
    mask, notes = read(layer(tmp_path / "m.png", hidden, alpha))
    assert mask.channel == "alpha"
    assert dense(mask.paint).max() <= least / 255
    assert notes == ["is transparent everywhere: it paints nothing"]


def test_a_drawing_that_is_hidden_everywhere_is_read_and_told(tmp_path: Path) -> None:
    mask, notes = read(layer(tmp_path / "m.png", MASK, 0))
    assert (dense(mask.paint) * 255 == MASK).all()
    assert notes == ["is transparent everywhere: white = painted of what is hidden"]


@pytest.mark.parametrize("least", [248, 254])
def test_alpha_that_hardly_varies_counts_as_the_same_everywhere(tmp_path: Path, least: int) -> None:
    alpha = np.full((16, 24), 255, dtype=np.uint8)
    alpha[0, 0] = least
    mask, notes = read(layer(tmp_path / "m.png", MASK, alpha))
    assert mask.channel == "luma"
    assert (dense(mask.paint) * 255 == MASK).all()
    [note] = notes
    assert note.startswith("has transparency that varies by ")


def test_alpha_that_varies_by_more_is_the_mask(tmp_path: Path) -> None:
    alpha = np.full((16, 24), 100, dtype=np.uint8)
    alpha[:, :12] = 108
    mask, notes = read(layer(tmp_path / "m.png", MASK, alpha))
    assert mask.channel == "alpha"
    assert (dense(mask.paint) * 255 == alpha).all()
    assert notes == []


def test_hidden_colours_do_not_matter_where_alpha_varies(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    for colours in (0, 255, noise):
        mask, notes = read(layer(tmp_path / "m.png", colours, MASK))
        assert (dense(mask.paint) * 255 == MASK).all()
        assert notes == []


def test_a_mask_with_a_transparent_speck_is_told(tmp_path: Path) -> None:
    alpha = np.full((16, 24), 255, dtype=np.uint8)
    alpha[0, 0] = 0
    path = layer(tmp_path / "m.png", MASK, alpha)
    told = "paints 100 % of the canvas, though its colours vary: opaque = painted"
    assert read(path)[1] == [told]
    assert not read_mask(path, "m.png", SIZE, channel="alpha").notes


@pytest.mark.parametrize(
    ("name", "what"),
    [("m.gif", "frames"), ("m.png", "frames"), ("m.webp", "frames"), ("m.tif", "pages")],
)
def test_several_frames_are_told(tmp_path: Path, name: str, what: str) -> None:
    first, other = Image.fromarray(MASK), Image.fromarray(255 - MASK)
    first.save(tmp_path / name, save_all=True, append_images=[other])
    assert read(tmp_path / name)[1] == [f"holds several {what}: the first is used"]
    first.save(tmp_path / name)
    assert read(tmp_path / name)[1] == []


# What a scene tells of it


def scene_of(
    *masks: ImageMask, size: tuple[int, int] | None, keys: tuple[str, ...] = ()
) -> SceneFile:
    brushes = tuple(Brush(i + 1, f"prompt {i}", (mask,)) for i, mask in enumerate(masks))
    scene = Scene(ModelRef("a/b"), Background(), brushes, Sampler(), Output(), size=size)
    places: dict[tuple[str | int, ...], Place] = {
        ("brushes", i, "mask"): Place("s.yaml", 10 + i, 5) for i in range(len(masks))
    }
    places |= {("brushes", 0, "mask", key): Place("s.yaml", 10, 9) for key in keys}
    return SceneFile(scene, "s", "s.yaml", "", (), places)


def test_warnings_name_the_mask_and_stand_at_its_line(tmp_path: Path) -> None:
    path = layer(tmp_path / "m.png", 255, 0)
    [warning] = paint_scene(scene_of(ImageMask(path, "m.png"), size=SIZE)).warnings
    assert warning == Problem(
        Place("s.yaml", 10, 5),
        "'m.png' is transparent everywhere: it paints nothing",
        "channel: alpha settles it; channel: luma takes its hidden colour",
        "warning",
    )
    settled = scene_of(ImageMask(path, "m.png", channel="alpha"), size=SIZE, keys=("channel",))
    assert paint_scene(settled).warnings == ()


def test_a_cropped_layer_of_the_canvas_shape_is_told(tmp_path: Path) -> None:
    disc = (np.hypot(*np.mgrid[-15.5:16, -15.5:16]) < 15.9).astype(np.uint8) * 255
    path = tmp_path / "m.png"
    Image.fromarray(np.stack([disc] * 4, axis=-1)).save(path)
    [warning] = paint_scene(scene_of(ImageMask(path, "m.png"), size=(64, 64))).warnings
    assert warning.message == (
        "'m.png' measures 32x32 and is painted up to all four edges, as a layer cropped on export "
        "is: it is scaled to 64x64"
    )
    fitted = ImageMask(path, "m.png", fit="stretch")
    assert paint_scene(scene_of(fitted, size=(64, 64))).warnings == ()


# Other programs' files


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.xcf", b"gimp xcf v011\0" + bytes(99), "a GIMP document"),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(99), "an HEIC photo"),
        ("a.HEIF", b"\0\0\0\x18ftypmif1" + bytes(99), "an HEIC photo"),
        ("a.clip", b"CSFCHUNK" + bytes(99), "a Clip Studio document"),
        ("a.pdf", b"%PDF-1.7\n" + bytes(99), "a PDF document"),
        ("a.jxl", b"\xff\x0a" + bytes(99), "a JPEG XL picture"),
        ("a.procreate", b"PK\3\4" + bytes(99), "a Procreate document"),
    ],
)
def test_other_programs_documents_are_told_by_name(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    for path in (tmp_path / name, tmp_path / "renamed.png"):
        path.write_bytes(content)
        if path.suffix == ".png" and what == "a Procreate document":
            continue  # only its name tells
        with pytest.raises(PictureError) as caught:
            read_mask(path, path.name, SIZE)
        assert caught.value.message == f"{path.name!r} is {what}, which smd does not read"
        assert caught.value.hint.startswith("export it as PNG")
