"""Paint against hand values: tiny images of every kind, and shapes with known areas."""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dense import dense
from PIL import Image

from smd_cli.errors import KeyPath, Place, SceneError
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import background_picture, canvas_size, paint_brushes, paint_scene
from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import (
    MaskImage,
    PictureError,
    picture_size,
    read_mask,
)
from smd_cli.scene.types import (
    Background,
    Brush,
    Channel,
    EllipseMask,
    Fit,
    ImageMask,
    Length,
    MaskPart,
    Output,
    PolygonMask,
    RectMask,
    Sampler,
    Scene,
    SceneFile,
)

SIZE = (64, 64)
HALF_A_LEVEL = 0.5 / 255 + 1e-6  # paint has 8 bits


def lengths(*values: float | str) -> list[Length]:
    return [
        Length(float(v[:-1]) / 100, "share") if isinstance(v, str) else Length(v) for v in values
    ]


def rect(*values: float | str, invert: bool = False) -> RectMask:
    x, y, width, height = lengths(*values)
    return RectMask(x, y, width, height, invert)


def ellipse(*values: float | str, invert: bool = False) -> EllipseMask:
    x, y, width, height = lengths(*values)
    return EllipseMask(x, y, width, height, invert)


def polygon(*corners: tuple[float | str, float | str], invert: bool = False) -> PolygonMask:
    return PolygonMask(tuple((lengths(x)[0], lengths(y)[0]) for x, y in corners), invert)


def scene_of(
    *masks: Sequence[MaskPart],
    muted: Sequence[int] = (),
    background: Background | None = None,
    size: tuple[int, int] | None = None,
) -> SceneFile:
    """A scene with a brush a mask; the mask of brush i (from 0) stands in line 10 + i."""
    brushes = tuple(
        Brush(i + 1, f"prompt {i}", tuple(parts), enabled=i not in muted)
        for i, parts in enumerate(masks)
    )
    below = background or Background()
    scene = Scene(ModelRef("a/b"), below, brushes, Sampler(), Output(), size=size)
    places: dict[KeyPath, Place] = {
        ("brushes", i, "mask"): Place("s.yaml", 10 + i, 5, "    mask: x") for i in range(len(masks))
    }
    places["background", "image"] = Place("s.yaml", 3, 3, "  image: x")
    return SceneFile(scene, "s", "s.yaml", "", (), places)


def paint_of(*parts: MaskPart, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    return dense(paint_brushes(scene_of(parts), size)[0].paint)


# Shapes


def test_a_rectangle_on_whole_pixels_is_exact() -> None:
    expected = np.zeros((64, 64))
    expected[20:50, 10:30] = 1
    assert (paint_of(rect(10, 20, 20, 30)) == expected).all()


def test_a_rectangle_between_pixels_covers_them_in_part() -> None:
    paint = paint_of(rect(10.25, 20, 1.5, 0.5))
    assert paint[20, 10] == pytest.approx(0.75 * 0.5, abs=HALF_A_LEVEL)
    assert paint[20, 11] == pytest.approx(0.75 * 0.5, abs=HALF_A_LEVEL)
    assert np.count_nonzero(paint) == 2


def test_percentages_count_from_the_canvas_sides() -> None:
    paint = paint_of(rect("25%", "50%", "12.5%", "25%"), size=(80, 64))
    assert paint[32:48, 20:30].all()
    assert paint.sum() == 160


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (ellipse(10, 10, 40, 20), math.pi * 20 * 10),
        (ellipse(3.3, 5.7, 50.2, 31.9), math.pi * 25.1 * 15.95),
        (ellipse(30, 30, 2, 2), math.pi),
        (ellipse(44, 10, 40, 40), math.pi * 400 / 2),  # half of it lies off the canvas
        (ellipse(-20, -20, 40, 40), math.pi * 400 / 4),
        (polygon((5, 5), (55, 12), (20, 60)), abs(50 * 55 - 7 * 15) / 2),
        (polygon((20, 60), (55, 12), (5, 5)), abs(50 * 55 - 7 * 15) / 2),  # the other way round
        (polygon((0, 0), (64, 0), (64, 64), (32, 32), (0, 64)), 64 * 64 - 32 * 32),  # concave
        (polygon((-50, -50), (150, -50), (150, 150), (-50, 150)), 64 * 64),
        (polygon((10, 10), (30, 10), (10, 30), (30, 30)), 200),  # crosses itself: two triangles
        (polygon((10, 10), (20, 10), (30, 10)), 0),  # no area
        (rect(-10, -10, 20, 30), 10 * 20),
    ],
)
def test_a_shape_covers_its_area(shape: MaskPart, area: float) -> None:
    paint = paint_of(shape)
    assert paint.sum() == pytest.approx(area, rel=2e-3, abs=0.02)
    assert paint.min() == 0 or area == 64 * 64
    assert paint.max() <= 1


def test_edges_are_antialiased_by_the_share_they_cover() -> None:
    paint = paint_of(polygon((0, 0), (64, 64), (0, 64)))  # below the diagonal
    assert np.diag(paint) == pytest.approx(0.5, abs=HALF_A_LEVEL)
    assert (paint[np.tril_indices(64, -1)] == 1).all()
    assert (paint[np.triu_indices(64, 1)] == 0).all()


def test_a_pentagram_has_no_hole() -> None:
    turn = [2 * math.pi * 2 * k / 5 for k in range(5)]
    star = polygon(*((32 + 30 * math.sin(a), 32 - 30 * math.cos(a)) for a in turn))
    assert paint_of(star)[32, 32] == 1


@pytest.mark.parametrize("shape", [rect, ellipse])
def test_an_inverted_shape_is_the_rest(shape: Callable[..., MaskPart]) -> None:
    both = paint_of(shape(10, 10, 20.5, 30)) + paint_of(shape(10, 10, 20.5, 30, invert=True))
    assert both == pytest.approx(np.ones((64, 64)))


def test_an_inverted_polygon_is_the_rest() -> None:
    paint = paint_of(polygon((0, 0), (64, 0), (0, 64), invert=True))
    assert paint.sum() == pytest.approx(64 * 64 / 2, rel=1e-3)


def test_parts_join_by_their_maximum() -> None:
    painted = paint_brushes(scene_of([rect(0, 0, 20, 20), rect(10, 10, 20, 20)]), SIZE)[0]
    assert dense(painted.paint).sum() == 400 + 400 - 100
    assert painted.sources == ("rect 0,0 20x20", "rect 10,10 20x20")


# Image files, of every kind


def png(
    path: Path, size: tuple[int, int], depth: int, colour: int, rows: bytes, *chunks: bytes
) -> Path:
    """Write a PNG by hand: `rows` are the scan lines' bytes without filter bytes."""
    stride = len(rows) // size[1] if rows else 0
    lines = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(size[1]))
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    body = (b"IHDR" + header, *chunks, b"IDAT" + zlib.compress(lines if rows else b""), b"IEND")
    framed = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c) & 0xFFFFFFFF)
        for c in body
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    return path


def saved(path: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    picture = Image.fromarray(np.asarray(pixels))
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


def read(path: Path, canvas: tuple[int, int], **options: Any) -> MaskImage:
    return read_mask(path, path.name, canvas, **options)


GREY = np.array([[0, 51], [204, 255]], dtype=np.uint8)  # 0, 0.2, 0.8, 1
SHARES = np.array([[0, 0.2], [0.8, 1]])


def test_luma_is_taken_where_there_is_no_alpha(tmp_path: Path) -> None:
    mask = read(saved(tmp_path / "m.png", GREY), (2, 2))
    assert (mask.channel, mask.size) == ("luma", (2, 2))
    assert dense(mask.paint) == pytest.approx(SHARES)
    assert dense(mask.paint).dtype == np.float32


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_taken_where_it_varies(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(255 - GREY).convert(mode)
    picture.putalpha(Image.fromarray(GREY))
    picture.save(tmp_path / "m.png")
    mask = read(tmp_path / "m.png", (2, 2))
    assert mask.channel == "alpha"
    assert dense(mask.paint) == pytest.approx(SHARES)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_luma_is_taken_where_alpha_is_the_same_everywhere(tmp_path: Path, alpha: int) -> None:
    picture = Image.fromarray(GREY).convert("RGBA")
    picture.putalpha(alpha)
    picture.save(tmp_path / "m.png")
    mask = read(tmp_path / "m.png", (2, 2))
    assert mask.channel == "luma"
    assert dense(mask.paint) == pytest.approx(SHARES)


@pytest.mark.parametrize(
    ("channel", "share"),
    [("red", 1.0), ("green", 0.4), ("blue", 0.2), ("alpha", 0.6)],
)
def test_a_channel_can_be_named(tmp_path: Path, channel: Channel, share: float) -> None:
    path = saved(tmp_path / "m.png", np.full((2, 2, 4), (255, 102, 51, 153), dtype=np.uint8))
    mask = read(path, (2, 2), channel=channel)
    assert mask.channel == channel
    assert dense(mask.paint) == pytest.approx(np.full((2, 2), share))
    assert dense(read(path, (2, 2), channel=channel, invert=True).paint) == pytest.approx(
        np.full((2, 2), 1 - share), abs=1e-6
    )


def test_luma_weighs_the_colours_as_television_does(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", np.full((2, 2, 3), (255, 102, 51), dtype=np.uint8))
    expected = 0.299 * 1 + 0.587 * 0.4 + 0.114 * 0.2
    assert dense(read(path, (2, 2)).paint) == pytest.approx(
        np.full((2, 2), expected), abs=0.5 / 255
    )


def test_16_bit_grey_is_rounded_to_the_nearest_level(tmp_path: Path) -> None:
    path = png(tmp_path / "m.png", (2, 1), 16, 0, struct.pack(">2H", 1, 40000))
    mask = read(path, (2, 1))
    assert mask.channel == "luma"
    assert dense(mask.paint).tolist() == [
        pytest.approx([1 / 65535, 40000 / 65535], abs=HALF_A_LEVEL)
    ]


def test_16_bit_grey_with_alpha(tmp_path: Path) -> None:
    path = png(tmp_path / "m.png", (2, 1), 16, 4, struct.pack(">4H", 65535, 0, 65535, 40000))
    mask = read(path, (2, 1))
    assert mask.channel == "alpha"
    assert dense(mask.paint) == pytest.approx(np.array([[0, 40000 / 65535]]), abs=1 / 255)


def test_16_bit_colour_with_alpha(tmp_path: Path) -> None:
    values = struct.pack(">8H", 0, 0, 0, 65535, 0, 0, 0, 20000)
    mask = read(png(tmp_path / "m.png", (2, 1), 16, 6, values), (2, 1))
    assert mask.channel == "alpha"
    assert dense(mask.paint) == pytest.approx(np.array([[1, 20000 / 65535]]), abs=1 / 255)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_grey_png_with_one_transparent_value(tmp_path: Path, depth: int) -> None:
    values = bytes([7, 9]) if depth == 8 else struct.pack(">2H", 7, 9)
    path = png(tmp_path / "m.png", (2, 1), depth, 0, values, b"tRNS" + struct.pack(">H", 7))
    mask = read(path, (2, 1))
    assert mask.channel == "alpha"
    assert dense(mask.paint).tolist() == [[0, 1]]


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    chunks = (b"PLTE" + bytes([255, 0, 0, 0, 255, 0]), b"tRNS" + bytes([51, 255]))
    mask = read(png(tmp_path / "m.png", (2, 1), 8, 3, bytes([0, 1]), *chunks), (2, 1))
    assert mask.channel == "alpha"
    assert dense(mask.paint) == pytest.approx(np.array([[0.2, 1]]))


def test_a_palette_without_transparency(tmp_path: Path) -> None:
    chunk = b"PLTE" + bytes([255, 255, 255, 0, 0, 0])
    mask = read(png(tmp_path / "m.png", (2, 1), 8, 3, bytes([0, 1]), chunk), (2, 1))
    assert mask.channel == "luma"
    assert dense(mask.paint).tolist() == [[1, 0]]


def test_one_bit(tmp_path: Path) -> None:
    mask = read(png(tmp_path / "m.png", (2, 1), 1, 0, bytes([0b01000000])), (2, 1))
    assert dense(mask.paint).tolist() == [[0, 1]]


@pytest.mark.parametrize(("name", "ink"), [("m.jpg", "CMYK"), ("m.tif", "CMYK")])
def test_cmyk(tmp_path: Path, name: str, ink: str) -> None:
    path = saved(tmp_path / name, np.repeat([[0] * 32, [255] * 32], 16, axis=0).astype("u1"), ink)
    mask = read(path, (32, 32))
    assert dense(mask.paint)[:8] == pytest.approx(np.zeros((8, 32)), abs=0.03)
    assert dense(mask.paint)[24:] == pytest.approx(np.ones((8, 32)), abs=0.03)


def test_a_floating_point_tiff(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.tif", np.array([[0.125, 1.01], [-0.01, 0.7]], dtype=np.float32))
    assert dense(read(path, (2, 2)).paint) == pytest.approx(
        np.array([[0.125, 1], [0, 0.7]]), abs=HALF_A_LEVEL
    )


@pytest.mark.parametrize("bad", [255.0, -3.0, math.nan, math.inf])
def test_floating_point_values_far_outside_are_refused(tmp_path: Path, bad: float) -> None:
    path = saved(tmp_path / "m.tif", np.array([[0, bad]], dtype=np.float32))
    with pytest.raises(PictureError) as caught:
        read(path, (2, 1))
    assert str(caught.value) == (
        "error: 'm.tif' holds floating-point values outside 0..1\n"
        "hint: 0 is unpainted and 1 is painted"
    )


@pytest.mark.parametrize(
    ("name", "dtype", "white"), [("m.tif", "u2", 65535), ("m.tif", "i4", 2**31 - 1)]
)
def test_deep_tiffs_count_from_their_full_range(
    tmp_path: Path, name: str, dtype: str, white: int
) -> None:
    path = saved(tmp_path / name, np.array([[0, white // 5, white]], dtype=dtype))
    assert dense(read(path, (3, 1)).paint) == pytest.approx(np.array([[0, 0.2, 1]]), abs=1e-4)


def test_a_deep_pnm(tmp_path: Path) -> None:
    (tmp_path / "m.pgm").write_bytes(b"P5 3 1 65535 " + struct.pack(">3H", 0, 13107, 65535))
    assert dense(read(tmp_path / "m.pgm", (3, 1)).paint) == pytest.approx(np.array([[0, 0.2, 1]]))


@pytest.mark.parametrize("name", ["m.gif", "m.png", "m.webp"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, name: str) -> None:
    first, second = (Image.new("RGB", (16, 16), c) for c in ("white", "black"))
    first.save(tmp_path / name, save_all=True, append_images=[second], duration=100)
    assert dense(read(tmp_path / name, (16, 16)).paint).min() > 0.98


@pytest.mark.parametrize("name", ["m.bmp", "m.tga", "m.ppm", "m.webp", "m.jpg"])
def test_other_formats(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, np.repeat(GREY, 16, axis=0).repeat(16, axis=1), "RGB")
    expected = SHARES.repeat(16, axis=0).repeat(16, axis=1)
    assert abs(dense(read(path, (32, 32)).paint) - expected).mean() < 0.02


@pytest.mark.parametrize("name", ["m.png", "m.jpg", "m.webp", "m.tif"])
@pytest.mark.parametrize(
    ("turn", "white"),  # where EXIF's turn brings the stored top left quarter
    [
        (1, "top left"),
        (2, "top right"),
        (3, "bottom right"),
        (4, "bottom left"),
        (5, "top left"),
        (6, "top right"),
        (7, "bottom right"),
        (8, "bottom left"),
    ],
)
def test_exif_turns(tmp_path: Path, name: str, turn: int, white: str) -> None:
    stored = np.zeros((16, 32), dtype=np.uint8)
    stored[:8, :16] = 255
    exif = Image.Exif()
    exif[274] = turn
    path = saved(tmp_path / name, stored, exif=exif)
    size = (16, 32) if turn >= 5 else (32, 16)
    mask = read(path, size)
    assert mask.size == picture_size(path, "m") == size
    rows = slice(0, size[1] // 2) if "top" in white else slice(size[1] // 2, None)
    columns = slice(0, size[0] // 2) if "left" in white else slice(size[0] // 2, None)
    expected = np.zeros(size[::-1])
    expected[rows, columns] = 1
    assert abs(dense(mask.paint) - expected).mean() < 0.01


def test_damaged_exif_spoils_no_picture(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.jpg", np.full((16, 16), 255, dtype=np.uint8), exif=b"Exif\0\0junk")
    assert dense(read(path, (16, 16)).paint).min() == 1


# Scaling


def test_whole_ratios_give_exact_means(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8), dtype=np.uint8)
    paint = dense(read(saved(tmp_path / "m.png", pixels), (4, 6)).paint)
    means = pixels.reshape(6, 2, 4, 2).mean(axis=(1, 3)) / 255
    assert paint == pytest.approx(means, abs=1.01 / 255)


@pytest.mark.parametrize("side", [100, 250, 256, 300, 501])
@pytest.mark.parametrize("deep", [False, True])
def test_scaling_keeps_the_area_and_rings_nowhere(tmp_path: Path, side: int, deep: bool) -> None:
    disc = (np.hypot(*np.mgrid[-127.5:128, -127.5:128]) < 100) * 255
    pixels = (disc * 257).astype("u2") if deep else disc.astype("u1")
    paint = dense(read(saved(tmp_path / "m.png", pixels), (side, side)).paint)
    assert paint.mean() == pytest.approx(disc.mean() / 255, abs=0.002)
    assert paint.min() == 0
    assert paint.max() == 1
    assert not paint[: side // 20].any()
    assert (paint[side // 2] == 1).sum() >= 200 / 256 * side - 6


def test_a_huge_jpeg_scales_while_it_is_decoded(tmp_path: Path) -> None:
    pixels = np.zeros((1024, 1024), dtype=np.uint8)
    pixels[:512] = 255
    paint = dense(read(saved(tmp_path / "m.jpg", pixels), (64, 64)).paint)
    assert paint == pytest.approx(np.repeat([[1.0], [0.0]], 32, axis=0).repeat(64, axis=1))


@pytest.mark.parametrize(
    ("fit", "columns"),
    [("stretch", (0, 32)), ("contain", (16, 32)), ("cover", (-16, 32))],
)
def test_fit_says_how_another_aspect_ratio_is_met(
    tmp_path: Path, fit: Fit, columns: tuple[int, int]
) -> None:
    pixels = np.zeros((128, 64), dtype=np.uint8)  # twice as high as wide
    pixels[:, :32] = 255
    paint = dense(read(saved(tmp_path / "m.png", pixels), SIZE, fit=fit).paint)
    expected = np.zeros(SIZE)
    expected[:, max(columns[0], 0) : columns[1]] = 1
    assert paint == pytest.approx(expected, abs=0.01)


def test_what_contain_leaves_free_stays_unpainted_when_inverted(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", np.zeros((128, 64), dtype=np.uint8))
    paint = dense(read(path, SIZE, fit="contain", invert=True).paint)
    assert paint[:, 16:48].all()
    assert paint.sum() == 64 * 32


def test_cover_takes_the_middle(tmp_path: Path) -> None:
    pixels = np.zeros((128, 64), dtype=np.uint8)
    pixels[32:64] = 255
    paint = dense(read(saved(tmp_path / "m.png", pixels), SIZE, fit="cover").paint)
    assert paint[:32].min() == 1
    assert paint[32:].max() == 0


def test_an_aspect_ratio_may_differ_by_one_latent_cell(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", np.full((56, 64), 255, dtype=np.uint8))
    assert dense(read(path, SIZE).paint).min() == 1
    path = saved(tmp_path / "m.png", np.full((55, 64), 255, dtype=np.uint8))
    with pytest.raises(PictureError) as caught:
        read(path, SIZE)
    assert str(caught.value) == (
        "error: 'm.png' measures 64x55, another aspect ratio than the canvas' 64x64\n"
        "hint: a layer cropped on export? export it at 64x64, or place it with at: [x, y]; "
        "else say how with fit: stretch, contain or cover"
    )
    path = saved(tmp_path / "m.png", np.full((80, 64), 255, dtype=np.uint8))
    with pytest.raises(PictureError) as caught:
        read(path, SIZE)
    assert caught.value.hint == "say how with fit: stretch, contain or cover"


# What cannot be read


def refusal(path: Path, written: str | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        read_mask(path, written or path.name, SIZE)
    return str(caught.value)


def test_a_missing_file_names_the_closest(tmp_path: Path) -> None:
    (tmp_path / "Fox.png").touch()
    (tmp_path / "owl.png").touch()
    assert refusal(tmp_path / "foks.png", "masks/foks.png") == (
        "error: there is no file 'masks/foks.png'\n"
        f"hint: did you mean {str(Path('masks/Fox.png'))!r}?"
    )
    assert refusal(tmp_path / "zebra.tiff") == (
        "error: there is no file 'zebra.tiff'\n"
        f"hint: it was looked for in the folder {str(tmp_path)!r}"
    )


def test_a_result_of_ours_is_no_mask_that_was_meant(tmp_path: Path) -> None:
    """Neither what a scene beside it paints by its name, nor what carries a scene."""
    told = "error: there is no file 'treee.png'\n"
    told += f"hint: it was looked for in the folder {str(tmp_path)!r}"
    (tmp_path / "tree.yaml").touch()
    (tmp_path / "tree.png").touch()
    (tmp_path / "trees.png").write_bytes(b"\x89PNG tEXtsmd:scene\0background: sea")
    assert refusal(tmp_path / "treee.png") == told
    (tmp_path / "tre.png").touch()
    assert "did you mean 'tre.png'?" in refusal(tmp_path / "treee.png")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no" / "fox.png", "no/fox.png") == (
        "error: there is no file 'no/fox.png'\nhint: there is no folder 'no' either"
    )


@pytest.mark.skipif(os.name == "nt", reason="backslashes separate folders there")
def test_backslashes_are_explained(tmp_path: Path) -> None:
    assert refusal(tmp_path / "masks\\fox.png", "masks\\fox.png") == (
        "error: there is no file 'masks\\fox.png'\nhint: paths are written with /: masks/fox.png"
    )


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path, "masks") == "error: 'masks' is a folder, not an image"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders there")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert refusal(tmp_path / "pipe.png") == "error: 'pipe.png' is not a regular file"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "m.png").touch()
    assert refusal(tmp_path / "m.png") == "error: 'm.png' is empty"


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert refusal(tmp_path / "a" / "m.png", "a/m.png") == (
        "error: there is no file 'a/m.png'\nhint: there is no folder 'a' either"
    )


@pytest.mark.skipif(os.name == "nt", reason="the sentences are the system's")
def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    name = "m" * 300
    assert refusal(tmp_path / name) == f"error: '{name}' cannot be opened: file name too long"
    assert refusal(tmp_path / "a\0\nb") == "error: 'a??b' cannot be opened: embedded null byte"


READABLE = "hint: smd reads PNG, JPEG, WebP, TIFF, GIF, BMP, PNM, TGA, PSD, ORA, KRA, "
READABLE += "JPEG 2000 and AVIF"


@pytest.mark.parametrize(
    "content", [b"hello, this is a note\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 100, b"\x89PNG"]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    assert refusal(tmp_path / "notes.txt") == (
        f"error: 'notes.txt' is not an image that can be read\n{READABLE}"
    )


def test_a_drawing(tmp_path: Path) -> None:
    (tmp_path / "fox.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert refusal(tmp_path / "fox.svg") == (
        "error: 'fox.svg' is not an image that can be read\nhint: export the drawing as PNG"
    )


DAMAGED = "is damaged: it cannot be read to its end\nhint: save or copy the file again"


@pytest.mark.parametrize("name", ["m.png", "m.jpg", "m.webp", "m.tif", "m.gif", "m.bmp"])
def test_a_truncated_file(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = saved(tmp_path / name, pixels)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(path) in (
        f"error: '{name}' {DAMAGED}",
        f"error: '{name}' is not an image that can be read\n{READABLE}",
    )


def test_a_truncated_png_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", np.eye(64, dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:60])
    assert refusal(path) == f"error: 'm.png' {DAMAGED}"


def test_flipped_bytes_never_get_through_as_another_exception(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
    for name in ("m.png", "m.gif", "m.tif", "m.bmp", "m.jpg", "m.webp"):
        whole = saved(tmp_path / name, pixels).read_bytes()
        for _ in range(40):
            broken = bytearray(whole)
            for at in random.integers(0, min(len(whole), 200), 4):
                broken[at] = random.integers(0, 256)
            (tmp_path / name).write_bytes(bytes(broken))
            with suppress(PictureError):
                assert dense(read(tmp_path / name, SIZE, fit="stretch").paint).shape == (64, 64)


@pytest.mark.parametrize(("side", "millions"), [(60000, 3600), (11600, 135)])
def test_a_decompression_bomb(tmp_path: Path, side: int, millions: int) -> None:
    bomb = png(tmp_path / "bomb.png", (1, 1), 8, 0, b"")
    data = bytearray(bomb.read_bytes())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    bomb.write_bytes(bytes(data))
    assert refusal(bomb) == (
        f"error: 'bomb.png' holds {millions} million pixels; at most 134 million are read\n"
        "hint: scale it down: a picture needs no more pixels than the canvas"
    )


def test_a_picture_between_pillows_warning_and_our_limit_is_read(tmp_path: Path) -> None:
    Image.new("1", (10000, 10000), 1).save(tmp_path / "m.png")
    assert picture_size(tmp_path / "m.png", "m.png") == (10000, 10000)


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path / "m.png", GREY)
    monkeypatch.setattr(Path, "open", deny)
    assert refusal(path) == "error: 'm.png' cannot be opened: permission denied"


def test_alpha_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        read(saved(tmp_path / "m.png", GREY), (2, 2), channel="alpha")
    assert str(caught.value) == (
        "error: 'm.png' has no alpha channel\nhint: leave channel: out to take white = painted"
    )


# Scenes


def mask_file(path: Path, size: tuple[int, int] = SIZE) -> ImageMask:
    saved(path, np.full(size[::-1], 255, dtype=np.uint8))
    return ImageMask(path, path.name)


def test_sources_tell_rule_polarity_and_scale(tmp_path: Path) -> None:
    plain = mask_file(tmp_path / "m.png", (128, 128))
    parts: list[MaskPart] = [
        plain,
        replace(plain, invert=True),
        replace(plain, channel="red", fit="cover"),
        ellipse("25%", 3.5, 10, "50%", invert=True),
        polygon((0, 0), (9, 0), (0, 9)),
    ]
    assert paint_brushes(scene_of(parts), SIZE)[0].sources == (
        "m.png (luma: white = painted, scaled from 128x128)",
        "m.png (luma: black = painted, inverted, scaled from 128x128)",
        "m.png (red: bright = painted, scaled from 128x128, fit cover)",
        "ellipse 25%,3.5 10x50%, inverted",
        "polygon of 3 points",
    )


def test_muted_brushes_are_not_painted(tmp_path: Path) -> None:
    missing = ImageMask(tmp_path / "no.png", "no.png")
    scene = scene_of([rect(0, 0, 9, 9)], [missing], [rect(9, 9, 9, 9)], muted=[1])
    assert [p.brush.number for p in paint_brushes(scene, SIZE)] == [1, 3]


def test_all_problems_of_all_masks_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "masks").mkdir()
    parts = [ImageMask(tmp_path / name, name) for name in ("empty.png", "masks")]
    scene = scene_of(parts, [rect(0, 0, 5, 5)], [rect(64, 0, "10%", 5)], size=SIZE)
    with pytest.raises(SceneError) as caught:
        paint_scene(scene)
    assert str(caught.value) == (
        "s.yaml:10:5: error: 'empty.png' is empty\n      mask: x\n      ^\n"
        "s.yaml:10:5: error: the folder 'masks' holds no pictures\n      mask: x\n      ^\n"
        "s.yaml:12:5: error: the rect 64,0 10%x5 lies wholly outside the 64x64 canvas\n"
        "      mask: x\n      ^"
    )


@pytest.mark.parametrize(
    "shape",
    [
        rect(-10, 0, 10, 5),
        rect("100%", 0, 10, 5),
        ellipse(0, 64, 10, 5),
        polygon((0, -1), (9, -5), (3, -9)),
    ],
)
def test_a_shape_wholly_outside_is_an_error(shape: MaskPart) -> None:
    with pytest.raises(SceneError, match="lies wholly outside the 64x64 canvas"):
        paint_of(shape)


def test_the_canvas_takes_the_scenes_size_first(tmp_path: Path) -> None:
    image = mask_file(tmp_path / "m.png", (80, 72))
    below = Background(image=image.path, image_written="m.png")
    assert canvas_size(scene_of([image], background=below, size=(100, 64))) == (100, 64)


def test_then_the_background_images(tmp_path: Path) -> None:
    image, other = mask_file(tmp_path / "m.png", (80, 72)), mask_file(tmp_path / "o.png")
    below = Background(image=image.path, image_written="m.png")
    assert canvas_size(scene_of([other], background=below)) == (80, 72)


def test_then_the_first_mask_files_muted_or_not(tmp_path: Path) -> None:
    image, other = mask_file(tmp_path / "m.png", (80, 72)), mask_file(tmp_path / "o.png")
    scene = scene_of([rect(0, 0, 5, 5)], [image], [other])
    assert canvas_size(scene) == (80, 72)
    assert canvas_size(scene_of([rect(0, 0, 5, 5)], [image], [other], muted=[1])) == (80, 72)


def test_a_muted_brush_may_lack_its_file(tmp_path: Path) -> None:
    other = mask_file(tmp_path / "o.png", (96, 96))
    missing = ImageMask(tmp_path / "no.png", "no.png")
    assert canvas_size(scene_of([missing], [other], muted=[0])) == (96, 96)


def test_then_the_models_own() -> None:
    assert canvas_size(scene_of([rect(0, 0, 5, 5)])) == (512, 512)


def test_a_canvas_from_masks_tells_of_every_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    empty = ImageMask(tmp_path / "empty.png", "empty.png")
    scene = scene_of([empty], [mask_file(tmp_path / "m.png", (9, 9))], [empty])
    with pytest.raises(SceneError) as caught:
        canvas_size(scene)
    assert [p.place.line for p in caught.value.problems] == [10, 12]


def test_a_canvas_from_a_file_has_its_limits(tmp_path: Path) -> None:
    image = mask_file(tmp_path / "m.png", (80, 48))
    with pytest.raises(SceneError) as caught:
        canvas_size(scene_of([image]))
    assert str(caught.value) == (
        "s.yaml:10:5: error: the canvas takes the size of 'm.png', 80x48, but its sides must be "
        "64..8192 px\n      mask: x\n      ^\n"
        "hint: set the canvas in the scene, as in size: 512x512; at: [x, y] places the mask "
        "unscaled and leaves its size out"
    )


def test_either_way_out_of_a_small_mask_works(tmp_path: Path) -> None:
    image = mask_file(tmp_path / "m.png", (80, 48))
    at = (Length(3), Length(4))
    assert canvas_size(scene_of([replace(image, at=at)])) == (512, 512)
    assert canvas_size(scene_of([image], size=(512, 512))) == (512, 512)


def test_a_small_background_cannot_be_placed(tmp_path: Path) -> None:
    path = saved(tmp_path / "b.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(SceneError, match="sides must be") as caught:
        canvas_size(scene_of(background=Background(image=path, image_written="b.png")))
    [problem] = caught.value.problems
    assert problem.hint == "set the canvas in the scene, as in size: 512x512"


def test_a_background_picture_fills_the_canvas(tmp_path: Path) -> None:
    path = saved(tmp_path / "b.png", np.full((128, 128, 3), (10, 200, 30), dtype=np.uint8))
    below = Background(image=path, image_written="b.png")
    picture = background_picture(scene_of(background=below), SIZE)
    assert picture is not None
    assert picture.levels.shape == (64, 64, 3)
    assert picture.levels.dtype == np.uint8
    assert (picture.levels == (10, 200, 30)).all()
    assert picture.seen is picture.levels
    assert background_picture(scene_of(), SIZE) is None


@pytest.mark.parametrize("alpha", [0, 102, 255])
def test_a_transparent_background_shows_its_colour(tmp_path: Path, alpha: int) -> None:
    path = saved(tmp_path / "b.png", np.full((2, 2, 4), (200, 0, 100, alpha), dtype=np.uint8))
    expected = np.array([200, 0, 100]) * alpha / 255 + np.array([0, 50, 100]) * (1 - alpha / 255)
    picture = read_photo(path, "b.png", (2, 2), under=(0, 50, 100)).seen
    assert abs(picture - expected).max() <= 1


@pytest.mark.parametrize("name", ["b.png", "b.jpg", "b.tif"])
def test_a_grey_cmyk_or_deep_background_is_read(tmp_path: Path, name: str) -> None:
    deep = np.full((16, 16), 40000, dtype="u2")
    if name == "b.jpg":
        saved(tmp_path / name, (deep // 257).astype("u1"), "CMYK")
    else:
        saved(tmp_path / name, deep)
    picture = read_photo(tmp_path / name, name, (16, 16)).seen
    assert abs(picture - 40000 / 257).max() <= 2


def test_a_background_of_another_aspect_ratio_is_an_error(tmp_path: Path) -> None:
    image = mask_file(tmp_path / "b.png", (90, 60))
    below = Background(image=image.path, image_written="b.png")
    with pytest.raises(SceneError) as caught:
        paint_scene(scene_of([rect(99, 0, 5, 5)], background=below, size=SIZE))
    assert [str(p) for p in caught.value.problems] == [
        "s.yaml:3:3: error: 'b.png' measures 90x60, another aspect ratio than the canvas' 64x64\n"
        "    image: x\n    ^\nhint: say how with fit: stretch, contain or cover",
        "s.yaml:10:5: error: the rect 99,0 5x5 lies wholly outside the 64x64 canvas\n"
        "      mask: x\n      ^",
    ]
