"""Words and captions."""

import pytest

from smd_cli.starter.vocabulary import MATERIALS, OBJECTS, caption, without_article


def test_vocabulary_has_40_objects_and_15_materials() -> None:
    assert len(OBJECTS) == 40
    assert len(set(OBJECTS.values())) == 40
    assert len(set(MATERIALS)) == 15
    assert OBJECTS["fox"] == "🦊"
    assert OBJECTS["mountain"] == "🏔"


@pytest.mark.parametrize(
    ("thing", "material", "expected"),
    [
        ("fox", None, "a fox"),
        ("owl", None, "an owl"),
        ("airplane", "blue sky", "an airplane, blue sky"),
        ("fox", "grass", "a fox, grass"),
        ("grass", None, "grass"),
        ("blue sky", None, "a blue sky"),
        ("flowers", None, "flowers"),
    ],
)
def test_captions_have_natural_articles(thing: str, material: str | None, expected: str) -> None:
    assert caption(thing, material) == expected


@pytest.mark.parametrize(
    ("prompt", "short"), [("an owl, snow", "owl, snow"), ("a fox", "fox"), ("grass", "grass")]
)
def test_the_article_can_be_left_out(prompt: str, short: str) -> None:
    assert without_article(prompt) == short
