"""Materials: deterministic, of any size, with a grain that does not grow."""

import numpy as np
import pytest

from smd_cli.starter.materials import PAINTERS, paint_material
from smd_cli.starter.vocabulary import MATERIALS

# Mean colours of the swatches that the words were defined with, 0..255.
SWATCHES = {
    "blue sky": (154, 166, 241),
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
    "flowers": (104, 159, 68),
    "white background": (255, 255, 255),
    "black background": (5, 5, 5),
}


def test_every_material_of_the_vocabulary_can_be_painted() -> None:
    assert set(PAINTERS) == set(MATERIALS) == set(SWATCHES)


@pytest.mark.parametrize("name", MATERIALS)
def test_same_seed_same_picture(name: str) -> None:
    first, again, other = (
        paint_material(name, np.random.default_rng(n), 64, 96) for n in (1, 1, 2)
    )
    assert first.shape == (64, 96, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.array_equal(first, again)
    plain = name in {"white background", "black background"}
    assert np.array_equal(first, other) == plain


@pytest.mark.parametrize("name", MATERIALS)
def test_colours_are_those_of_the_swatch(name: str) -> None:
    rng = np.random.default_rng(0)
    mean = np.mean([paint_material(name, rng, 128, 128).mean((0, 1)) for _ in range(4)], axis=0)
    assert np.abs(255 * mean - SWATCHES[name]).max() < 26


@pytest.mark.parametrize("name", ["grass", "sea", "brick wall", "stone", "sand"])
def test_grain_keeps_its_size_on_larger_areas(name: str) -> None:
    def roughness(side: int) -> float:
        picture = paint_material(name, np.random.default_rng(3), side, side)
        return float(np.abs(np.diff(picture, axis=0)).mean())

    assert roughness(320) == pytest.approx(roughness(128), rel=0.15)
