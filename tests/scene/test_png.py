"""PNGs as programs write them: what no pixel depends on may be large, odd or damaged."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import mask_of, png_chunk, spliced
from PIL import Image, PngImagePlugin

from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import PictureError, picture_size, read_mask

MASK = mask_of()
SIZE = (24, 16)
LARGE = zlib.compress(bytes(3_000_000))


def png(picture: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (picture or Image.fromarray(MASK)).save(file, "PNG")
    return file.getvalue()


def check(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert picture_size(path, "m.png") == SIZE
    mask = read_mask(path, "m.png", SIZE)
    assert (dense(mask.paint) * 255 == MASK).all()


ODD = {
    "large compressed text": png_chunk(b"zTXt", b"Raw profile type xmp\0\0" + LARGE),
    "large international text": png_chunk(b"iTXt", b"workflow\0\1\0\0\0" + LARGE),
    "large XMP": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "large raw EXIF": png_chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "odd raw EXIF": png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\n\n\nxyz")),
    "unknown compression": png_chunk(b"zTXt", b"a\0\7" + LARGE),
    "large profile": png_chunk(b"iCCP", b"p\0\0" + LARGE),
    "huge profile": png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(20_000_000))),
    "profile that is none": png_chunk(b"iCCP", b"p\0\0junk"),
    "empty profile": png_chunk(b"iCCP", b""),
    "bad checksum of text": png_chunk(b"tEXt", b"a\0b", crc=1),
    "bad checksum of a profile": png_chunk(b"iCCP", b"p\0\0" + LARGE, crc=1),
    "bad checksum of EXIF": png_chunk(b"eXIf", b"MM\0*", crc=1),
    "broken EXIF": png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    "short gamma": png_chunk(b"gAMA", b"\0"),
    "short chromaticities": png_chunk(b"cHRM", b"\0"),
    "short resolution": png_chunk(b"pHYs", b"\0"),
    "short sRGB": png_chunk(b"sRGB", b""),
    "significant bits": png_chunk(b"sBIT", b"\0\0\0\0\0"),
    "private": png_chunk(b"prVt", b"\xff" * 9, crc=7),
    "animation without frames": png_chunk(b"acTL", b"\0"),
    "frame control out of order": png_chunk(b"fcTL", struct.pack(">I", 9) + bytes(22)),
    "a second header of an animation": png_chunk(b"acTL", bytes(8)) * 2,
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_pixel_depends_on_spoils_no_picture(tmp_path: Path, name: str) -> None:
    whole = png()
    check(tmp_path / "m.png", spliced(whole, ODD[name]))
    check(tmp_path / "m.png", spliced(whole, ODD[name], at=len(whole) - 12))


def test_much_text_spoils_no_picture(tmp_path: Path) -> None:
    text = png_chunk(b"tEXt", b"a\0" + b"b" * 900_000)
    check(tmp_path / "m.png", spliced(png(), *[text] * 80))


@pytest.mark.parametrize("lost", [12, 8, 4, 1])
def test_what_follows_the_pixels_may_be_cut(tmp_path: Path, lost: int) -> None:
    check(tmp_path / "m.png", png()[:-lost])


def test_what_follows_the_pixels_may_be_anything(tmp_path: Path) -> None:
    check(tmp_path / "m.png", png() + b"trailing" * 99)
    check(tmp_path / "m.png", png()[:-12] + b"\0\0\0\x20tEXt")
    check(tmp_path / "m.png", png()[:-12] + b"\xff" * 50)


def test_damaged_pixels_stay_an_error(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    whole = png(noise)
    at = whole.index(b"IDAT") + 40
    for data in (whole[:-600], whole[:at] + bytes(400) + whole[at + 400 :]):
        (tmp_path / "m.png").write_bytes(data)
        with pytest.raises(PictureError, match="is damaged"):
            read_mask(tmp_path / "m.png", "m.png", (64, 64))


def test_a_damaged_header_stays_an_error(tmp_path: Path) -> None:
    whole = bytearray(png())
    whole[30] ^= 1
    (tmp_path / "m.png").write_bytes(bytes(whole))
    with pytest.raises(PictureError):
        read_mask(tmp_path / "m.png", "m.png", SIZE)


def test_damaged_transparency_stays_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(spliced(png(), png_chunk(b"tRNS", b"\0\0", crc=1)))
    with pytest.raises(PictureError):
        read_mask(tmp_path / "m.png", "m.png", SIZE)


def test_a_transparent_value_of_other_depths(tmp_path: Path) -> None:
    def written(depth: int, colour: int, row: bytes, clear: bytes) -> Path:
        header = struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"tRNS", clear)
        data += png_chunk(b"IDAT", zlib.compress(b"\0" + row)) + png_chunk(b"IEND", b"")
        (tmp_path / "m.png").write_bytes(data)
        return tmp_path / "m.png"

    deep = struct.pack(">6H", 40000, 50000, 60000, 1, 2, 3)
    for path in (
        written(2, 0, bytes([0b01100000]), struct.pack(">H", 1)),
        written(4, 0, bytes([0x5A]), struct.pack(">H", 5)),
        written(16, 2, deep, struct.pack(">3H", 40000, 50000, 60000)),
    ):
        mask = read_mask(path, "m.png", (2, 1))
        assert mask.channel == "alpha"
        assert dense(mask.paint).tolist() == [[0, 1]]


@pytest.mark.parametrize("kind", ["EXIF", "raw EXIF", "XMP"])
@pytest.mark.parametrize("behind", [False, True])
def test_turns_are_found_wherever_they_are_told(tmp_path: Path, kind: str, behind: bool) -> None:
    exif = Image.Exif()
    exif[274] = 6
    told = exif.tobytes().removeprefix(b"Exif\0\0")
    xmp = b'<rdf tiff:Orientation="6"/>'
    chunk = {
        "EXIF": png_chunk(b"eXIf", told),
        "raw EXIF": png_chunk(
            b"zTXt",
            b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n99\n" + told.hex().encode()),
        ),
        "XMP": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    }[kind]
    whole = png()
    at = len(whole) - 12 if behind else 33
    (tmp_path / "m.png").write_bytes(spliced(whole, chunk, at=at))
    assert picture_size(tmp_path / "m.png", "m.png") == (16, 24)
    mask = read_mask(tmp_path / "m.png", "m.png", (16, 24))
    assert (dense(mask.paint) * 255 == np.rot90(MASK, -1)).all()


def test_a_size_needs_no_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise AssertionError("decoded")

    (tmp_path / "m.png").write_bytes(png())
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    assert picture_size(tmp_path / "m.png", "m.png") == SIZE


@pytest.mark.parametrize("chunk", [ODD["large profile"], png_chunk(b"cICP", b"\x0c\x0d\0\1")])
def test_a_background_with_a_profile_that_is_not_read_says_so(tmp_path: Path, chunk: bytes) -> None:
    (tmp_path / "m.png").write_bytes(spliced(png(), chunk))
    notes: list[str] = []
    read_photo(tmp_path / "m.png", "m.png", SIZE, tell=lambda note: notes.append(note.message))
    assert notes == ["has a colour profile that cannot be applied: its colours are taken as sRGB"]


def test_code_points_of_srgb_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(spliced(png(), png_chunk(b"cICP", b"\1\x0d\0\1")))
    notes: list[str] = []
    read_photo(tmp_path / "m.png", "m.png", SIZE, tell=lambda note: notes.append(note.message))
    assert notes == []
