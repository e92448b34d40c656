"""A painter that needs no font, its glyphs are plain discs; and a small codec, not trained."""

import pytest
import torch
from PIL import Image, ImageDraw

from smd_cli.backbone.families.codec import PatchAutoencoder, patch_components
from smd_cli.starter.painter import Painter
from smd_cli.starter.vocabulary import OBJECTS


@pytest.fixture(scope="session")
def painter() -> Painter:
    glyphs = {}
    for n, word in enumerate(OBJECTS):
        glyphs[word] = Image.new("RGBA", (64, 64))
        ImageDraw.Draw(glyphs[word]).ellipse((2, 2, 61, 61), fill=(2 * n, 255 - 2 * n, 128, 255))
    return Painter(glyphs, sheets=2)


@pytest.fixture(scope="module")
def codec() -> PatchAutoencoder:
    codec: PatchAutoencoder = PatchAutoencoder(width=16, blocks=1)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.set_components(*patch_components(pictures, 16))
    codec.eval().requires_grad_(False)
    return codec
