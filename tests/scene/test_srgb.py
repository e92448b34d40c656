"""Colour profiles of backgrounds, against profiles that are built here, byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import psd
from PIL import Image, ImageCms, features

from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import read_mask

needs_cms = pytest.mark.skipif(not features.check("littlecms2"), reason="built without")
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2, with a gamma curve of 2.2 and the tags given."""
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(2.2 * 256))
    white = b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    text = b"text" + bytes(4) + b"test\0" + bytes(3)
    description = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79)
    curves = {b"GRAY": (b"kTRC",), b"RGB ": (b"rTRC", b"gTRC", b"bTRC")}.get(space, ())
    all_tags = {b"wtpt": white, b"cprt": text, b"desc": description, **tags}
    all_tags |= dict.fromkeys(curves, curve)
    table, data = struct.pack(">I", len(all_tags)), b""
    start = 128 + 4 + 12 * len(all_tags)
    for name, content in all_tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02400000, b"mntr", space, pcs)
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + data


def wide() -> bytes:
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    colours = [b"XYZ " + bytes(4) + b"".join(map(fixed, values)) for values in P3]
    return profile(b"RGB ", dict(zip(names, colours, strict=True)))


def inks() -> bytes:
    """A profile of inks in which what is called cyan is red: Lab 54, 80, 67."""
    identity = [fixed(float(i % 4 == 0)) for i in range(9)]
    ramp = bytes(range(256))
    lab = {0: (255, 128, 128), 8: (138, 208, 195)}  # by the bits of cyan, magenta, yellow, black
    grid = [(0, 128, 128) if bits & 1 else lab[bits & 8] for bits in range(16)]
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + b"".join(identity) + ramp * 4
    table += b"".join(map(bytes, grid)) + ramp * 3
    return profile(b"CMYK", {b"A2B0": table}, b"Lab ")


def background(path: Path, notes: list[str] | None = None) -> tuple[int, ...]:
    found = notes if notes is not None else []
    picture = read_photo(path, path.name, (16, 16), tell=lambda n: found.append(n.message)).seen
    assert (picture == picture[0, 0]).all()
    return tuple(int(v) for v in picture[0, 0])


def to_linear(value: float) -> float:
    return float((value / 255) ** 2.2)


def to_srgb(value: float) -> float:
    value = min(max(value, 0.0), 1.0)
    curved = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return float(255 * curved)


def expected(stored: tuple[int, int, int]) -> list[float]:
    """The same by hand: to the profile's XYZ, and by sRGB's inverse matrix back."""
    xyz = np.array(P3).T @ [to_linear(v) for v in stored]
    back = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    return [to_srgb(v) for v in np.array(back) @ xyz]


@needs_cms
@pytest.mark.parametrize("name", ["b.png", "b.jpg", "b.tif", "b.webp"])
@pytest.mark.parametrize("stored", [(189, 44, 44), (90, 120, 60), (128, 128, 128)])
def test_a_wide_gamut_comes_out_as_it_looks(
    tmp_path: Path, name: str, stored: tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (16, 16), stored)
    picture.save(tmp_path / name, icc_profile=wide(), quality=100)
    notes: list[str] = []
    assert background(tmp_path / name, notes) == pytest.approx(expected(stored), abs=4)
    assert notes == []


@needs_cms
def test_transparency_stays_and_shows_the_colour_under_it_unchanged(tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (189, 44, 44, 0)).save(tmp_path / "b.png", icc_profile=wide())
    picture = read_photo(tmp_path / "b.png", "b.png", (16, 16), under=(189, 44, 44)).seen
    assert (picture == (189, 44, 44)).all()


@needs_cms
def test_a_grey_profile(tmp_path: Path) -> None:
    for picture in (Image.new("L", (16, 16), 60), Image.new("I;16", (16, 16), 60 * 257)):
        picture.save(tmp_path / "b.png", icc_profile=profile(b"GRAY", {}))
        grey = to_srgb(to_linear(60))
        assert background(tmp_path / "b.png") == pytest.approx([grey] * 3, abs=2)


@needs_cms
@pytest.mark.parametrize("name", ["b.jpg", "b.tif", "b.psd"])
def test_inks_come_out_as_their_profile_has_them(tmp_path: Path, name: str) -> None:
    if name == "b.psd":
        planes = [np.full((16, 16), v, dtype=np.uint8) for v in (0, 255, 255, 255)]
        psd(tmp_path / name, planes, 4, resources=[(1039, inks())])
    else:
        picture = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
        picture.save(tmp_path / name, icc_profile=inks(), quality=100)
    notes: list[str] = []
    assert background(tmp_path / name, notes) == pytest.approx((255, 0, 0), abs=12)
    assert notes == ["is CMYK: it is converted to sRGB, in which all of it is written"]


@needs_cms
def test_a_grey_picture_with_a_profile_of_colours(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 60).save(tmp_path / "b.jpg", icc_profile=wide(), quality=100)
    assert background(tmp_path / "b.jpg") == pytest.approx(expected((60, 60, 60)), abs=3)


@needs_cms
def test_srgb_itself_changes_no_byte(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "b.png", icc_profile=own)
    assert (read_photo(tmp_path / "b.png", "b.png", (16, 16)).seen == noise).all()


@needs_cms
@pytest.mark.parametrize("broken", [b"junk", bytes(200), wide()[:150], profile(b"GRAY", {})])
def test_a_profile_that_cannot_be_applied_is_told(tmp_path: Path, broken: bytes) -> None:
    Image.new("RGB", (16, 16), (189, 44, 44)).save(tmp_path / "b.png", icc_profile=broken)
    notes: list[str] = []
    assert background(tmp_path / "b.png", notes) == (189, 44, 44)
    assert notes == ["has a colour profile that cannot be applied: its colours are taken as sRGB"]


def test_a_pillow_without_littlecms_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "littlecms2")
    Image.new("RGB", (16, 16), (189, 44, 44)).save(tmp_path / "b.png", icc_profile=wide())
    notes: list[str] = []
    assert background(tmp_path / "b.png", notes) == (189, 44, 44)
    assert notes == ["has a colour profile, which this build of Pillow cannot apply"]


@needs_cms
def test_lab_is_read_by_its_meaning(tmp_path: Path) -> None:
    lab = Image.merge("LAB", [Image.new("L", (16, 16), v) for v in (137, 208, 195)])
    lab.save(tmp_path / "b.tif")
    red = background(tmp_path / "b.tif")
    assert red[0] > 240
    assert max(red[1:]) < 40


def test_a_masks_brightness_is_as_it_is_stored(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 60).save(tmp_path / "m.png", icc_profile=profile(b"GRAY", {}))
    assert (
        dense(read_mask(tmp_path / "m.png", "m.png", (16, 16)).paint) == np.float32(60 / 255)
    ).all()
