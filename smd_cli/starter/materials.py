"""The materials, painted procedurally: pictures of (height, width, 3) float32 in [0, 1].

A material keeps its grain (in pixels) whatever the size; only skies have a gradient, which spans
the height they are given. Every function draws from the generator it gets. Colour words tint what
was painted: the middle tones become the colour, shades and lights stay.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from smd_cli.starter.noise import (
    Field,
    Picture,
    Rng,
    as_floats,
    blend,
    cloud_noise,
    luma,
    smooth_noise,
)
from smd_cli.starter.vocabulary import BACKGROUND, COLOURS, Thing


def _down(height: int, width: int) -> Field:
    """0 at the top row, 1 at the bottom row."""
    rows: Field = np.linspace(0, 1, height, dtype=np.float32)
    return np.repeat(rows[:, None], width, axis=1)


def sky(rng: Rng, height: int, width: int) -> Picture:
    """Deeper blue above, pale below, soft white clouds."""
    sky = blend((100, 88, 230), (166, 210, 246), _down(height, width))
    cover = np.clip(1.3 * (cloud_noise(rng, height, width, 40, 4) - 0.55), 0, 1)[..., None]
    clouded: Picture = sky * (1 - cover) + cover
    return clouded


def night_sky(rng: Rng, height: int, width: int) -> Picture:
    """Near-black blue with single-pixel stars."""
    sky = blend((17, 14, 40), (23, 24, 80), _down(height, width))
    _strew_stars(sky, rng, share=0.004, faintest=0.75)
    return sky


def _strew_stars(picture: Picture, rng: Rng, *, share: float, faintest: float) -> None:
    """Make a share of the pixels grey to white, in place."""
    stars = rng.random(picture.shape[:2]) < share
    picture[stars] = rng.uniform(faintest, 1.0, (int(stars.sum()), 1))


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
    """Red bricks of 32 by 16 pixels in running bond, grey mortar."""
    image = Image.new("RGB", (width, height), (190, 172, 160))
    draw = ImageDraw.Draw(image)
    for row, y in enumerate(range(0, height, 16)):
        for x in range(-16 * (row % 2), width, 32):
            red = (int(rng.uniform(130, 200)), int(rng.uniform(36, 80)), int(rng.uniform(28, 66)))
            draw.rectangle((x + 1, y + 1, x + 30, y + 14), fill=red)
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
    return _blossoms(rng, height, width, ((242, 62, 88), (252, 210, 60), (228, 116, 220), _WHITE))


_WHITE = (252, 252, 252)


def _blossoms(
    rng: Rng, height: int, width: int, petals: tuple[tuple[int, int, int], ...]
) -> Picture:
    image = Image.fromarray((grass(rng, height, width) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(height * width // 230):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(4, 7.5)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=petals[rng.integers(len(petals))])
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(250, 196, 40))
    return as_floats(image)


def plain(_: Rng, height: int, width: int) -> Picture:
    """Middle grey, for a colour word to colour."""
    return np.full((height, width, 3), 0.5, dtype=np.float32)


def clouds(rng: Rng, height: int, width: int) -> Picture:
    """White heaps with bluish hollows."""
    return blend(
        (140, 168, 206), (255, 255, 255), 0.62 + 0.3 * cloud_noise(rng, height, width, 44, 4)
    )


def rain(rng: Rng, height: int, width: int) -> Picture:
    """Grey haze with slanting pale streaks."""
    haze = blend(
        (74, 84, 100), (122, 132, 148), 0.5 + 0.3 * smooth_noise(rng, height, width, (50, 60))
    )
    image = Image.fromarray((haze * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(height * width // 420):
        x, y, long = rng.uniform(0, width), rng.uniform(-20, height), rng.uniform(10, 20)
        draw.line((x, y, x - 0.35 * long, y + long), fill=(178, 192, 212), width=1)
    return as_floats(image)


def galaxy(rng: Rng, height: int, width: int) -> Picture:
    """Violet and blue nebulae among stars."""
    glow = np.clip(0.35 + 0.35 * cloud_noise(rng, height, width, 60, 4), 0, 1)
    hue = np.clip(0.5 + 0.5 * smooth_noise(rng, height, width, (56, 56)), 0, 1)[..., None]
    nebula = hue * blend((14, 8, 34), (206, 72, 190), glow)
    nebula = nebula + (1 - hue) * blend((14, 8, 34), (84, 92, 220), glow)
    _strew_stars(nebula, rng, share=0.006, faintest=0.8)
    return np.asarray(nebula, dtype=np.float32)


def aurora(rng: Rng, height: int, width: int) -> Picture:
    """Green curtains of light in a dark sky."""
    down = _down(height, width)
    dark = blend((10, 18, 46), (16, 44, 70), down)
    sway = 0.1 * smooth_noise(rng, 1, width, (1, 60)) + 0.03 * smooth_noise(rng, 1, width, (1, 14))
    foot = 0.62 + sway
    curtain = np.where(down < foot, np.exp((down - foot) / 0.28), np.exp((foot - down) / 0.05))
    rays = 0.75 + 0.25 * smooth_noise(rng, height, width, (160, 7))
    share = np.clip(curtain * rays, 0, 1)[..., None]
    light = blend((110, 96, 216), (70, 242, 150), down / 0.6)
    return np.asarray(dark * (1 - share) + light * share, dtype=np.float32)


def ice(rng: Rng, height: int, width: int) -> Picture:
    """Pale blue plates with white cracks."""
    sheet = blend(
        (132, 194, 226), (206, 236, 246), 0.5 + 0.24 * cloud_noise(rng, height, width, 40, 3)
    )
    cracks = np.exp(-((smooth_noise(rng, height, width, (38, 38)) / 0.07) ** 2))
    cracks = np.maximum(cracks, np.exp(-((smooth_noise(rng, height, width, (24, 30)) / 0.05) ** 2)))
    share = np.float32(0.85) * cracks[..., None].astype(np.float32)
    return np.asarray(sheet * (1 - share) + share)


def soil(rng: Rng, height: int, width: int) -> Picture:
    """Dark brown crumbs with a few pebbles."""
    crumbs = blend((52, 32, 20), (118, 78, 50), 0.5 + 0.24 * cloud_noise(rng, height, width, 9, 3))
    image = Image.fromarray((crumbs * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(height * width // 900):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1.5, 4)
        grey = int(rng.uniform(120, 176))
        draw.ellipse((x - 1.3 * r, y - r, x + 1.3 * r, y + r), fill=(grey, grey - 12, grey - 28))
    return as_floats(image)


def cobblestone(rng: Rng, height: int, width: int) -> Picture:
    """Rounded grey stones of 16 pixels in rows, dark joints."""
    image = Image.new("RGB", (width, height), (62, 60, 62))
    draw = ImageDraw.Draw(image)
    for row, y in enumerate(range(0, height, 16)):
        for x in range(-8 * (row % 2), width, 16):
            grey = int(rng.uniform(122, 178))
            draw.rounded_rectangle((x, y + 1, x + 15, y + 14), 6, fill=(grey, grey - 4, grey - 8))
            lit = (grey + 22, grey + 19, grey + 16)
            draw.rounded_rectangle((x + 4, y + 3, x + 11, y + 7), 3, fill=lit)
    return as_floats(image)


def tiles(rng: Rng, height: int, width: int) -> Picture:
    """Square turquoise tiles of 32 pixels, white joints."""
    image = Image.new("RGB", (width, height), (236, 240, 240))
    draw = ImageDraw.Draw(image)
    for y in range(0, height, 32):
        for x in range(0, width, 32):
            lit = rng.uniform(0.9, 1.1)
            fill = (int(64 * lit), int(164 * lit), int(176 * lit))
            draw.rectangle((x + 2, y + 2, x + 29, y + 29), fill=fill)
            pale = tuple(min(255, n + 34) for n in fill)
            draw.line((x + 5, y + 6, x + 26, y + 6), fill=pale, width=2)
    return as_floats(image)


def wheat(rng: Rng, height: int, width: int) -> Picture:
    """Golden stalks with ears."""
    stalks = smooth_noise(rng, height, width, (26, 2))
    patches = cloud_noise(rng, height, width, 30, 2)
    field = blend((150, 102, 24), (236, 190, 84), 0.5 + 0.22 * stalks + 0.1 * patches)
    image = Image.fromarray((field * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(height * width // 260):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        lit = rng.uniform(0.88, 1.05)
        draw.ellipse((x - 2, y - 7, x + 2, y + 7), fill=(int(240 * lit), int(204 * lit), 96))
        draw.line((x, y - 6, x, y + 6), fill=(176, 124, 36), width=1)
    return as_floats(image)


def leaves(rng: Rng, height: int, width: int) -> Picture:
    """Fallen leaves, red to yellow, heaped."""
    image = Image.new("RGB", (width, height), (96, 44, 16))
    draw = ImageDraw.Draw(image)
    ramp = ((176, 44, 22), (222, 96, 24), (238, 160, 40), (196, 74, 24))
    for _ in range(height * width // 70):
        x, y, turn = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi)
        long, wide = rng.uniform(7, 11), rng.uniform(3, 4.5)
        ux, uy = np.cos(turn), np.sin(turn)
        tips = ((x + long * ux, y + long * uy), (x - long * ux, y - long * uy))
        sides = ((x - wide * uy, y + wide * ux), (x + wide * uy, y - wide * ux))
        draw.polygon([tips[0], sides[0], tips[1], sides[1]], fill=ramp[rng.integers(4)])
        draw.line((*tips[0], *tips[1]), fill=(112, 48, 16), width=1)
    return as_floats(image)


def marble(rng: Rng, height: int, width: int) -> Picture:
    """Near white with soft grey veins."""
    cloudy = blend(
        (214, 214, 218), (250, 250, 250), 0.6 + 0.25 * cloud_noise(rng, height, width, 50, 3)
    )
    vein = np.exp(-((cloud_noise(rng, height, width, 70, 3) / 0.1) ** 2))[..., None]
    share = (0.6 * vein).astype(np.float32)
    return np.asarray(cloudy * (1 - share) + np.float32(0.45) * share)


def city(rng: Rng, height: int, width: int) -> Picture:
    """Towers behind towers at dusk, with lit windows."""
    image = Image.new("RGB", (width, height), (70, 72, 112))
    draw = ImageDraw.Draw(image)
    for roof in np.sort(rng.uniform(-50, height, (height + 60) * (width + 40) // 1500)):
        wide, lit = 8 * int(rng.integers(3, 6)), rng.uniform(0.75, 1.25)
        left, top = 8 * int(rng.integers(-4, width // 8)), 8 * round(roof / 8)
        wall = (int(46 * lit), int(52 * lit), int(80 * lit))
        draw.rectangle((left, top, left + wide - 1, height), fill=wall, outline=(26, 28, 46))
        for y in range(top + 8, min(top + 96, height), 8):
            for x in range(left, left + wide, 8):
                if rng.random() < 0.55:
                    draw.rectangle((x + 2, y + 1, x + 5, y + 5), fill=(248, 214, 112))
    return as_floats(image)


PAINTERS: dict[str, Callable[[Rng, int, int], Picture]] = {
    "sky": sky,
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
    BACKGROUND: plain,
    "clouds": clouds,
    "rain": rain,
    "galaxy": galaxy,
    "aurora": aurora,
    "ice": ice,
    "soil": soil,
    "cobblestone": cobblestone,
    "tiles": tiles,
    "wheat": wheat,
    "leaves": leaves,
    "marble": marble,
    "city": city,
}

LATTICE_PX = 32
"""Masonry lies on a lattice of so many pixels, that is of whole latent cells, as objects do: where
its joints are is then not left to chance."""

ON_LATTICE = frozenset({"brick wall", "cobblestone", "tiles", "city"})

SPANNING = frozenset({"sky", "night sky", "sunset", "aurora"})
"""Materials whose gradient spans the picture: they are painted at its size, never cropped."""

PLAIN = {"white": 1.0, "black": 5 / 255}
"""White and black backgrounds are paper and, but for a hair, darkness."""


def tint(rgb: Picture, colour: str, middle: float) -> Picture:
    """Colours (..., 3) in the shades of a colour word; brightness `middle` becomes the colour."""
    ramp = np.asarray(COLOURS[colour], dtype=np.float32) / np.float32(255)
    dark = 0.16 * ramp if colour != "white" else 0.45 * ramp
    light = 1 - 0.25 * (1 - ramp) if colour != "black" else ramp + 0.45
    bright = luma(rgb)[..., None]
    below = bright / max(middle, 0.05)
    above = np.clip((bright - middle) / max(1 - middle, 0.05), 0, 1)
    lower = dark + (ramp - dark) * np.minimum(below, 1)
    return np.asarray(np.where(bright <= middle, lower, ramp + (light - ramp) * above))


def paint_material(material: Thing, rng: Rng, height: int, width: int) -> Picture:
    """One picture (height, width, 3) of the material, float32 in [0, 1]."""
    word, colour = material.word, material.colour
    if colour is None:
        painted = PAINTERS[word](rng, height, width)
    elif word == BACKGROUND and colour in PLAIN:
        painted = np.full((height, width, 3), PLAIN[colour], dtype=np.float32)
    elif word == "flowers":
        painted = _blossoms(rng, height, width, (COLOURS[colour],))
    else:
        natural = np.clip(PAINTERS[word](rng, height, width), 0, 1)
        painted = tint(natural, colour, float(np.median(luma(natural))))
    return np.clip(painted, 0, 1).astype(np.float32)
