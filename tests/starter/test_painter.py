"""The painter: where the font is looked for, and how objects are put on materials."""

from pathlib import Path

import numpy as np
import pytest

from smd_cli.starter.painter import (
    FONT_PLACES,
    FontMissingError,
    Look,
    Painter,
    draw_look,
    find_font,
    load_glyphs,
)
from smd_cli.starter.vocabulary import COLOURS, OBJECTS, Thing

FOX = Thing("fox")


def test_a_missing_font_is_named_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(FontMissingError, match=r"no\.ttf: install it .* or name the file"):
        find_font(tmp_path / "no.ttf")


def test_every_object_has_a_glyph_of_its_own() -> None:
    if not any(Path(place).expanduser().is_file() for place in FONT_PLACES):
        pytest.skip("Noto Color Emoji is not installed; it is needed for training only")
    glyphs = load_glyphs(find_font())
    assert set(glyphs) == set(OBJECTS)
    assert all(g.width == g.height for g in glyphs.values())
    assert len({g.tobytes() for g in glyphs.values()}) == len(OBJECTS)


def test_an_object_covers_its_square_of_cells_and_nothing_else(painter: Painter) -> None:
    picture = np.ones((64, 64, 3), dtype=np.float32)
    painter.put(picture, FOX, Look(size_cells=3), (2, 4))
    touched = picture.min(axis=2) < 0.99
    rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
    assert rows[0] >= 16
    assert rows[-1] < 40
    assert columns[0] >= 32
    assert columns[-1] < 56
    assert touched[28, 44]


def test_a_shadow_falls_beside_the_object(painter: Painter) -> None:
    plain, shaded = (np.ones((64, 64, 3), dtype=np.float32) for _ in range(2))
    painter.put(plain, FOX, Look(4), (2, 2))
    painter.put(shaded, FOX, Look(4, shadow=0.3), (2, 2))
    assert shaded.sum() < plain.sum()


def test_an_object_over_the_edge_is_cut(painter: Painter) -> None:
    picture = np.ones((32, 32, 3), dtype=np.float32)
    painter.put(picture, Thing("owl"), Look(3, shadow=0.3), (-2, 3))
    painter.put(picture, Thing("owl"), Look(3), (9, 9))
    assert (picture[:16, 24:] < 1).any()
    assert (picture[16:] == 1).all()


def test_variation_is_modest() -> None:
    rng = np.random.default_rng(0)
    looks = [draw_look(rng, 9) for _ in range(300)]
    assert max(abs(look.lean_deg) for look in looks) <= 6
    assert all(0.85 < look.light < 1.1 for look in looks)
    assert {look.size_cells for look in looks} == {9}
    assert 0.2 < np.mean([look.shadow > 0 for look in looks]) < 0.5
    assert all(0.2 <= look.shadow <= 0.4 for look in looks if look.shadow)


def test_a_look_follows_from_its_chances() -> None:
    looks = [draw_look(np.random.default_rng(n), 9) for n in range(200)]
    leaning, lit, shading = np.array([look.chances for look in looks]).T
    light, shadow = (np.array([getattr(k, name) for k in looks]) for name in ("light", "shadow"))
    assert [look.lean_deg for look in looks] == list(np.clip(np.round(2.5 * leaning), -6, 6))
    assert (np.diff(light[lit.argsort()]) > 0).all()
    assert (np.diff(shadow[shading.argsort()]) >= 0).all()
    assert abs(light[abs(lit) < 0.2].mean() - 0.975) < 0.01


@pytest.mark.parametrize(
    "material",
    [Thing("grass"), Thing("sunset"), Thing("background", "white"), Thing("flowers", "red")],
)
def test_material_windows_have_their_size_and_repeat(painter: Painter, material: Thing) -> None:
    first, again = (painter.material(material, np.random.default_rng(5), 96) for _ in range(2))
    assert first.shape == (96, 96, 3)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_word_colours_an_object(painter: Painter, colour: str) -> None:
    sprite, _ = painter.sprite(Thing("fox", colour), Look(4))
    assert np.abs(255 * sprite[16, 16, :3] - COLOURS[colour]).max() < 12
