"""Words and captions."""

import pytest

from smd_cli.starter.vocabulary import (
    COLOURABLE,
    COLOURS,
    MATERIALS,
    OBJECTS,
    WHITE,
    Thing,
    caption,
    without_articles,
)

FIRST_GLYPHS = "🐱🐶🦊🦉🐸🐼🌳🌲🌴🌵🌻🌹🍄🍎🏠🏰🚗⛵🚀✈☀🌙⭐☁🌈⛄👻🤖❤🎈🦋🐟🐳🐦🐴🏔🌋⛺👑🌷"


def test_vocabulary_has_100_objects_and_26_materials() -> None:
    assert len(OBJECTS) == len(set(OBJECTS.values())) == 100
    assert len(set(MATERIALS)) == 26
    assert not set(OBJECTS) & set(MATERIALS)
    assert set(MATERIALS) > COLOURABLE
    words = {word for name in (*OBJECTS, *MATERIALS) for word in name.split()}
    assert not words & set(COLOURS)


def test_the_first_forty_objects_keep_their_glyphs() -> None:
    assert "".join(list(OBJECTS.values())[:40]) == FIRST_GLYPHS


@pytest.mark.parametrize(
    ("things", "material", "expected"),
    [
        ([Thing("fox")], None, "a fox"),
        ([Thing("owl")], None, "an owl"),
        ([Thing("owl", "red")], None, "a red owl"),
        ([Thing("fox", "orange")], Thing("grass"), "an orange fox, grass"),
        ([Thing("airplane")], Thing("sky", "pink"), "an airplane, a pink sky"),
        ([Thing("sand", "red")], None, "red sand"),
        ([Thing("fox"), Thing("owl", "blue")], WHITE, "a fox and a blue owl, a white background"),
    ],
)
def test_captions_have_natural_articles(
    things: list[Thing], material: Thing | None, expected: str
) -> None:
    assert caption(things, material) == expected


@pytest.mark.parametrize(
    ("prompt", "short"),
    [
        ("an owl, snow", "owl, snow"),
        ("a fox and an owl, a pink sky", "fox and owl, pink sky"),
        ("grass", "grass"),
    ],
)
def test_articles_can_be_left_out(prompt: str, short: str) -> None:
    assert without_articles(prompt) == short
