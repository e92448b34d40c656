"""Paints the starter model's training pictures: emoji glyphs on materials, with their captions.

Objects stand on a lattice of 8 pixels (one latent cell) and come in sizes of whole cells, so that
the same thing at the same size always falls into the same latent pattern. Every draw comes from the
numpy generator that the caller passes.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from smd_cli.starter.materials import LATTICE_PX, ON_LATTICE, SPANNING, paint_material, tint
from smd_cli.starter.noise import Picture, Rng, luma
from smd_cli.starter.vocabulary import BACKGROUND, COLOURS, MATERIALS, OBJECTS, Thing

Levels = npt.NDArray[np.uint8]

CELL_PX = 8
SHEET_PX = 512
GLYPH_SIZE = 109
FONT_PLACES = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto-emoji/NotoColorEmoji.ttf",
    "/usr/local/share/fonts/NotoColorEmoji.ttf",
    "~/.local/share/fonts/NotoColorEmoji.ttf",
    "~/Library/Fonts/NotoColorEmoji.ttf",
)


class FontMissingError(FileNotFoundError):
    """Noto Color Emoji is nowhere to be found."""


def find_font(path: str | Path | None = None) -> Path:
    """The emoji font: the path given, else the first of the usual places that exists."""
    places = [Path(p).expanduser() for p in ([path] if path else FONT_PLACES)]
    for place in places:
        if place.is_file():
            return place
    raise FontMissingError(
        f"no Noto Color Emoji font at {', '.join(map(str, places))}: install it (Debian: "
        "fonts-noto-color-emoji) or name the file with --font"
    )


def load_glyphs(font_path: Path) -> dict[str, Image.Image]:
    """Every object's glyph, RGBA, cut to what is painted and padded to a square."""
    font = ImageFont.truetype(str(font_path), GLYPH_SIZE)
    return {word: _glyph(font, char) for word, char in OBJECTS.items()}


def _glyph(font: ImageFont.FreeTypeFont, char: str) -> Image.Image:
    sheet = Image.new("RGBA", (180, 180))
    ImageDraw.Draw(sheet).text((20, 20), char, font=font, embedded_color=True)
    box = sheet.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"the font has no glyph for {char!r}")
    cut = sheet.crop(box)
    square = Image.new("RGBA", (max(cut.size), max(cut.size)))
    square.paste(cut, ((square.width - cut.width) // 2, (square.height - cut.height) // 2))
    return square


@dataclass(frozen=True)
class Look:
    """How an object is drawn: whole cells across, lean (degrees), light (1: as is), shadow 0..1.

    `chances` are the standard normal draws that lean, light and shadow were made of.
    """

    size_cells: int
    lean_deg: int = 0
    light: float = 1.0
    shadow: float = 0.0
    chances: tuple[float, float, float] = (0.0, 0.0, 0.0)


UNSHADED = 0.65
"""How often an object casts no shadow."""


def draw_look(rng: Rng, room_cells: int) -> Look:
    """A modest variation: as large as there is room, mostly upright, lighter or darker, sometimes
    with a soft shadow."""
    leaning, lit, shading = (float(n) for n in rng.standard_normal(3))
    lean = int(np.clip(round(2.5 * leaning), -6, 6))
    light, dark = 0.88 + 0.19 * _share_below(lit), _share_below(shading) - UNSHADED
    shadow = 0.2 + 0.2 * dark / (1 - UNSHADED) if dark > 0 else 0.0
    return Look(max(room_cells, 4), lean, light, shadow, (leaning, lit, shading))


def _share_below(chance: float) -> float:
    """The share, 0..1, of standard normal draws that are smaller."""
    return 0.5 * (1 + math.erf(chance / math.sqrt(2)))


class Painter:
    """Materials and objects, cached as sheets and glyphs."""

    def __init__(self, glyphs: dict[str, Image.Image], seed: int = 0, sheets: int = 10) -> None:
        self.glyphs = glyphs
        self.seed, self.sheets = seed, sheets
        self._middles = {word: _middle(glyph) for word, glyph in glyphs.items()}
        self._sheets: dict[tuple[Thing, int, int], tuple[Levels, float]] = {}
        self._sprites: dict[tuple[str, int, int], tuple[Levels, Levels]] = {}

    def material(self, material: Thing, rng: Rng, size_px: int) -> Picture:
        """A square of the material, cut from a large sheet (or, with a gradient, painted whole)."""
        word, colour = material.word, material.colour
        if word == BACKGROUND:
            return paint_material(material, rng, size_px, size_px)
        drawn = word == "flowers"  # its colour is painted; others are tinted
        side = size_px if word in SPANNING else SHEET_PX
        index = int(rng.integers(self.sheets))
        sheet, middle = self._sheet(material if drawn else Thing(word), side, index)
        step = LATTICE_PX if word in ON_LATTICE else 1
        y, x = (step * int(n) for n in rng.integers(0, (side - size_px) // step + 1, 2))
        window = sheet[y : y + size_px, x : x + size_px].astype(np.float32) / np.float32(255)
        if colour is not None and not drawn:
            window = tint(window, colour, middle)
        light = np.float32(rng.uniform(0.96, 1.04))
        mirrored = window[:, ::-1] if rng.random() < 0.5 else window
        lit: Picture = np.clip(mirrored * light, 0, 1)
        return lit

    def _sheet(self, material: Thing, side: int, index: int) -> tuple[Levels, float]:
        """A painted sheet (side, side, 3) in bytes, and its middle brightness."""
        key = (material, side, index)
        if key not in self._sheets:
            number = MATERIALS.index(material.word)
            colour = 0 if material.colour is None else 1 + list(COLOURS).index(material.colour)
            rng = np.random.default_rng([self.seed, index, side, number, colour])
            sheet = paint_material(material, rng, side, side)
            levels = (sheet * 255).round().astype(np.uint8)
            self._sheets[key] = levels, float(np.median(luma(sheet)))
        return self._sheets[key]

    def sprite(self, thing: Thing, look: Look) -> tuple[Picture, Picture]:
        """The object in its square: (size, size, 4) float32, not premultiplied, and its shade."""
        key = (thing.word, look.size_cells, look.lean_deg)
        if key not in self._sprites:
            size = look.size_cells * CELL_PX
            glyph = self.glyphs[thing.word].rotate(look.lean_deg, Image.Resampling.BICUBIC)
            sprite = glyph.resize((size, size), Image.Resampling.LANCZOS)
            shade = sprite.getchannel("A").filter(ImageFilter.GaussianBlur(3))
            self._sprites[key] = (np.asarray(sprite), np.asarray(shade))
        rgba, shade_levels = (a.astype(np.float32) / np.float32(255) for a in self._sprites[key])
        if thing.colour is not None:
            rgba[..., :3] = tint(rgba[..., :3], thing.colour, self._middles[thing.word])
        rgba[..., :3] = np.clip(rgba[..., :3] * np.float32(look.light), 0, 1)
        return rgba, shade_levels * np.float32(look.shadow)

    def put(self, picture: Picture, thing: Thing, look: Look, corner: tuple[int, int]) -> None:
        """Draw the object into the picture, its square's top left at `corner` (y, x) in cells."""
        sprite, shade = self.sprite(thing, look)
        if look.shadow:
            _lay(picture, np.zeros((1, 1, 3), np.float32), shade, corner, offset_px=4)
        _lay(picture, sprite[..., :3], sprite[..., 3], corner, offset_px=0)


def _middle(glyph: Image.Image) -> float:
    """The middle brightness of what a glyph paints."""
    rgba = np.asarray(glyph, dtype=np.float32) / np.float32(255)
    return float(np.median(luma(rgba[..., :3])[rgba[..., 3] > 0.5]))


def _lay(
    picture: Picture, colour: Picture, cover: Picture, corner: tuple[int, int], offset_px: int
) -> None:
    """Blend a colour patch over the picture in place, cut at the picture's edges."""
    top, left = (CELL_PX * c + offset_px for c in corner)
    y0, x0 = max(top, 0), max(left, 0)
    y1 = min(top + cover.shape[0], picture.shape[0])
    x1 = min(left + cover.shape[1], picture.shape[1])
    if y1 <= y0 or x1 <= x0:
        return
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    share = cover[inside][..., None]
    colour = np.broadcast_to(colour, (*cover.shape, 3))[inside]
    picture[y0:y1, x0:x1] = picture[y0:y1, x0:x1] * (1 - share) + colour * share
