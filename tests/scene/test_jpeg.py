"""JPEGs without their end: read where that is all they lack, refused where pixels are lost."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from PIL import Image

from smd_cli.scene.paint.errors import PictureError
from smd_cli.scene.paint.jpeg import with_end
from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import read_mask

SIZE = (90, 68)  # neither a multiple of 8 nor of 16: blocks reach beyond the picture


def drawn(kind: str) -> Image.Image:
    """A picture of SIZE: one colour, a mask, a photo's ramps, or noise."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    pixels = {
        "white": np.full((*x.shape, 3), 255),
        "mask": np.stack([(abs(x - 40) < 25) & (abs(y - 30) < 20)] * 3, -1) * 255,
        "ramps": np.stack([x * 255 // SIZE[0], y * 255 // SIZE[1], (x + y) % 256], -1),
        "noise": np.random.default_rng(0).integers(0, 256, (*x.shape, 3)),
    }
    return Image.fromarray(pixels[kind].astype(np.uint8))


KINDS = ("white", "mask", "ramps", "noise")
WAYS = [*itertools.product(KINDS, (False, True), (0, 2), ("L", "RGB"))]


def encoded(kind: str, progressive: bool, subsampling: int, mode: str) -> bytes:
    file = io.BytesIO()
    picture = drawn(kind).convert(mode)
    picture.save(file, "JPEG", quality=90, progressive=progressive, subsampling=subsampling)
    return file.getvalue()


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return bytes(picture.tobytes())


@pytest.mark.parametrize(("kind", "progressive", "subsampling", "mode"), WAYS)
def test_what_lacks_its_end_alone_is_whole(
    kind: str, progressive: bool, subsampling: int, mode: str, tmp_path: Path
) -> None:
    data = encoded(kind, progressive, subsampling, mode)
    for cut in (1, 2):
        path = tmp_path / "m.jpg"
        path.write_bytes(data)
        expected = read_mask(path, "m.jpg", SIZE).paint, read_photo(path, "m.jpg", SIZE).seen
        path.write_bytes(data[:-cut])
        assert (dense(read_mask(path, "m.jpg", SIZE).paint) == dense(expected[0])).all()
        assert (read_photo(path, "m.jpg", SIZE).seen == expected[1]).all()


@pytest.mark.parametrize(("kind", "progressive", "subsampling", "mode"), WAYS)
def test_what_is_cut_is_never_another_picture(
    kind: str, progressive: bool, subsampling: int, mode: str
) -> None:
    data = encoded(kind, progressive, subsampling, mode)
    whole = pixels(data)
    taken = [ended for cut in range(3, 40) if (ended := with_end(data[:-cut]))]
    assert all(pixels(ended) == whole for ended in taken)
    assert len(taken) <= 3  # bits that show nothing
    for share in (0.1, 0.3, 0.5, 0.8, 0.95):
        assert with_end(data[: int(len(data) * share)]) is None


def test_a_progressive_one_that_ends_between_two_scans_is_cut() -> None:
    data = encoded("ramps", True, 0, "RGB")
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    assert len(scans) > 5
    assert [with_end(data[:start]) for start in scans] == [None] * len(scans)
    assert with_end(data[:-2]) == data


def test_a_cut_mask_is_refused(tmp_path: Path) -> None:
    data = encoded("noise", False, 0, "RGB")
    (tmp_path / "m.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match="damaged"):
        read_mask(tmp_path / "m.jpg", "m.jpg", SIZE)


def test_one_that_is_scaled_while_it_is_decoded_is_turned_all_the_same(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    drawn("mask").resize((900, 680)).save(tmp_path / "m.jpg", exif=exif)
    expected = read_mask(tmp_path / "m.jpg", "m.jpg", (68, 90)).paint
    (tmp_path / "n.jpg").write_bytes((tmp_path / "m.jpg").read_bytes()[:-2])
    found = read_mask(tmp_path / "n.jpg", "n.jpg", (68, 90)).paint
    assert (dense(found) == dense(expected)).all()
