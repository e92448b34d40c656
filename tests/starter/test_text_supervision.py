"""What words look like, for the text encoder to learn."""

import pytest
import torch

from smd_cli.backbone.families.codec import PatchAutoencoder, patch_components
from smd_cli.starter.painter import Painter
from smd_cli.starter.text import PARTS
from smd_cli.starter.text_supervision import TextTargets
from smd_cli.starter.vocabulary import Thing


@pytest.fixture(scope="module")
def looks(painter: Painter) -> TextTargets:
    codec: PatchAutoencoder = PatchAutoencoder(latent_channels=4, width=16, blocks=1)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.set_components(*patch_components(pictures, 4))
    return TextTargets(painter, codec.eval())


def cover(look: torch.Tensor) -> torch.Tensor:
    """Where the object is, part by part."""
    return look[:, -1].reshape(PARTS, PARTS)


def test_a_look_has_a_row_for_each_part_from_the_top_left(looks: TextTargets) -> None:
    look = looks.of(Thing("fox"))
    assert look.shape == (PARTS**2, 5)
    found = cover(look)
    assert found[4:6, 4:6].min() > 0.99
    assert found[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.5
    assert torch.allclose(found, found.T, atol=0.05)


def test_colours_and_words_look_different_materials_cover_nothing(looks: TextTargets) -> None:
    fox, red_fox = looks.of(Thing("fox")), looks.of(Thing("fox", "red"))
    assert torch.equal(cover(fox), cover(red_fox))
    assert not torch.allclose(fox, red_fox, atol=0.05)
    assert cover(looks.of(Thing("grass"))).max() == 0
    assert looks.of(Thing("fox")) is fox
