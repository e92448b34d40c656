"""Warnings about words that the starter does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

from smd_cli.scene.parse import load_scene
from smd_cli.work.check import check_scene

from .scenes import said

LISTS = "it paints the rest; smd models starter lists its words"


def prompted(prompt: str, *lines: str) -> str:
    mask = "mask: {rect: [40, 40, 150, 150]}"
    return "\n".join([*lines, "size: 256x256", f"brushes: [{{{mask}, prompt: {prompt}}}]", ""])


@pytest.mark.parametrize(
    ("prompt", "unknown", "hint"),
    [
        ("a hot air balloon", "'hot', 'air'", LISTS),
        ("a pine in the snow", "'pine'", "did you mean 'pine tree'?"),
        ("a brick house", "'brick'", "did you mean 'brick wall'?"),
        ("two red foxes and a fox", "'two', 'foxes'", "did you mean 'fox'?"),
        ("(fluffy cat:1.2), 8k", "'fluffy'", LISTS),
        ("A Tabby CAT", "'Tabby'", LISTS),
        ("a cat's tree, café", "'café'", LISTS),
        ("a baloon and a fox", "'baloon'", "did you mean 'balloon'?"),
        (
            "qqq vvv www xxx yyy zzz uuu tree",
            "'qqq', 'vvv', 'www', 'xxx', 'yyy', 'zzz' and 1 more",
            LISTS,
        ),
    ],
)
def test_words_that_the_starter_leaves_out(
    tmp_path: Path, prompt: str, unknown: str, hint: str
) -> None:
    [told] = said(tmp_path, prompted(f'"{prompt}"'))
    message, _, hinted = told.partition(" | ")
    assert message == f"2:54 the model starter does not know {unknown} in '{prompt}'"
    assert hinted == hint


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox",
        "the Moon",
        "a red house and an owl, in pink sky",
        "a pine tree behind the brick wall",
        "(teddy bear:1.3) on grass",
        "white background",
    ],
)
def test_words_that_the_starter_knows(tmp_path: Path, prompt: str) -> None:
    assert said(tmp_path, prompted(f'"{prompt}"')) == []


def test_a_prompt_without_any_known_word_is_told_once(tmp_path: Path) -> None:
    [told] = said(tmp_path, prompted("a hot day"))
    assert told.startswith(
        "2:54 the model starter knows no word of 'a hot day' | it knows 126 words, "
    )


def test_a_backgrounds_words_and_those_of_all_prompts(tmp_path: Path) -> None:
    wording = "prompt: {prefix: 'a photo of ', suffix: ', watercolour'}"
    told = said(tmp_path, prompted("a fox", wording, "background: a misty forest"))
    assert [line.partition(" | ")[0] for line in told] == [
        "1:18 the model starter does not know 'photo' in 'a photo of'",
        "1:41 the model starter does not know 'watercolour' in ', watercolour'",
        "2:13 the model starter does not know 'misty' in 'a misty forest'",
    ]


def test_other_programs_syntax_is_told_as_that_alone(tmp_path: Path) -> None:
    [told] = said(tmp_path, prompted("'a fox <lora:pixels:1>'"))
    assert "is read as plain words" in told


def test_a_model_that_says_nothing_of_its_words_knows_all(tmp_path: Path) -> None:
    assert (
        said(tmp_path, prompted("a hot air balloon", "model: hub:a/b", "sampler: {steps: 4}")) == []
    )


@pytest.mark.parametrize("scene", sorted((ROOT / "scenes").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_shipped_scenes_are_known_by_every_word(scene: Path) -> None:
    assert check_scene(load_scene(str(scene))).warnings == ()


def test_so_is_the_readmes(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [scene] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert said(tmp_path, scene) == []
