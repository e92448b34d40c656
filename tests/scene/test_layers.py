"""Masks from layers of documents: seven encodings of one shape are one mask."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Smd
from dense import levels
from layer_files import (
    Folder,
    Item,
    Mask,
    Paint,
    Psd,
    cropped,
    kra,
    lzf,
    ora,
    painted,
    placed,
    psd_layers,
    soft_shape,
)
from picture_files import Values
from picture_files import psd as flat_psd
from PIL import Image

from smd_cli.scene.paint.files import FileContent, PaintSource
from smd_cli.scene.paint.lzf import unpacked
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.paint.photo import read_photo
from smd_cli.scene.paint.pictures import PictureError, picture_size, read_mask
from smd_cli.scene.parse import load_scene
from smd_cli.watch.sources import SceneReader
from smd_cli.work.request import Request

SHAPE = soft_shape()
SIZE = (120, 90)
OTHER = painted(np.full((30, 200), 255, np.uint8), (0, 0, 255))
Writer = Callable[[Path, "list[Item]"], Path]


def _ora(folder: Path, layers: list[Item]) -> Path:
    return ora(folder / "p.ora", SIZE, layers)


def _kra(folder: Path, layers: list[Item]) -> Path:
    return kra(folder / "p.kra", SIZE, layers)


def _psd(folder: Path, layers: list[Item]) -> Path:
    return psd_layers(folder / "p.psd", SIZE, layers)


WRITERS: dict[str, Writer] = {"ora": _ora, "kra": _kra, "psd": _psd}
WITH_MASKS = ["kra", "psd"]


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[list[Item]], Path]:
    """Writes layers as a document of each kind."""
    return lambda layers: WRITERS[request.param](tmp_path, layers)


def mask(path: Path, layer: str, **how: object) -> Values:
    """The levels (H, W) of a layer."""
    return levels(read_mask(path, path.name, SIZE, layer=layer, **how).paint)  # type: ignore[arg-type]


def fox(alpha: Values = SHAPE, **how: object) -> Paint:
    """The shape as a layer that is cropped to what is on it."""
    pixels, corner = cropped(painted(alpha))
    return Paint("fox", pixels, corner, **how)  # type: ignore[arg-type]


# The seven


def test_seven_encodings_of_one_shape_are_one_mask(tmp_path: Path, smd: Smd) -> None:
    layers: list[Item] = [Paint("sky", OTHER, (-20, 70)), fox()]
    _ora(tmp_path, layers), _kra(tmp_path, layers), _psd(tmp_path, layers)
    Image.fromarray(painted(SHAPE)).save(tmp_path / "alpha.png")
    Image.fromarray(SHAPE).save(tmp_path / "luma.png")
    Image.fromarray(255 - SHAPE).save(tmp_path / "inverted.png")
    Image.fromarray(painted(SHAPE, (255, 0, 0))).save(tmp_path / "map.png")
    masks = [
        "alpha.png",
        "luma.png",
        "{image: inverted.png, invert: true}",
        '{image: map.png, color: "#ff0000"}',
        *(f"{{image: p.{kind}, layer: fox}}" for kind in WRITERS),
    ]
    lines = [f"  - {{prompt: a fox, mask: {one}}}\n" for one in masks]
    scene = tmp_path / "s.yaml"
    scene.write_text("background: grass\nbrushes:\n" + "".join(lines), encoding="utf-8")
    painted_scene = paint_scene(load_scene(str(scene)))
    assert painted_scene.size == SIZE
    found = [levels(brush.paint) for brush in painted_scene.brushes]
    assert len(found) == 7
    for one in found:
        assert np.array_equal(one, SHAPE)
    said = smd(["check", str(scene)]).out
    assert "map.png (#ff0000 within 8 = painted)" in said
    assert "p.kra (layer 'fox', alpha: opaque = painted)" in said


# What documents of layers have


def test_a_layer_has_its_place_and_is_cut_at_the_edges(write: Callable[..., Path]) -> None:
    path = write([Paint("sky", OTHER, (-20, 70)), Paint("corner", OTHER, (100, -10)), fox()])
    assert np.array_equal(mask(path, "sky"), placed(OTHER, (-20, 70), SIZE)[..., 3])
    assert np.array_equal(mask(path, "corner"), placed(OTHER, (100, -10), SIZE)[..., 3])


def test_opacity_scales_a_mask_and_hidden_layers_are_taken(write: Callable[..., Path]) -> None:
    path = write([fox(opacity=102, visible=False)])
    assert np.abs(mask(path, "fox") - SHAPE * 0.4).max() <= 0.5


def test_groups_are_named_and_thin_what_is_in_them(write: Callable[..., Path]) -> None:
    inside = Folder("animals", [fox(), Folder("birds", [Paint("owl", OTHER, (0, 0))])], opacity=51)
    path = write([inside, Paint("sky", OTHER, (-20, 70))])
    assert np.abs(mask(path, "animals/fox") - SHAPE * 0.2).max() <= 0.5
    assert np.array_equal(mask(path, "fox"), mask(path, "animals/fox"))
    assert mask(path, "owl").max() == 51
    assert mask(path, "birds").max() == 51


def test_a_group_is_what_its_visible_layers_make(write: Callable[..., Path]) -> None:
    bar = Paint("bar", OTHER, (-20, 70), opacity=128)
    hidden = Paint("hidden", OTHER, (0, 0), visible=False)
    path = write([Folder("both", [hidden, bar, fox()])])
    over = placed(OTHER, (-20, 70), SIZE)[..., 3] / 255 * (128 / 255)
    expected = (over + SHAPE / 255 * (1 - over)) * 255
    assert np.abs(mask(path, "both") - expected).max() <= 1.01


def test_other_channels_of_a_layer(write: Callable[..., Path]) -> None:
    pixels = np.dstack([SHAPE, 255 - SHAPE, SHAPE // 2, np.full_like(SHAPE, 255)])
    path = write([Paint("map", pixels)])
    assert mask(path, "map").min() == 255
    for number, channel in enumerate(("red", "green", "blue")):
        assert np.array_equal(mask(path, "map", channel=channel), pixels[..., number])
    inverted = mask(path, "map", channel="red", invert=True)
    assert np.array_equal(inverted, 255 - SHAPE)


def test_a_layer_of_painted_colours_is_told_that_it_covers_all(write: Callable[..., Path]) -> None:
    path = write([Paint("map", np.dstack([SHAPE] * 3 + [np.full_like(SHAPE, 255)]))])
    notes = read_mask(path, "p", SIZE, layer="map").notes
    assert [note.message[:14] for note in notes] == ["paints 100 % o"]


def test_the_whole_document_is_a_picture(write: Callable[..., Path]) -> None:
    path = write([fox()])
    assert picture_size(path, "p") == SIZE
    whole = read_mask(path, "p", SIZE)
    assert whole.channel == "alpha"
    assert np.array_equal(levels(whole.paint), SHAPE)
    photo = read_photo(path, "p", SIZE, under=(1, 2, 3))
    assert np.array_equal(photo.seen[SHAPE == 255][0], (200, 90, 30))
    assert np.array_equal(photo.seen[0, 0], (1, 2, 3))


def test_a_document_is_scaled_and_placed_as_a_picture_is(write: Callable[..., Path]) -> None:
    path = write([fox()])
    half = read_mask(path, "p", (60, 45), layer="fox").paint
    assert np.abs(levels(half) - SHAPE.reshape(45, 2, 60, 2).mean(axis=(1, 3))).max() <= 1
    with pytest.raises(PictureError, match="measures 120x90, another aspect ratio"):
        read_mask(path, "p", (120, 120), layer="fox")


@pytest.mark.parametrize("kind", ["ora", "kra"])
def test_a_mask_that_is_all_layers_is_told_unless_it_is_settled(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path, [fox(), Paint("sky", OTHER)])
    [note] = read_mask(path, "p", SIZE).notes
    assert note.message == "is taken as the picture that all of its layers make"
    assert note.hint == "layer: takes one of them, as 'fox', 'sky'; channel: settles it"
    assert note.settled_by == "channel"


# Layer masks


@pytest.mark.parametrize("kind", WITH_MASKS)
@pytest.mark.parametrize("around", [0, 255])
def test_masks_of_layers_and_groups_thin_them(tmp_path: Path, kind: str, around: int) -> None:
    thin = np.full((40, 50), 100, np.uint8)
    own = Mask(thin, (30, 40), around)
    path = WRITERS[kind](tmp_path, [fox(mask=own)])
    rest = placed(thin, (30, 40), SIZE, around) / 255
    assert np.abs(mask(path, "fox") - SHAPE * rest).max() <= 0.5
    path = WRITERS[kind](tmp_path, [Folder("all", [fox()], mask=own)])
    assert np.abs(mask(path, "fox") - SHAPE * rest).max() <= 0.5
    assert np.array_equal(mask(path, "all"), mask(path, "fox"))


@pytest.mark.parametrize("kind", WITH_MASKS)
def test_a_mask_that_is_off_counts_for_nothing(tmp_path: Path, kind: str) -> None:
    off = Mask(np.zeros((90, 120), np.uint8), enabled=False)
    assert np.array_equal(mask(WRITERS[kind](tmp_path, [fox(mask=off)]), "fox"), SHAPE)


# Krita


@pytest.mark.parametrize("space", ["RGBA", "RGBA16", "GRAYA", "GRAYAU16", "GRAYA16"])
@pytest.mark.parametrize("shift", [(0, 0), (37, -5)])
def test_kritas_layers_of_every_kind(tmp_path: Path, space: str, shift: tuple[int, int]) -> None:
    grey = np.dstack([SHAPE // 2] * 3 + [SHAPE])
    path = kra(tmp_path / "p.kra", SIZE, [Paint("fox", grey)], space=space, shift=shift)
    assert np.array_equal(mask(path, "fox"), SHAPE)
    assert np.array_equal(mask(path, "fox", channel="luma"), SHAPE // 2)


def test_kritas_plain_pixel_is_around_its_tiles(tmp_path: Path) -> None:
    path = _kra(tmp_path, [Paint("fox", painted(np.full((10, 10), 255, np.uint8)))])
    edited = tmp_path / "e.kra"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            is_plain = name.endswith(".defaultpixel")
            new.writestr(name, b"\0\0\0\x80" if is_plain else old.read(name))
    assert mask(edited, "fox")[-1, -1] == 128


def test_what_krita_does_to_a_layer_besides_is_told(tmp_path: Path) -> None:
    extra = '<mask nodetype="transformmask" name="t" visible="1"/>'
    extra += '<mask nodetype="filtermask" name="f" visible="0"/>'
    path = kra(tmp_path / "p.kra", SIZE, [fox()], extra=extra)
    [note] = read_mask(path, "p.kra", SIZE, layer="fox").notes
    assert note.message == "has a transform mask at its layer 'fox', which smd does not follow"


def test_layers_that_hold_no_pixels_are_refused_by_kind(tmp_path: Path) -> None:
    path = _kra(tmp_path, [fox()])
    edited = tmp_path / "e.kra"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            data = old.read(name).replace(b'nodetype="paintlayer"', b'nodetype="shapelayer"')
            new.writestr(name, data)
    with pytest.raises(PictureError) as caught:
        mask(edited, "fox")
    assert str(caught.value) == (
        "error: 'e.kra', layer 'fox': it is a vector layer, which holds no painted pixels\n"
        "hint: in Krita: right click on it > Convert > to Paint Layer"
    )
    path = kra(tmp_path / "f.kra", SIZE, [fox()], space="CMYKA16")
    with pytest.raises(PictureError, match="of the kind 'CMYKA16', which smd does not read"):
        mask(path, "fox")


def test_lzf_there_and_back() -> None:
    random = np.random.default_rng(3)
    samples = [bytes(5000), bytes(random.integers(0, 256, 5000, np.uint8)), b"abcabcabcd" * 99]
    samples += [bytes(random.integers(0, 2, 9000, np.uint8)), b"x"]
    for data in samples:
        assert unpacked(lzf(data), len(data)) == data
    assert len(lzf(bytes(5000))) < 80
    with pytest.raises(ValueError, match="another length"):
        unpacked(lzf(b"abc"), 4)
    with pytest.raises(ValueError, match="before the beginning"):
        unpacked(b"\x20\x09", 3)


def test_groups_pass_over_what_holds_no_pixels_and_tell_it(tmp_path: Path) -> None:
    path = kra(tmp_path / "p.kra", SIZE, [Folder("all", [fox(), Paint("blur", OTHER)])])
    edited = tmp_path / "e.kra"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            parts = old.read(name).split(b"<layer ")
            as_filter = [
                p.replace(b"paintl", b"adjustmentl") if b'"blur"' in p else p for p in parts
            ]
            new.writestr(name, b"<layer ".join(as_filter))
    found = read_mask(edited, "e.kra", SIZE, layer="all")
    assert np.array_equal(levels(found.paint), SHAPE)
    [note] = found.notes
    assert note.message == "has a filter layer at its layer 'all', which smd does not follow"


# Photoshop


@pytest.mark.parametrize("mode", ["RGB", "grey", "CMYK"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("packing", [0, 1, 2, 3])
@pytest.mark.parametrize("wide", [False, True])
def test_photoshops_layers_of_every_kind(
    tmp_path: Path, mode: str, depth: int, packing: int, wide: bool
) -> None:
    thin = Mask(np.full((40, 50), 100, np.uint8), (30, 40), 255)
    layers: list[Item] = [Folder("all", [Paint("sky", OTHER, (-20, 70)), fox(mask=thin)])]
    how = Psd(mode, depth, packing, wide)
    path = psd_layers(tmp_path / "p.psd", SIZE, layers, how)
    rest = placed(thin.levels, (30, 40), SIZE, 255) / 255
    assert np.abs(mask(path, "fox") - SHAPE * rest).max() <= 0.5
    assert np.array_equal(mask(path, "sky"), placed(OTHER, (-20, 70), SIZE)[..., 3])


def test_photoshops_background_has_no_alpha(tmp_path: Path) -> None:
    pixels = np.dstack([SHAPE] * 3 + [np.zeros_like(SHAPE)])
    path = _psd(tmp_path, [fox(), Paint("Background", pixels, opaque=True)])
    assert mask(path, "Background").min() == 255
    assert np.array_equal(mask(path, "Background", channel="luma"), SHAPE)


def test_names_beyond_ascii(write: Callable[..., Path]) -> None:
    path = write([fox(), Paint("Füchse & 狐 <1>", OTHER, (0, 0))])
    assert mask(path, "Füchse & 狐 <1>").max() == 255


# What is wrong


def test_an_unknown_layer_lists_those_that_there_are_the_closest_first(
    write: Callable[..., Path],
) -> None:
    path = write([Paint("sky", OTHER), Folder("animals", [fox(), Paint("owl", OTHER)])])
    with pytest.raises(PictureError) as caught:
        mask(path, "foxes")
    assert caught.value.message == f"'{path.name}' has no layer 'foxes'"
    assert caught.value.hint.startswith("its layers are 'animals/fox', ")
    assert sorted(caught.value.hint[15:].split(", ")) == [
        "'animals'",
        "'animals/fox'",
        "'animals/owl'",
        "'sky'",
    ]


def test_a_name_of_several_layers_wants_its_groups(write: Callable[..., Path]) -> None:
    path = write([fox(), Folder("a", [Paint("fox", OTHER)]), Paint("sky", OTHER)])
    assert np.array_equal(mask(path, "fox"), SHAPE)
    assert np.array_equal(mask(path, "a/fox"), placed(OTHER, (0, 0), SIZE)[..., 3])
    path = write([Folder("b", [fox()]), Folder("a", [Paint("fox", OTHER)])])
    with pytest.raises(PictureError) as caught:
        mask(path, "fox")
    assert caught.value.hint == "name it with its groups: 'b/fox', 'a/fox'"
    path = write([fox(), fox()])
    with pytest.raises(PictureError, match="has 2 layers named 'fox'\nhint: give each layer"):
        mask(path, "fox")


def test_pictures_without_layers_have_none(tmp_path: Path) -> None:
    Image.fromarray(SHAPE).save(tmp_path / "p.png")
    with pytest.raises(PictureError, match=r"'p.png' has no layers\nhint: layer: is for files of"):
        mask(tmp_path / "p.png", "fox")
    flat_psd(tmp_path / "p.psd", [SHAPE] * 3, 3)
    with pytest.raises(PictureError, match="has no layer 'fox'\nhint: it has no layers at all"):
        mask(tmp_path / "p.psd", "fox")


def test_a_document_without_its_picture_still_has_its_layers(tmp_path: Path) -> None:
    for path in (
        ora(tmp_path / "p.ora", SIZE, [fox()], merged=False),
        kra(tmp_path / "p.kra", SIZE, [fox()], merged=False),
    ):
        assert np.array_equal(mask(path, "fox"), SHAPE)
        with pytest.raises(PictureError, match="holds layers only, without the picture they make"):
            read_mask(path, "p", SIZE)


def test_entities_of_xml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.ora"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        text = '<!DOCTYPE x [<!ENTITY a "aaaa">]><image w="9" h="9"><stack name="&a;"/></image>'
        archive.writestr("stack.xml", text)
    with pytest.raises(PictureError, match="declares XML entities"):
        picture_size(path, "p.ora")


def test_groups_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.ora"
    with zipfile.ZipFile(path, "w") as archive:
        stacks = "<stack>" * 5000 + "</stack>" * 5000
        archive.writestr("stack.xml", f'<image w="99" h="99">{stacks}</image>')
    with pytest.raises(PictureError, match="groups more than 100 deep"):
        picture_size(path, "p.ora")


@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_documents_are_one_sentence(tmp_path: Path, kind: str) -> None:
    """Bytes that are lost, or others, give a mask or a PictureError, and never anything else."""
    path = WRITERS[kind](tmp_path, [Folder("all", [fox(mask=Mask(SHAPE))]), Paint("sky", OTHER)])
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(25):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 4):
            data[place] = random.integers(0, 256)
        path.write_bytes(data[: random.integers(8, len(data))] if random.random() < 0.3 else data)
        try:
            mask(path, "fox")
        except PictureError:
            refused += 1
    assert refused > 2


def test_a_claim_of_endless_layers_is_no_memory(tmp_path: Path) -> None:
    path = _psd(tmp_path, [fox()])
    data = bytearray(path.read_bytes())
    at = 26 + 8 + 4 + 4
    data[at : at + 2] = struct.pack(">h", 9999)
    path.write_bytes(data)
    with pytest.raises(PictureError, match="has 9999 layers: at most 8000"):
        mask(path, "fox")


# Live


def test_what_a_save_left_as_it_was_is_the_same_object(tmp_path: Path) -> None:
    path, scene = tmp_path / "p.ora", tmp_path / "s.yaml"
    text = "background: grass\nbrushes:\n"
    for name in ("fox", "sky"):
        text += f"  - {{name: {name}, prompt: {name}, mask: {{image: p.ora, layer: {name}}}}}\n"
    scene.write_text(text, encoding="utf-8")
    source, file = PaintSource(), load_scene(str(scene))

    def paints(number: int, sky: Paint) -> list[object]:
        ora(path, SIZE, [sky, fox()])
        data = path.read_bytes()
        with source.round({path: FileContent(data, bytes([number]))}):
            return [brush.parts[0] for brush in paint_scene(file, source).brushes]

    first = paints(1, Paint("sky", OTHER))
    second = paints(2, Paint("sky", OTHER, (0, 9)))
    third = paints(3, Paint("sky", OTHER, (0, 9)))
    assert first[0] is second[0]
    assert first[1] is not second[1]
    assert second == third


def test_painting_on_in_the_document_is_seen_by_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers are read by alpha come what may; the whole document as it was at first."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(
        "size: 120x90\nbackground: grass\nbrushes:\n"
        "  - {name: fox, prompt: a fox, mask: {image: p.kra, layer: fox}}\n"
        "  - {name: all, prompt: an owl, mask: p.kra}\n"
        "  - {name: red, prompt: a frog, mask: {image: p.kra, layer: fox, color: '#c85a1e'}}\n",
        encoding="utf-8",
    )
    reader, request = SceneReader(), Request(["s.yaml"], ["live.png"])

    def paints() -> tuple[list[Values], list[str]]:
        reading = reader.read(request)
        assert reading.job, reading.wrong
        found = [levels(brush.paint) for brush in reading.job.painted.brushes]
        return found, [one.message for one in reading.job.warnings]

    _kra(tmp_path, [fox()])
    first, _ = paints()
    assert all(np.array_equal(one, SHAPE) for one in first)
    full = np.full_like(SHAPE, 255)
    _kra(tmp_path, [Paint("fox", painted(full))])
    second, told = paints()
    assert all(one.min() == 255 for one in second)
    assert [one for one in told if "varies no longer" in one] == [
        "p.kra: its transparency varies no longer; it is still read by alpha, as at first"
    ]
