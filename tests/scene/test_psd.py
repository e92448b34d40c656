"""Photoshop's files of every kind, written by hand: opaque is painted, whatever the colours are."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from dense import dense
from picture_files import mask_of, psd

from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import PictureError, read_mask

MASK = mask_of()
GREY = np.full_like(MASK, 200)
ZERO = np.zeros_like(MASK)
SIZE = (24, 16)
MODES = {"grey": (1, 1), "RGB": (3, 3), "CMYK": (4, 4), "duotone": (8, 1), "Lab": (9, 3)}


@pytest.mark.parametrize("kind", MODES)
@pytest.mark.parametrize("extra", [1, 2, 4])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_the_first_extra_channel_is_transparency(
    tmp_path: Path, kind: str, extra: int, depth: int, packed: bool, wide: bool
) -> None:
    mode, count = MODES[kind]
    channels = [*[GREY] * count, MASK, *[ZERO] * (extra - 1)]
    path = psd(tmp_path / "m.psd", channels, mode, depth=depth, packed=packed, wide=wide, layers=-1)
    mask = read_mask(path, "m.psd", SIZE)
    assert mask.channel == "alpha"
    assert (dense(mask.paint) * 255 == MASK).all()
    assert mask.notes == ()


@pytest.mark.parametrize("depth", [8, 16])
def test_without_an_extra_channel_white_is_painted(tmp_path: Path, depth: int) -> None:
    for mode, count in ((1, 1), (3, 3), (4, 4)):  # CMYK: 255 is no ink
        path = psd(tmp_path / "m.psd", [MASK] * count, mode, depth=depth)
        mask = read_mask(path, "m.psd", SIZE)
        assert mask.channel == "luma"
        assert (dense(mask.paint) * 255 == MASK).all()


def test_a_set_bit_is_black(tmp_path: Path) -> None:
    for packed in (False, True):
        path = psd(tmp_path / "m.psd", [MASK], 0, depth=1, packed=packed)
        assert (dense(read_mask(path, "m.psd", SIZE).paint) * 255 == MASK).all()


def test_a_transparent_index(tmp_path: Path) -> None:
    palette = bytes(range(256)) * 3
    clear = [(1047, struct.pack(">H", 0))]
    path = psd(tmp_path / "m.psd", [MASK], 2, palette=palette, resources=clear)
    assert read_mask(path, "m.psd", SIZE).channel == "alpha"
    path = psd(tmp_path / "m.psd", [MASK], 2, palette=palette)
    assert (dense(read_mask(path, "m.psd", SIZE).paint) * 255 == MASK).all()


@pytest.mark.parametrize("layers", [None, 3])
def test_a_saved_selection_is_told(tmp_path: Path, layers: int | None) -> None:
    named = [(1006, b"\7Alpha 1")]
    path = psd(tmp_path / "m.psd", [GREY] * 3 + [MASK], 3, layers=layers, resources=named)
    mask = read_mask(path, "m.psd", SIZE)
    assert mask.channel == "alpha"
    assert "saved selection" in mask.notes[0].message
    assert (read_photo(path, "m.psd", SIZE).seen == 200).all()  # no hole in a background


def test_merged_transparency_in_16_bits_has_a_block_of_its_own(tmp_path: Path) -> None:
    named = [(1006, b"\x0cTransparency")]
    other = b"8BIMPatt" + struct.pack(">I", 4) + bytes(4)
    for wide in (False, True):
        block = b"8BIMMt16" + struct.pack(">Q" if wide else ">I", 0)
        path = psd(
            tmp_path / "m.psd",
            [GREY, MASK],
            1,
            depth=16,
            wide=wide,
            layers=0,
            resources=named,
            blocks=other + block,
        )
        assert read_mask(path, "m.psd", SIZE).notes == ()


def test_layers_without_their_picture_are_refused(tmp_path: Path) -> None:
    version = [(1057, struct.pack(">IB", 1, 0) + bytes(8))]
    path = psd(tmp_path / "m.psd", [GREY] * 3, 3, layers=2, resources=version)
    with pytest.raises(PictureError) as caught:
        read_mask(path, "m.psd", SIZE)
    assert str(caught.value) == (
        "error: 'm.psd' holds layers only, without the picture they make\n"
        "hint: save it with 'Maximize Compatibility', or export it as PNG"
    )


@pytest.mark.parametrize(("mode", "depth"), [(3, 32), (5, 8), (3, 1)])
def test_other_kinds_are_refused_by_name(tmp_path: Path, mode: int, depth: int) -> None:
    path = psd(tmp_path / "m.psd", [GREY] * 3, mode)
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack(">HH", depth, mode)
    path.write_bytes(bytes(data))
    with pytest.raises(PictureError, match=r"Photoshop file of .*\nhint: export it as PNG"):
        read_mask(path, "m.psd", SIZE)


def test_a_file_that_ends_early_is_damaged(tmp_path: Path) -> None:
    for packed in (False, True):
        path = psd(tmp_path / "m.psd", [GREY] * 3, 3, packed=packed)
        whole = path.read_bytes()
        for end in (20, 30, 40, len(whole) - 9):
            path.write_bytes(whole[:end])
            with pytest.raises(PictureError, match="is damaged"):
                read_mask(path, "m.psd", SIZE)
