"""What --seeds and --each mean: values, names and the order of a grid."""

from __future__ import annotations

from pathlib import Path

import pytest

from smd_cli.errors import SceneError, UsageError
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import Source
from smd_cli.work.values import values_of
from smd_cli.work.vary import MOST_JOBS, axes_of, refuse_many, variations

SCENE = "background: grass\nbrushes: [{name: fox, prompt: x, mask: {rect: [0, 0, 99, 99]}}]\n"


def seeds(text: str) -> list[str]:
    [axis] = axes_of([], text)
    return [change.value for change in axis.changes]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1-4", [1, 2, 3, 4]),
        ("1,5,9", [1, 5, 9]),
        ("7", [7]),
        ("0-1, 9223372036854775807", [0, 1, 2**63 - 1]),
        ("3-3,1-2", [3, 1, 2]),
    ],
)
def test_seeds_are_numbers_and_ranges(text: str, numbers: list[int]) -> None:
    assert seeds(text) == [str(number) for number in numbers]


@pytest.mark.parametrize(
    "text", ["", "1-", "-3", "4-1", "a", "1;2", "1-1002", "9223372036854775808", "1-3,2", "1.5"]
)
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        axes_of([], text)


def test_a_grid_goes_through_its_last_axis_first() -> None:
    axes = axes_of(["brushes.fox.prompt=[a fox, a wolf]", "size=[64x64]"], "8-9")
    expected = []
    for prompt in ("a fox", "a wolf"):
        for seed in ("8", "9"):
            expected.append({"brushes.fox.prompt": prompt, "size": "64x64", "seed": seed})
    assert [state.values for state in variations(axes)] == expected
    last = [*variations(axes)][-1]
    assert last.labels == ("fox.prompt a wolf", "size 64x64", "seed 9")
    assert last.slugs == ("a-wolf", "64x64", "9")
    assert last.tokens == {
        "fox.prompt": "a-wolf",
        "brushes.fox.prompt": "a-wolf",
        "1": "a-wolf",
        "size": "64x64",
        "2": "64x64",
    }


def test_without_axes_there_is_one_plain_state() -> None:
    [state] = variations(())
    assert (state.values, state.labels, state.slugs, dict(state.tokens)) == ({}, (), (), {})


@pytest.mark.parametrize(
    ("values", "slugs"),
    [
        ("[a fox, a wolf]", ["a-fox", "a-wolf"]),
        ('["a, b: {c}/../d", "e\\\\f*?"]', ["a-b-c-d", "e-f"]),
        ("[лиса, 狐]", ["лиса", "狐"]),
        ("[A fox, a fox]", ["A-fox-1", "a-fox-2"]),
        ('["!!", "??"]', ["1", "2"]),
        ("[0.5, 1]", ["0.5", "1"]),
        ("[{rect: [0, 1, 2, 3]}]", ["rect-0-1-2-3"]),
        ('["..", "con"]', ["1", "con-2"]),
    ],
)
def test_values_in_names_are_plain_and_differ(values: str, slugs: list[str]) -> None:
    [axis] = axes_of([f"brushes.1.prompt={values}"], None)
    assert list(axis.slugs) == slugs


def test_a_long_value_is_cut_and_stays_apart() -> None:
    [axis] = axes_of([f"brushes.1.prompt=[{'a' * 99}b, {'a' * 99}c]"], None)
    assert len({*axis.slugs}) == 2
    assert all(len(slug) < 50 for slug in axis.slugs)


@pytest.mark.parametrize(
    "each",
    ["a fox", "=[1]", "alpha=", "alpha=0.5", "alpha=[]", "alpha=[1, 1]", "alpha=[1", "a={b: 1}"],
)
def test_what_is_no_list_of_values_is_refused(each: str) -> None:
    with pytest.raises(UsageError, match="--each"):
        axes_of([each], None)


def test_a_key_varies_once() -> None:
    with pytest.raises(UsageError, match="'seed' is varied twice"):
        axes_of(["seed=[1, 2]"], "3-4")
    with pytest.raises(UsageError, match="exclude each other"):
        axes_of([], "3-4", "5")
    with pytest.raises(UsageError, match="--seed 5 and --each seed exclude each other"):
        axes_of(["seed=[1, 2]"], None, "5")


def test_a_grid_is_not_endless() -> None:
    axes = axes_of(["size=[64x64, 96x96]"], f"1-{MOST_JOBS // 2}")
    refuse_many(1, axes)
    with pytest.raises(UsageError, match=f"asks for {2 * MOST_JOBS} jobs"):
        refuse_many(2, axes)


PROMPTS = [
    "a fox",
    "12",
    "null",
    "true",
    "a: b",
    "- a",
    "fox #1",
    "two\nlines",
    "tab\there",
    '"quoted"',
    "'q'",
    "it's",
    "{a, b}",
    "[x]",
    "*star",
    "&anchor",
    "!tag",
    "  padded  ",
    "🦊 \\ /",
    "% @ `",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_text_arrives_as_it_is(prompt: str) -> None:
    """Written by json, read from a list, put into the scene, and read by its readers."""
    import json

    [axis] = axes_of([f"brushes.fox.prompt={json.dumps([prompt])}"], None)
    file = load_scene(Source("s.yaml", "s", Path(), SCENE), axis.changes)
    assert file.scene.brushes[0].prompt == prompt


def test_texts_that_look_like_numbers_stay_texts() -> None:
    """So that a reader of numbers refuses them, as it does in a scene."""
    source = Source("s.yaml", "s", Path(), SCENE)
    [axis] = axes_of(['sampler.steps=["3"]'], None)
    with pytest.raises(SceneError, match="steps must be a whole number"):
        load_scene(source, axis.changes)
    [axis] = axes_of(["sampler.steps=[3]"], None)
    assert load_scene(source, axis.changes).scene.sampler.timesteps == (420, 180, 50)


def test_whole_sections_are_values_too() -> None:
    masks = '{rect: [0, 0, 8, 8]}, {ellipse: ["1%", 0, 9, 9]}, [{rect: [1, 1, 2, 2]}]'
    [axis] = axes_of([f"brushes.fox.mask=[{masks}]"], None)
    source = Source("s.yaml", "s", Path(), SCENE)
    read = [load_scene(source, [one]).scene.brushes[0].mask for one in axis.changes]
    kinds = [type(mask[0]).__name__ for mask in read]
    assert kinds == ["RectMask", "EllipseMask", "RectMask"]


def test_a_block_list_and_an_alias_are_lists() -> None:
    assert values_of("- a fox\n- 2\n", "--each x") == ["a fox", "2"]
    assert values_of("[&one {a: [1, 'b, c']}, [*one]]", "--each x") == [
        '{"a": [1, "b, c"]}',
        '[{"a": [1, "b, c"]}]',
    ]
