"""Materials: deterministic, of any size, with a grain that does not grow; colours tint them."""

import numpy as np
import pytest

from smd_cli.starter.materials import LATTICE_PX, ON_LATTICE, PAINTERS, paint_material, tint
from smd_cli.starter.noise import Field, Picture, luma
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import BACKGROUND, COLOURABLE, COLOURS, MATERIALS, Thing

# Mean colours of the swatches that the words were defined with, 0..255.
SWATCHES = {
    "sky": (154, 166, 241),
    "night sky": (20, 19, 62),
    "sunset": (164, 107, 60),
    "sea": (40, 103, 170),
    "grass": (61, 144, 32),
    "sand": (224, 189, 131),
    "snow": (231, 237, 240),
    "forest": (31, 94, 38),
    "brick wall": (174, 83, 69),
    "stone": (125, 122, 126),
    "wood": (153, 104, 45),
    "lava": (171, 100, 7),
}


def test_every_material_of_the_vocabulary_can_be_painted() -> None:
    assert set(PAINTERS) == set(MATERIALS) > set(SWATCHES)


@pytest.mark.parametrize("name", MATERIALS)
def test_same_seed_same_picture(name: str) -> None:
    first, again, other = (
        paint_material(Thing(name), np.random.default_rng(n), 64, 96) for n in (1, 1, 2)
    )
    assert first.shape == (64, 96, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == (name == BACKGROUND)


@pytest.mark.parametrize("name", SWATCHES)
def test_colours_are_those_of_the_swatch(name: str) -> None:
    rng = np.random.default_rng(0)
    pictures = [paint_material(Thing(name), rng, 128, 128) for _ in range(4)]
    mean = np.mean([picture.mean((0, 1)) for picture in pictures], axis=0)
    assert np.abs(255 * mean - SWATCHES[name]).max() < 26


@pytest.mark.parametrize("name", ["grass", "sea", "brick wall", "stone", "sand", "tiles", "city"])
def test_grain_keeps_its_size_on_larger_areas(name: str) -> None:
    def roughness(side: int) -> float:
        rng = np.random.default_rng(3)
        pictures = [paint_material(Thing(name), rng, side, side) for _ in range(3)]
        return float(np.mean([np.abs(np.diff(picture, axis=0)).mean() for picture in pictures]))

    assert roughness(320) == pytest.approx(roughness(128), rel=0.15)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", sorted(COLOURABLE - {"flowers"}))
def test_a_colour_word_gives_its_colour(name: str, colour: str) -> None:
    painted = paint_material(Thing(name, colour), np.random.default_rng(2), 128, 128)
    middle = 255 * np.median(painted, axis=(0, 1))
    assert np.abs(middle - COLOURS[colour]).max() < 45


def test_pink_flowers_stand_in_green_grass() -> None:
    painted = paint_material(Thing("flowers", "pink"), np.random.default_rng(2), 128, 128)
    pink = np.abs(255 * painted - COLOURS["pink"]).max(2) < 3
    green = painted.argmax(2) == 1
    assert pink.mean() > 0.1
    assert green.mean() > 0.3


@pytest.mark.parametrize("name", ["white", "black"])
def test_white_and_black_backgrounds_are_plain(name: str) -> None:
    painted = paint_material(Thing(BACKGROUND, name), np.random.default_rng(2), 16, 16)
    assert np.ptp(painted) == 0
    assert painted[0, 0, 0] == (1 if name == "white" else np.float32(5 / 255))


@pytest.mark.parametrize("colour", COLOURS)
def test_tints_keep_the_order_of_light_and_dark(colour: str) -> None:
    ramp = np.repeat(np.linspace(0, 1, 33, dtype=np.float32)[:, None], 3, axis=1)
    bright = luma(tint(ramp, colour, 0.5))
    assert (np.diff(bright) >= -1e-6).all()
    assert bright[-1] - bright[0] > 0.2
    assert np.allclose(255 * tint(ramp, colour, 0.5)[16], COLOURS[colour], atol=1)


def unit_cell(picture: Picture) -> Field:
    """What the squares of the lattice have in common."""
    rows, columns = (side // LATTICE_PX for side in picture.shape[:2])
    squares = luma(picture).reshape(rows, LATTICE_PX, columns, LATTICE_PX)
    return np.asarray(squares.mean((0, 2)))


@pytest.mark.parametrize("name", sorted(ON_LATTICE))
def test_masonry_lies_on_the_lattice_however_it_is_cut(name: str) -> None:
    painter, rng = Painter({}, sheets=2), np.random.default_rng(0)
    whole = unit_cell(paint_material(Thing(name), rng, 512, 512)).ravel()
    for _ in range(8):
        cut = unit_cell(painter.material(Thing(name), rng, 160)).ravel()
        assert np.corrcoef(whole, cut)[0, 1] > 0.7
