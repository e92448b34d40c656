"""Other programs' prompt syntax: each kind found, smd's own and plain text left alone."""

from __future__ import annotations

import time

import pytest

from smd_cli.scene.prompts import weighted_spans
from smd_cli.work.advice.syntax import foreign_syntax

FOREIGN = {  # a prompt, and the words of it that mean more elsewhere
    "a fox <lora:detail:0.8>, x": "<lora:detail:0.8>",
    "<lyco:detail:1> a fox": "<lyco:detail:1>",
    "a fox <lora:detail:0.8": "<lora:detail:0.8",
    "<hypernet:anime:1> a fox": "<hypernet:anime:1>",
    "<my-cat> on a bench": "<my-cat>",
    "embedding:easynegative, fog": "embedding:easynegative",
    "a fox BREAK an owl": "BREAK",
    "a fox ADDCOMM an owl": "ADDCOMM",
    "a fox AND an owl": "AND",
    "a __colour__ fox": "__colour__",
    "a __animals/small*__ fox": "__animals/small*__",
    "a [red:blue:0.5] fox": "[red:blue:0.5]",
    "a [red:10] fox": "[red:10]",
    "a [red::0.5] fox": "[red::0.5]",
    "a [red|blue] fox": "[red|blue]",
    "{a fox|an owl}": "{a fox|an owl}",
    "{2$$a, b}": "{2$$a, b}",
    "a ((red)) fox": "((red))",
    "(((red))) fox": "((red))",
    "((red:1.3)) fox": "((red:1.3))",
    "a [[red]] fox": "[[red]]",
    "a {{red}} fox": "{{red}}",
    "a (fox:1,2)": "(fox:1,2)",
    "a (fox:-1.2)": "(fox:-1.2)",
    "a (fox:1.2": "(fox:1.2",
    "a (fox:1.2, an owl (b)": "(fox:1.2",
    "a fox:1.2), b": "a fox:1.2)",
    "(a (red) fox:1.2)": "fox:1.2)",
    "a fox:1.2, b": "fox:1.2",
    "(a fox)++, b": "(a fox)++",
    "(red:1.2)+ fox": "(red:1.2)+",
    "a fox++ b": "fox++",
    "a fox-- b": "fox--",
    "(a fox)1.3": "(a fox)1.3",
    "a fox::2 an owl": "fox::2",
    "a fox --no text": "--no text",
    "a fox --ar 16:9": "--ar 16:9",
    "a fox —v 5": "—v 5",
    "cat.swap(dog)": ".swap(",
}
PLAIN = (
    "a fox",
    "a (red:1.2) fox, (blue:0.8)",
    "(a red fox: 1.2 )",
    "(a fox:.5)",
    r"a \(red\) fox \(x",
    "a fox (red), an owl (blue)",
    "a (red (very)) fox",
    "[a fox]",
    "{animal}",
    "A FOX AND AN OWL BREAK BREAD",
    "rock and roll, a coffee break",
    "a clock at 10:30",
    "(at 10:30 in the morning)",
    "a 16:9 screen, scale 1:1.5",
    "f/1.8, 35mm (film grain), 8k",
    "a book on C++, ages 18+",
    "a fox -- red, a well-known one - old",
    "a sea—no boats",
    "a fox: red, quick",
    "smile :) <3",
    "if x < y and y > z",
    "snake_case a__b",
    "http://x.y/z",
    "((",
)


@pytest.mark.parametrize("prompt", FOREIGN)
def test_what_means_more_elsewhere_is_found(prompt: str) -> None:
    found = next(foreign_syntax(prompt))
    assert found.words == FOREIGN[prompt]
    assert prompt[found.start :].lstrip().startswith(found.words)
    assert found.reason
    assert found.hint


@pytest.mark.parametrize("prompt", PLAIN)
def test_plain_text_and_real_weights_are_left_alone(prompt: str) -> None:
    assert [*foreign_syntax(prompt)] == []


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("((a)), ((b)), <lora:x:1> and {a|b}", ["<lora:x:1>", "{a|b}", "((a))"]),
        ("(a <lora:x:1> fox:1.2)", ["<lora:x:1>"]),
        ("a BREAK b --ar 1:1 --no fog", ["--ar 1:1", "BREAK"]),
    ],
)
def test_each_kind_is_told_once(prompt: str, kinds: list[str]) -> None:
    assert [found.words for found in foreign_syntax(prompt)] == kinds


@pytest.mark.parametrize("number", ["1", "1.2", ".5", "2.", "1,2", "1.2.3", "-1", "x", "1 2", ""])
def test_a_bracket_with_a_number_is_either_read_or_told(number: str) -> None:
    """The warning and the models' reader never both pass over what looks like a weight."""
    prompt = f"(fox:{number})"
    read = weighted_spans(prompt) != [(prompt, 1.0)]
    numeric = number.strip(".,-").replace(".", "").replace(",", "").isdigit()
    assert bool([*foreign_syntax(prompt)]) == (numeric and not read)


def test_long_prompts_take_no_longer_than_their_length() -> None:
    began = time.process_time()
    for piece in ("(", "[a:", "(a:1 ", "a-", "{a|", "<a", "__a.", "--no ", "a:1.", "()"):
        [*foreign_syntax(piece * 100_000)]
    assert time.process_time() - began < 5
