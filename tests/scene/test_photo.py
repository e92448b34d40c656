"""Pictures that are painted into: their own pixels, against Pillow and hand values."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from picture_files import png_chunk
from PIL import Image, ImageCms, ImageOps, features
from test_srgb import wide

from smd_cli.scene.paint.painted import background_picture
from smd_cli.scene.paint.photo import Photo, read_photo
from smd_cli.scene.paint.pictures import PictureError
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Fit

Values = npt.NDArray[Any]
SIZE = (101, 67)
needs_cms = pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without profiles")


def noise(channels: int, most: int = 256, size: tuple[int, int] = SIZE) -> Values:
    kind = np.uint8 if most == 256 else np.uint16
    drawn = np.random.default_rng(1).integers(0, most, (size[1], size[0], channels))
    return np.asarray(drawn, dtype=kind)


def smooth(channels: int, size: tuple[int, int] = SIZE) -> Values:
    """What a filter overshoots nowhere, so that nothing is cut off between its two passes."""
    y, x = np.mgrid[: size[1], : size[0]] / 9
    planes = [128 + 70 * np.sin(x + c) * np.cos(y - c) for c in range(channels)]
    return np.asarray(np.rint(np.stack(planes, axis=2)), dtype=np.uint8)


def deep_file(path: Path, samples: Values, *chunks: bytes) -> Path:
    """A PNG of 16 bits, written by hand."""
    height, width, channels = samples.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = png_chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, kind, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body)
    return path


def photo(path: Path, canvas: tuple[int, int] = SIZE, **options: Any) -> Photo:
    return read_photo(path, path.name, canvas, **options)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_pixels_are_the_files_own(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(noise(4)).convert("RGB" if mode == "P" else mode).convert(mode)
    picture.save(tmp_path / "b.png")
    alpha = mode in ("RGBA", "LA")
    found = photo(tmp_path / "b.png")
    assert np.array_equal(found.levels, np.asarray(picture.convert("RGBA" if alpha else "RGB")))
    assert (found.has_alpha, found.profile, found.size) == (alpha, b"", SIZE)


def test_a_palettes_transparency_is_kept(tmp_path: Path) -> None:
    picture = Image.fromarray(noise(3)).quantize(16)
    picture.save(tmp_path / "b.png", transparency=bytes(range(0, 256, 16)))
    with Image.open(tmp_path / "b.png") as saved:
        expected = np.asarray(saved.convert("RGBA"))
    assert len(np.unique(expected[..., 3])) > 5
    assert np.array_equal(photo(tmp_path / "b.png").levels, expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_kept(tmp_path: Path, channels: int) -> None:
    samples = noise(channels, 65536)
    found = photo(deep_file(tmp_path / "b.png", samples))
    colours = samples[..., : 3 if channels > 2 else 1]
    assert found.levels.dtype == np.uint16
    assert np.array_equal(found.levels[..., :3], np.broadcast_to(colours, (67, 101, 3)))
    if channels in (2, 4):
        assert np.array_equal(found.levels[..., 3], samples[..., -1])
    assert np.abs(found.in_8_bits[..., 0] - samples[..., 0] / 257).max() <= 0.5


@pytest.mark.parametrize("turn", range(1, 9))
def test_it_lies_as_exif_turns_it(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[274] = turn
    picture = Image.fromarray(noise(3))
    picture.save(tmp_path / "b.png", exif=exif)
    with Image.open(tmp_path / "b.png") as saved:
        upright = ImageOps.exif_transpose(saved).convert("RGB")
    assert np.array_equal(photo(tmp_path / "b.png", upright.size).levels, np.asarray(upright))
    deep = noise(3).astype(np.uint16) * 257
    block = png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    found = photo(deep_file(tmp_path / "d.png", deep, block), upright.size)
    assert np.array_equal(found.in_8_bits, np.asarray(upright))


@pytest.mark.parametrize("channels", [3, 4])
def test_at_another_size_it_is_what_pillow_makes_of_it(tmp_path: Path, channels: int) -> None:
    picture = Image.fromarray(noise(channels))
    picture.save(tmp_path / "b.png")
    expected = np.asarray(picture.resize((150, 100), Image.Resampling.LANCZOS))
    assert np.array_equal(photo(tmp_path / "b.png", (150, 100)).levels, expected)
    levels = smooth(channels)
    expected = np.asarray(Image.fromarray(levels).resize((150, 100), Image.Resampling.LANCZOS))
    deep = photo(deep_file(tmp_path / "d.png", levels.astype(np.uint16) * 257), (150, 100))
    assert np.abs(deep.in_8_bits.astype(int) - expected).max() <= (
        3 if channels == 3 else 8
    )  # 8 bits of pale ones


def test_another_aspect_ratio_has_to_be_told(tmp_path: Path) -> None:
    Image.fromarray(noise(3)).save(tmp_path / "b.png")
    with pytest.raises(PictureError, match="another aspect ratio") as caught:
        photo(tmp_path / "b.png", (128, 128))
    assert caught.value.hint == "say how with fit: stretch, contain or cover"


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("deep", [False, True])
def test_fit(tmp_path: Path, fit: Fit, deep: bool) -> None:
    levels = smooth(3, size=(100, 50))
    picture = Image.fromarray(levels)
    picture.save(tmp_path / "b.png")
    if deep:
        deep_file(tmp_path / "b.png", levels.astype(np.uint16) * 257)
    found = photo(tmp_path / "b.png", (80, 80), fit=fit, under=(9, 90, 200)).in_8_bits
    expected = np.full((80, 80, 3), (9, 90, 200), dtype=np.uint8)
    if fit == "stretch":
        expected = np.asarray(picture.resize((80, 80), Image.Resampling.LANCZOS))
    elif fit == "contain":
        expected[20:60] = np.asarray(picture.resize((80, 40), Image.Resampling.LANCZOS))
    else:
        middle = (25.0, 0.0, 75.0, 50.0)
        expected = np.asarray(picture.resize((80, 80), Image.Resampling.LANCZOS, box=middle))
    assert np.abs(found.astype(int) - expected).max() <= (1 if deep else 0)


def test_what_is_transparent_shows_the_colour_under_it() -> None:
    levels = np.full((4, 4, 4), (200, 100, 0, 51), dtype=np.uint8)
    seen = Photo(levels, under=(0, 50, 100)).seen
    expected = [200 * 0.2, 100 * 0.2 + 50 * 0.8, 100 * 0.8]
    assert np.abs(seen[0, 0] - expected).max() <= 1


@needs_cms
@pytest.mark.parametrize("name", ["b.png", "b.jpg", "b.webp"])
def test_a_colour_profile_stays_with_its_colours(tmp_path: Path, name: str) -> None:
    picture = Image.new("RGB", SIZE, (189, 44, 44))
    picture.save(tmp_path / name, icc_profile=wide(), quality=100, lossless=True)
    with Image.open(tmp_path / name) as saved:
        stored = np.asarray(saved.convert("RGB"))
    notes: list[str] = []
    found = photo(tmp_path / name, tell=lambda note: notes.append(note.message))
    assert found.profile == wide()
    assert np.array_equal(found.levels, stored)
    assert int(found.seen[0, 0, 0]) > int(stored[0, 0, 0]) + 15  # a wide gamut's red is redder
    assert notes == []


@needs_cms
def test_on_a_canvas_of_srgb_it_looks_the_same(tmp_path: Path) -> None:
    Image.new("RGB", SIZE, (189, 44, 44)).save(tmp_path / "b.png", icc_profile=wide())
    found = photo(tmp_path / "b.png", profile="srgb")
    assert found.profile == b""
    assert np.abs(found.levels.astype(int) - photo(tmp_path / "b.png").seen).max() <= 1


@needs_cms
def test_16_bits_keep_their_profile_and_say_so(tmp_path: Path) -> None:
    deep = np.random.default_rng(5).integers(0, 65536, (SIZE[1], SIZE[0], 3)).astype(np.uint16)
    deep_file(tmp_path / "b.png", deep, png_chunk(b"iCCP", b"p\0\0" + zlib.compress(wide())))
    notes: list[str] = []
    found = photo(tmp_path / "b.png", profile="srgb", tell=lambda note: notes.append(note.message))
    assert found.profile == wide()
    assert np.array_equal(found.levels, deep)
    assert notes == ["has 16 bits: it is written by its own colour profile, not in sRGB"]


@needs_cms
@pytest.mark.parametrize(
    ("said", "profile"),
    [("", "own"), ("size: 101x67", "srgb"), ("size: 101x67", "own"), ("", "srgb")],
)
def test_a_scene_with_a_size_has_a_canvas_of_srgb(tmp_path: Path, said: str, profile: str) -> None:
    Image.new("RGB", SIZE, (189, 44, 44)).save(tmp_path / "b.png", icc_profile=wide())
    default = "srgb" if said else "own"
    key = "" if profile == default else f", profile: {profile}"
    below = f"background: {{image: b.png{key}}}"
    mask = "brushes: [{prompt: a fox, mask: {rect: [0, 0, 9, 9]}}]"
    (tmp_path / "s.yaml").write_text("\n".join([said, below, mask]) + "\n")
    found = background_picture(load_scene(str(tmp_path / "s.yaml")), SIZE)
    assert found is not None
    assert (found.profile == wide()) == (profile == "own")
    assert (tuple(found.levels[0, 0]) == (189, 44, 44)) == (profile == "own")


def test_a_damaged_profile_is_left_out_and_told(tmp_path: Path) -> None:
    Image.fromarray(noise(3)).save(tmp_path / "b.png", icc_profile=b"no profile at all")
    notes: list[str] = []
    found = photo(tmp_path / "b.png", tell=lambda note: notes.append(note.message))
    assert found.profile == b""
    assert len(notes) == 1


def test_inks_are_told_to_become_srgb(tmp_path: Path) -> None:
    Image.fromarray(noise(3)).convert("CMYK").save(tmp_path / "b.tif")
    notes: list[str] = []
    found = photo(tmp_path / "b.tif", tell=lambda note: notes.append(note.message))
    assert found.levels.shape == (67, 101, 3)
    assert notes == ["is CMYK: it is converted to sRGB, in which all of it is written"]


def test_srgb_itself_changes_nothing(tmp_path: Path) -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(noise(3))
    stream = io.BytesIO()
    picture.save(stream, "PNG", icc_profile=own)
    (tmp_path / "b.png").write_bytes(stream.getvalue())
    found = photo(tmp_path / "b.png")
    assert found.profile == own
    assert np.array_equal(found.seen, found.levels)
    same = photo(tmp_path / "b.png", profile="srgb")
    assert (same.profile, np.array_equal(same.levels, found.levels)) == (own, True)
