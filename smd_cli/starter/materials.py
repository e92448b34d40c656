"""The 15 materials, painted procedurally: pictures of (height, width, 3) float32 in [0, 1].

A material keeps its grain (in pixels) whatever the size; only the two skies and the sunset have a
gradient, which spans the height they are given. Every function draws from the generator it gets.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Picture = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
Rng = np.random.Generator


def as_floats(image: Image.Image) -> Picture:
    """A picture's levels 0..255 as float32 in [0, 1]."""
    levels: Picture = np.asarray(image, dtype=np.float32) / np.float32(255)
    return levels


def smooth_noise(rng: Rng, height: int, width: int, grain_px: tuple[float, float]) -> Field:
    """Smooth noise of mean 0 and std about 1, with blobs of `grain_px` (down, across)."""
    cells = [
        max(int(np.ceil(n / g)), 1) + 3 for n, g in zip((height, width), grain_px, strict=True)
    ]
    coarse = Image.fromarray(rng.standard_normal(cells).astype(np.float32))
    box = (1.0, 1.0, 1.0 + width / grain_px[1], 1.0 + height / grain_px[0])
    fine = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC, box=box))
    noise: Field = fine * np.float32(1.4)
    return noise


def cloud_noise(rng: Rng, height: int, width: int, grain_px: float, octaves: int) -> Field:
    """Fractal noise of std about 1: each octave has half the grain and 0.55 of the weight."""
    total: Field = np.zeros((height, width), dtype=np.float32)
    for k in range(octaves):
        grain = grain_px / 2**k
        total += np.float32(0.55**k) * smooth_noise(rng, height, width, (grain, grain))
    total /= np.float32(np.sqrt(sum(0.55 ** (2 * k) for k in range(octaves))))
    return total


def blend(low: Colour, high: Colour, amount: Field) -> Picture:
    """Mix two colours (0..255) by an amount in 0..1, clipped, of shape (height, width)."""
    share = np.clip(amount, 0.0, 1.0)[..., None]
    ends = np.asarray((low, high), dtype=np.float32) / np.float32(255)
    mixed: Picture = ((1 - share) * ends[0] + share * ends[1]).astype(np.float32)
    return mixed


def _down(height: int, width: int) -> Field:
    """0 at the top row, 1 at the bottom row."""
    rows: Field = np.linspace(0, 1, height, dtype=np.float32)
    return np.repeat(rows[:, None], width, axis=1)


def blue_sky(rng: Rng, height: int, width: int) -> Picture:
    """Deeper blue above, pale below, soft white clouds."""
    sky = blend((100, 88, 230), (166, 210, 246), _down(height, width))
    cover = np.clip(1.3 * (cloud_noise(rng, height, width, 40, 4) - 0.55), 0, 1)[..., None]
    clouded: Picture = sky * (1 - cover) + cover
    return clouded


def night_sky(rng: Rng, height: int, width: int) -> Picture:
    """Near-black blue with single-pixel stars."""
    sky = blend((17, 14, 40), (23, 24, 80), _down(height, width))
    stars = rng.random((height, width)) < 0.004
    sky[stars] = rng.uniform(0.75, 1.0, (int(stars.sum()), 1))
    return sky


def sunset(rng: Rng, height: int, width: int) -> Picture:
    """Violet above, orange below, with a little haze."""
    haze = 0.05 * smooth_noise(rng, height, width, (30, 50))
    down = np.clip(_down(height, width) + haze, 0, 1)
    upper = blend((70, 33, 82), (170, 112, 59), down * 2)
    return np.where(
        down[..., None] < 0.5, upper, blend((170, 112, 59), (255, 182, 40), down * 2 - 1)
    )


def sea(rng: Rng, height: int, width: int) -> Picture:
    """Blue waves in rows."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    bend = 1.2 * smooth_noise(rng, height, width, (20, 32))
    phase = rng.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * rows / 7.0 + bend + phase)
    swell = smooth_noise(rng, height, width, (25, 40))
    return blend((20, 72, 138), (62, 136, 204), 0.5 + 0.36 * wave + 0.12 * swell)


def grass(rng: Rng, height: int, width: int) -> Picture:
    """Fine blades, dark to light green."""
    blades = smooth_noise(rng, height, width, (4, 2))
    patches = cloud_noise(rng, height, width, 12, 3)
    return blend((36, 124, 18), (86, 164, 46), 0.5 + 0.2 * blades + 0.16 * patches)


def sand(rng: Rng, height: int, width: int) -> Picture:
    """Fine grain on soft dunes."""
    grain = smooth_noise(rng, height, width, (2, 2))
    dunes = smooth_noise(rng, height, width, (32, 48))
    return blend((202, 166, 110), (246, 212, 152), 0.5 + 0.1 * grain + 0.22 * dunes)


def snow(rng: Rng, height: int, width: int) -> Picture:
    """Near white, bluish in the hollows."""
    grain = smooth_noise(rng, height, width, (2, 2))
    drifts = smooth_noise(rng, height, width, (36, 48))
    return blend((212, 222, 228), (250, 252, 252), 0.5 + 0.06 * grain + 0.24 * drifts)


def forest(rng: Rng, height: int, width: int) -> Picture:
    """Overlapping conifers: triangles of many greens, the nearest lowest."""
    ground = blend((8, 44, 16), (36, 84, 36), 0.5 + 0.25 * cloud_noise(rng, height, width, 24, 2))
    image = Image.fromarray((ground * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for foot in np.sort(rng.uniform(0, height + 50, (height + 60) * (width + 40) // 640)):
        half, tall = rng.uniform(9, 20), rng.uniform(34, 60)
        x = rng.uniform(-20, width + 20)
        green = (int(rng.uniform(5, 62)), int(rng.uniform(80, 132)), int(rng.uniform(16, 66)))
        draw.polygon([(x - half, foot), (x + half, foot), (x, foot - tall)], fill=green)
    return as_floats(image)


def brick_wall(rng: Rng, height: int, width: int) -> Picture:
    """Red bricks of 28 by 14 pixels in running bond, grey mortar."""
    image = Image.new("RGB", (width, height), (190, 172, 160))
    draw = ImageDraw.Draw(image)
    top, left = rng.integers(0, 14), rng.integers(0, 28)
    for row in range(-1, height // 14 + 1):
        for column in range(-2, width // 28 + 2):
            y = int(top) + 14 * row
            x = int(left) + 28 * column + 14 * (row % 2)
            red = (int(rng.uniform(130, 200)), int(rng.uniform(36, 80)), int(rng.uniform(28, 66)))
            draw.rectangle((x, y, x + 25, y + 11), fill=red)
    return as_floats(image)


def stone(rng: Rng, height: int, width: int) -> Picture:
    """Grey cloud noise."""
    return blend((88, 86, 94), (162, 158, 158), 0.5 + 0.17 * cloud_noise(rng, height, width, 20, 4))


def wood(rng: Rng, height: int, width: int) -> Picture:
    """Brown grain in vertical bands."""
    across = np.arange(width, dtype=np.float32)[None]
    bend = 1.1 * smooth_noise(rng, height, width, (60, 60))
    band = np.sin(2 * np.pi * across / 17.0 + bend + rng.uniform(0, 2 * np.pi))
    grain = smooth_noise(rng, height, width, (60, 2))
    return blend((112, 60, 18), (194, 146, 72), 0.5 + 0.42 * band + 0.05 * grain)


def lava(rng: Rng, height: int, width: int) -> Picture:
    """Dark crust with glowing orange veins."""
    crust = cloud_noise(rng, height, width, 26, 3)
    return blend((48, 12, 8), (250, 156, 8), 0.75 + 0.9 * crust)


def flowers(rng: Rng, height: int, width: int) -> Picture:
    """Grass with round blossoms in red, yellow, pink and white."""
    image = Image.fromarray((grass(rng, height, width) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    petals = ((242, 62, 88), (252, 210, 60), (228, 116, 220), (252, 252, 252))
    for _ in range(height * width // 330):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(3, 6.5)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=petals[rng.integers(4)])
        draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=(250, 196, 40))
    return as_floats(image)


def white_background(_: Rng, height: int, width: int) -> Picture:
    """Plain white."""
    return np.ones((height, width, 3), dtype=np.float32)


def black_background(_: Rng, height: int, width: int) -> Picture:
    """Plain black, a hair above zero."""
    return np.full((height, width, 3), 5 / 255, dtype=np.float32)


PAINTERS: dict[str, Callable[[Rng, int, int], Picture]] = {
    "blue sky": blue_sky,
    "night sky": night_sky,
    "sunset": sunset,
    "sea": sea,
    "grass": grass,
    "sand": sand,
    "snow": snow,
    "forest": forest,
    "brick wall": brick_wall,
    "stone": stone,
    "wood": wood,
    "lava": lava,
    "flowers": flowers,
    "white background": white_background,
    "black background": black_background,
}

SPANNING = frozenset({"blue sky", "night sky", "sunset"})
"""Materials whose gradient spans the picture: they are painted at its size, never cropped."""


def paint_material(name: str, rng: Rng, height: int, width: int) -> Picture:
    """One picture (height, width, 3) of the material, float32 in [0, 1]."""
    return np.clip(PAINTERS[name](rng, height, width), 0, 1).astype(np.float32)
