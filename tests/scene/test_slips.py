"""YAML's commonest slips are told at their own line, with what to write instead."""

from __future__ import annotations

import io

import pytest

from smd_cli.errors import Problem, SceneError
from smd_cli.scene.parse import load_scene

MASK = "mask: {rect: [0, 0, 64, 64]}"


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SceneError) as caught:
        load_scene("-", stdin=io.BytesIO(text.encode()))
    return caught.value.problems


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem


def in_block(prompt: str) -> str:
    return f"background: sky\nbrushes:\n  - prompt: {prompt}\n    {MASK}\n"


def in_braces(prompt: str) -> str:
    return f"background: sky\nbrushes:\n  - {{prompt: {prompt}, {MASK}}}\n"


BEGINNINGS = [
    "* a fox",
    "*fox",
    "& a fox",
    "&fox",
    "!fox x",
    "%fox",
    "@fox",
    "`fox`",
    "> a fox",
    "| a fox",
]
BEGINNINGS += [
    "| a fox",
    "- a fox",
    "[a] fox",
    "{a|b} fox",
    "[a:b:0.5]",
    "[a: b: c]",
    "'fox's tail'",
]
BEGINNINGS += ['"red" fox', "a fox: b", "{a|b}", "# fox"]


@pytest.mark.parametrize(
    "prompt", [*BEGINNINGS, "? a fox", ", a fox", "[a fox", "{a fox", "]", "'a"]
)
def test_a_text_that_must_be_quoted_says_so_at_its_line(prompt: str) -> None:
    found = only(in_block(prompt))
    assert found.place.line == 3
    assert "quote" in found.hint or "unquoted" in found.hint


@pytest.mark.parametrize(
    "prompt", [*BEGINNINGS, "a fox, sitting", "a fox, red", "fox [red]", "fox {a|b}"]
)
def test_so_it_does_in_braces(prompt: str) -> None:
    found = problems(in_braces(prompt))
    assert {problem.place.line for problem in found} == {3}
    assert any("quote" in problem.hint for problem in found)


@pytest.mark.parametrize("prompt", ["what? a fox", "a (fox:1.2)", "<a:b>", "((fox)):1.2", "a:b"])
def test_other_texts_need_no_quotes(prompt: str) -> None:
    for text in (in_block(prompt), in_braces(prompt)):
        made = load_scene("-", stdin=io.BytesIO(text.encode())).scene
        assert made.brushes[0].prompt == prompt


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (f"background: sky\nbrushes:\n  - prompt:a fox\n    {MASK}\n", 3, 11),
        (f"background: sky\nbrushes:\n  - {{prompt:a fox, {MASK}}}\n", 3, 6),
        (f"background: sky\nbrushes:\n  - {MASK}\n    prompt:a fox\n", 4, 11),
        (f"background: sky\nbrushes:\n  - {MASK}\n    prompt:a fox\n    seed: 3\n", 4, 11),
        ("background:sky\nseed: 3\n", 1, 11),
        ("background: sky\nseed:3\n", 2, 5),
        ("background:sky\n", 1, 1),
        ("background: sky\noutput:\n  fps:3\n", 3, 3),
    ],
)
def test_a_missing_blank_after_a_colon(text: str, line: int, column: int) -> None:
    found = problems(text)
    hints = [p.hint for p in found if (p.place.line, p.place.column) == (line, column)]
    assert any("a blank (a space) after the colon: " in hint for hint in hints)


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("background:\n\u00a0\u00a0prompt: sea\n", 2, 1, "(U+00A0) is in it: write plain spaces"),
        (f"background: x\nbrushes:\n  - prompt:\u00a0a fox\n    {MASK}\n", 3, 12, "plain spaces"),
        (f"background: x\nbrushes:\n  - {MASK}\n    \u3000seed: 3\n", 4, 5, "plain spaces"),
        ("background： sky\nseed: 3\n", 1, 11, "write a plain ':'"),
        ("background：sky\n", 1, 1, "write a plain ':'"),
        (f"background: x\nbrushes:\n  - prompt：a fox\n    {MASK}\n", 3, 11, "write a plain ':'"),
        ("“background”: sky\n", 1, 1, "straight quotes"),
        ("background: sky\noutput: {fps: “3”}\n", 2, 15, "straight quotes"),
        ("background: sky\nsize: 512，512\n", 2, 7, "write a plain ','"),
        ("background: sky\nbrushes:\n\t- prompt: a fox\n", 3, 1, "indent with spaces"),
        (f"background: sky\nbrushes:\n  - prompt: a fox\n\t{MASK}\n", 4, 1, "indent with spaces"),
        (f"background: sky\nbrushes:\n  - prompt: a\n    \t{MASK}\n", 4, 5, "indent with spaces"),
        (f"background: x\nbrushes:\n  - prompt: a\n     {MASK}\n", 4, 6, "stand in one column"),
        (f"background: x\nbrushes:\n  - prompt: a\n   {MASK}\n", 4, 4, "check the indentation"),
        ("background: sky\n seed: 3\n", 2, 2, "stand in one column"),
        (f"background: x\nbrushes:\n  -prompt: a\n   {MASK}\n", 3, 3, "a blank after the dash"),
        ("background: sky\nsize: [512 512]\n", 2, 7, "commas between the values"),
        ("brushes:\n  - prompt: a\n    mask: rect: [0, 0, 9, 9]\n", 3, 11, "{rect: [0, 0, 9, 9]}"),
        ("background: sky\nsampler: steps: 5\n", 2, 10, "{steps: 5}"),
        ("background: sky\nsampler: {steps 5}\n", 2, 11, "write steps: 5"),
        ("background: sky\nsampler: {steps=5}\n", 2, 11, "write steps: 5"),
        (f"background: x\nbrushes:\n  - prompt: a\n    {MASK}}}\n", 4, 33, "no { is open here"),
        (f"background: x\nbrushes:\n  - prompt: a\n    {MASK},\n", 4, 33, "ends without a comma"),
        ("background: sky\nseed: 3,\n", 2, 7, "ends without a comma"),
        (f"background: x\nbrushes:\n  - prompt a fox\n    {MASK}\n", 3, 5, "prompt: "),
        ("background sky\nseed: 3\n", 1, 1, "background: "),
        ("background: sky\nmodel: 'x'\nseed 3\nframes: 2\n", 3, 1, "after the colon"),
        ('background: {image: "C:\\Users\\x.png"}\n', 1, 26, "quote the text with '"),
        ("background: x\nprompt: {suffix:, pale}\n", 2, 17, "shall begin with ,"),
        ("background = sky\n", 1, 1, "write background: "),
        ("model: ~\nbackground: sea\n", 1, 8, "~ alone is YAML's word for nothing"),
        ("background: {prompt: sea, color: # red\n", 1, 34, "shall begin with #"),
    ],
)
def test_a_slip_is_told_where_it_stands(text: str, line: int, column: int, hint: str) -> None:
    found = problems(text)
    hints = [p.hint for p in found if (p.place.line, p.place.column) == (line, column)]
    assert any(hint in one for one in hints), found


def test_keys_of_other_sections_are_told_where_they_belong() -> None:
    text = "fps: 3\nsteps: 4\nnegative: x\nmask: y\nlora: z\nscale: 1\nprompt: a fox\n"
    found = problems(text + "background: {fps: 3, prompt: x}\n")
    assert [p.hint for p in found] == [
        "fps belongs under output:",
        "steps belongs under sampler: or under sampler.bootstrap:",
        "negative belongs under background:, in a brush or under defaults:",
        "mask belongs in a brush",
        "lora belongs under model:",
        "scale belongs under sampler.guidance: or in a mask",
        "what a picture shows is the prompt of its background: or of a brush",
        "fps belongs under output:",
    ]


def test_a_key_that_is_always_refused_is_not_offered() -> None:
    (found,) = problems(f"background: x\nbrushes: [{{prompt: a, {MASK}, zzz: 1}}]\n")
    assert found.hint.startswith("the keys here are: name, prompt, mask, ")
    assert "lora" not in found.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("model: https://huggingface.co/Lykon/dreamshaper-8", "is written Lykon/dreamshaper-8"),
        ("model: huggingface.co/a/b/tree/main", "is written a/b"),
        ("model: {name: a/b, vae: 'https://hf.co/c/d'}", "is written c/d"),
        (
            "model: {name: a/b, lora: 'https://huggingface.co/c/d/resolve/main/e.safetensors'}",
            "is written c/d/e.safetensors",
        ),
        ("model: https://civitai.com/models/4384", "download it, and write the path of the file"),
        ("model: file:///x/my%20model", "write the path: /x/my model"),
        ("brushes: [{prompt: a, mask: 'file:///x/a.png'}]", "write the path: /x/a.png"),
        ("brushes: [{prompt: a, mask: 'https://x.org/a.png'}]", "download it"),
    ],
)
def test_an_address_is_no_path(text: str, hint: str) -> None:
    assert hint in only(f"{text}\nbackground: sea\n").hint
    assert "download it" in only("background: {prompt: x, image: 'https://x.org/a.png'}").hint


@pytest.mark.parametrize(
    ("brush", "hints"),
    [
        ("{%s, alpha: 0,5}", ["write alpha: 0.5, or [0, 5] if a list is meant"]),
        ("{alpha: 0,5, %s}", ["write alpha: 0.5, or [0, 5] if a list is meant"]),
        ("{%s, blur: -3,5, alpha: 0,5}", ["write blur: -3.5, or", "write alpha: 0.5, or"]),
        ("{%s, alpha: 0,25}", ["write alpha: 0.25, or"]),
        ("{%s, seed: 1,000}", ["a list stands in brackets"]),
        ("{%s, seed: 1, 5}", ["quote the text: a comma ends it"]),
        ("{%s, name: fox, 5}", ["quote the text: a comma ends it"]),
        ("{%s,\n   alpha: 0,5}", ["write alpha: 0.5"]),
    ],
)
def test_a_decimal_comma_in_braces(brush: str, hints: list[str]) -> None:
    found = problems(f"background: sky\nbrushes: [{brush % f'prompt: a fox, {MASK}'}]\n")
    told = [p.hint for p in found if "key" in p.message]
    assert len(told) == len(hints), found
    assert all(hint in one for hint, one in zip(hints, told, strict=True)), told


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("alpha: 0,5", "write 0.5"),
        ("blur: 3,5", "write 3.5"),
        ("strength: 1,0", "write 1.0"),
        ("seed: 1,000", "a number takes no comma: write 1000, or a point before decimals"),
        ("seed: 1,5", ""),
        ("seed: 12:30", ""),
        ("alpha: 0:30", ""),
    ],
)
def test_a_decimal_comma_in_a_block(line: str, hint: str) -> None:
    found = only(f"background: sky\nbrushes:\n  - prompt: a fox\n    {MASK}\n    {line}\n")
    assert found.hint == hint


@pytest.mark.parametrize(
    ("rect", "hint"),
    [
        ("[0,5, 0, 50, 50]", "write 0.5"),
        ("[0, 0, 50%, 12,25]", "write 12.25"),
        ("['0,5%', 0, 50, 50]", "write 0.5%"),
        ("[0,5,0,50,50]", ""),
        ("[0, 5, 0, 50, 50]", ""),
    ],
)
def test_a_decimal_comma_in_a_list(rect: str, hint: str) -> None:
    found = only(f"background: sky\nbrushes: [{{prompt: a, mask: {{rect: {rect}}}}}]\n")
    assert found.hint == hint


@pytest.mark.parametrize("size", ["256,192", "256 192", "256*192", "256:192", "256, 192"])
def test_a_size_with_another_sign(size: str) -> None:
    assert only(f"size: {size}\nbackground: sky\n").hint == "write 256x192"


def test_what_an_alias_repeats_is_no_text_with_a_comma() -> None:
    merged = problems(f'defaults: &f {{alpha: 0.5}}\nbrushes: [{{"<<": *f, prompt: a, {MASK}}}]\n')
    assert [p.hint for p in merged] == ["write << without quotes to merge a mapping in"]
    slip = problems(f"seed: &s 3\nbackground: x\nbrushes: [{{sede: *s, prompt: a, {MASK}}}]\n")
    assert [p.hint for p in slip] == ["did you mean seed?"]
