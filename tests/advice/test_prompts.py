"""Warnings about prompts, at the key that holds the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scenes import said, scene

LORA = "'<lora:x:1>' is read as plain words: a prompt loads no LoRA"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (scene(brush="prompt: 'a fox <lora:x:1>'"), "2:20"),
        (scene(brush="prompt: a fox, negative: '<lora:x:1>'"), "2:37"),
        (scene("background: 'sea <lora:x:1>'"), "2:13"),
        (scene("background: {prompt: 'sea <lora:x:1>'}"), "2:22"),
        (scene("background: {prompt: sea, negative: '<lora:x:1>'}"), "2:37"),
        (scene("defaults: {negative: '<lora:x:1>'}"), "2:22"),
        (scene("prompt: {prefix: '<lora:x:1> '}", "background: sea"), "2:18"),
        (scene("prompt: {suffix: ', <lora:x:1>'}", "background: sea"), "2:18"),
    ],
)
def test_other_programs_syntax_is_told_once_where_it_stands(
    tmp_path: Path, text: str, place: str
) -> None:
    [told] = [line for line in said(tmp_path, text) if "lora" in line]
    assert told.startswith(f"{place} {LORA} | model: {{name: ..., lora:")


def test_a_weight_that_prefix_and_suffix_make_is_one(tmp_path: Path) -> None:
    assert said(tmp_path, scene("prompt: {prefix: '(', suffix: ':1.2)'}")) == []
    [told] = said(tmp_path, scene("prompt: {prefix: '(', suffix: ':1.2'}"))
    assert told.startswith("2:18 '(a fox:1.2' is read as plain words: its bracket is not closed")


@pytest.mark.parametrize("name", ["photo.jpg", "my photos/IMG 1.JPEG", "a.kra", "film.mp4"])
def test_a_background_that_is_a_file(tmp_path: Path, name: str) -> None:
    told = f"'{name}' names a file, but is painted from its words here"
    hint = f"write background: {{image: {name}}} to paint into the picture"
    assert said(tmp_path, scene(f"background: {name}")) == [f"2:13 {told} | {hint}"]
    joined = scene("prompt: {suffix: ', watercolour'}", f"background: {{prompt: {name}}}")
    assert said(tmp_path, joined) == [f"3:22 {told} | {hint}"]


def test_a_file_of_any_kind_beside_the_scene(tmp_path: Path) -> None:
    assert said(tmp_path, scene("background: notes.txt")) == []
    (tmp_path / "notes.txt").write_text("a sea")
    (tmp_path / "sea").write_text("a word may be a file's name as well")
    [told] = said(tmp_path, scene("background: notes.txt"))
    assert "'notes.txt' names a file" in told
    assert said(tmp_path, scene("background: sea")) == []


def test_a_prompt_that_is_a_mask(tmp_path: Path) -> None:
    hint = "a picture stands under mask:, and words for what to paint here"
    told = "'masks/fox.png' names a file, but is painted from its words here"
    assert said(tmp_path, scene(brush="prompt: masks/fox.png")) == [f"2:20 {told} | {hint}"]
    negative = scene(
        "sampler: {guidance: {type: full, scale: 3}}",
        brush="prompt: a fox, negative: masks/fox.png",
    )
    assert said(tmp_path, negative) == [f"3:37 {told} | {hint}"]


def test_a_background_that_is_a_colour(tmp_path: Path) -> None:
    [told] = said(tmp_path, scene("background: '#aabbcc'"))
    assert told == (
        "2:13 '#aabbcc' names a colour, but is painted from its words here | "
        'write background: {color: "#aabbcc"}'
    )


@pytest.mark.parametrize("prompt", ["a photo", "version 1.5", "a fox. an owl.", "a jpg", "e.g. a"])
def test_words_that_are_no_file(tmp_path: Path, prompt: str) -> None:
    assert said(tmp_path, scene(f"background: {prompt}")) == []


def test_the_starter_is_told_the_file_and_not_its_unknown_word(tmp_path: Path) -> None:
    [told] = said(tmp_path, "background: photo.jpg\nsize: 256x256\n")
    assert "names a file" in told
