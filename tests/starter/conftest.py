"""A painter that needs no font: its glyphs are plain discs."""

import pytest
from PIL import Image, ImageDraw

from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import OBJECTS


@pytest.fixture(scope="session")
def painter() -> Painter:
    glyphs = {}
    for n, word in enumerate(OBJECTS):
        glyphs[word] = Image.new("RGBA", (64, 64))
        ImageDraw.Draw(glyphs[word]).ellipse((2, 2, 61, 61), fill=(2 * n, 255 - 2 * n, 128, 255))
    return Painter(glyphs, sheets=2)
