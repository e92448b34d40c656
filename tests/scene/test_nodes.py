"""YAML text as nodes: YAML 1.2's scalars, the places of everything, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from smd_cli.errors import Place, Problem, SceneError
from smd_cli.scene.text import yaml12
from smd_cli.scene.text.nodes import (
    BROKEN,
    Document,
    Lines,
    Node,
    from_data,
    parse_yaml,
    written_places,
)
from smd_cli.units import shown


@pytest.fixture(params=["libyaml", "pyyaml"])
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both scanners, whichever is quicker here."""
    if request.param == "pyyaml":
        monkeypatch.setattr(yaml12, "_Fast", yaml12._Slow)


def document(text: str) -> Document:
    found = parse_yaml(text, Lines("s.yaml", text).place)
    assert found is not None
    return found


def only_problem(text: str) -> str:
    with pytest.raises(SceneError) as caught:
        parse_yaml(text, Lines("s.yaml", text).place)
    (problem,) = caught.value.problems
    return f"{problem.place.line}:{problem.place.column} {problem.message}"


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, tuple) else node.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("0", 0),
        ("-7", -7),
        ("+12", 12),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.5e+1", -5.0),
        (".inf", math.inf),
        ("+.Inf", math.inf),
        ("-.INF", -math.inf),
        ("12:30:45", "12:30:45"),
        ("1:30", "1:30"),
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("=", "="),
        ("<<", "<<"),
        ("25%", "25%"),
        ("'12'", "12"),
        ('"12"', "12"),
        ('"no"', "no"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 3", 3.0),
        ("!!null ''", None),
        ("!!bool true", True),
        ('"\\ud83e\\udd8a"', "🦊"),
        ("ein Füchslein 🦊", "ein Füchslein 🦊"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(written: str, value: object) -> None:
    found = document(f"key: {written}")
    node = found.root.children["key"]
    assert not found.problems
    assert (type(node.value), node.value) == (type(value), value)


def test_nan_is_a_number() -> None:
    value = document("key: .NaN").root.children["key"].value
    assert isinstance(value, float)
    assert math.isnan(value)


def test_endless_numbers_become_infinite() -> None:
    found = document(f"a: {'9' * 9000}\nb: -{'9' * 9000}\nc: 0x{'f' * 9000}")
    assert plain(found.root) == {"a": math.inf, "b": -math.inf, "c": math.inf}


def test_every_node_knows_its_place() -> None:
    text = "size: [300,\n  200]\nbrushes:\n  - name: fox\n    mask: {rect: [1, 2]}\n"
    places = written_places(document(text).root)
    assert {path: (p.line, p.column, p.source) for path, p in places.items()} == {
        (): (1, 1, "size: [300,"),
        ("size",): (1, 7, "size: [300,"),
        ("size", 0): (1, 8, "size: [300,"),
        ("size", 1): (2, 3, "  200]"),
        ("brushes",): (3, 1, "brushes:"),
        ("brushes", 0): (4, 5, "  - name: fox"),
        ("brushes", 0, "name"): (4, 11, "  - name: fox"),
        ("brushes", 0, "mask"): (5, 5, "    mask: {rect: [1, 2]}"),
        ("brushes", 0, "mask", "rect"): (5, 18, "    mask: {rect: [1, 2]}"),
        ("brushes", 0, "mask", "rect", 0): (5, 19, "    mask: {rect: [1, 2]}"),
        ("brushes", 0, "mask", "rect", 1): (5, 22, "    mask: {rect: [1, 2]}"),
    }


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_count_as_in_an_editor(ending: str) -> None:
    text = ending.join(["a: 'x\u2028y\x85z'", "", "key: 1"])
    assert document(text).root.children["key"].place == Place("s.yaml", 3, 6, "key: 1")


def test_a_source_line_cannot_steer_the_terminal_nor_fill_it() -> None:
    assert Lines("s", "a\x1b[31m\tb").place(0).source == "a\ufffd[31m\tb"
    assert Lines("s", "a" * 160).place(7) == Place("s", 1, 8, "a" * 160)
    assert Lines("s", "a" * 161).place(7) == Place("s", 1, 8, "a" * 159 + "…")


@pytest.mark.parametrize("at", [0, 79, 80, 81, 500, 919, 920, 921, 999])
def test_a_long_line_is_cut_around_the_caret(at: int) -> None:
    line = "".join(chr(0x4E00 + index) for index in range(1000))
    shown_line = str(Problem(Lines("s", f"x\n{line}\ny").place(2 + at), "odd")).splitlines()[1:]
    part, caret = (text.removeprefix("  ") for text in shown_line)
    assert part[caret.index("^")] == line[at]
    assert len(part) == 160
    assert part.startswith("…") == (at > 80)
    assert part.endswith("…") == (at < 920)


def test_a_shown_text_is_one_short_line() -> None:
    assert shown("C:\\masks\n") == "'C:\\masks\ufffd'"
    assert shown("x" * 61) == f"'{'x' * 59}…'"


def test_anchors_and_aliases_work() -> None:
    found = document("a: &m [1, &n 2]\nb: *m\nc: *n")
    assert plain(found.root) == {"a": [1, 2], "b": [1, 2], "c": 2}


def test_nothing_to_read_is_no_document() -> None:
    assert parse_yaml("# only a comment\n", Lines("s", "").place) is None


def test_directives_and_explicit_ends_are_yaml() -> None:
    assert plain(document("%YAML 1.2\n---\na: 1\n...\n").root) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a [*a]", "1:8 this alias stands inside its own anchor"),
        ("a: &a {b: {c: *a}}", "1:15 this alias stands inside its own anchor"),
        ("a: *b", "1:4 no anchor of this name stands before this alias"),
        ("a: &x 1\nb: &x 2", "2:4 this anchor was given before"),
        ("a: " + "[" * 40, "1:35 nested more than 32 levels deep"),
        ("{" * 30_000, "1:1001 this is nested too deep"),
        ("- " * 30_000, "1:65 nested more than 32 levels deep"),
        ("a: 1\n---\nb: 2", "2:1 a second document starts here"),
        ('a: "\\UFFFFFFFF"', "1:7 this is no character"),
        ("a: 1\nb: \x07", "2:4 the character U+0007 is not allowed in YAML"),
        ("a: !x!y z", "1:4 a text cannot begin with ! unless it is quoted"),
    ],
)
def test_what_cannot_be_read_has_one_problem(text: str, expected: str) -> None:
    assert only_problem(text) == expected


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert only_problem("\n".join(lines)) == "4:45 the aliases repeat too much"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !!python/object/apply:os.system ls", "the YAML tag !!python/object/apply:os.system"),
        ("a: !mine [1]", "the YAML tag !mine"),
        ("a: !!set {x}", "the YAML tag !!set"),
        ("a: !!binary aGk=", "the YAML tag !!binary"),
        ("a: !!timestamp 2024-05-01", "the YAML tag !!timestamp"),
        ("a: !!str [1]", "the YAML tag !!str"),
        ("a: !!map 1", "the YAML tag !!map"),
    ],
)
def test_other_tags_are_noted_and_never_executed(text: str, expected: str) -> None:
    found = document(text)
    (problem,) = found.problems
    assert problem.message == f"{expected} is not allowed"
    assert problem.place.column == 4
    assert found.root.children["a"].value is BROKEN


def test_flaws_are_noted_together_and_the_rest_is_read() -> None:
    found = document('a: !!int x\nb: 1\nb: 2\n[c]: 3\nd: "\\ud800"\ne: 5')
    assert [(p.place.line, p.place.column, p.message) for p in found.problems] == [
        (1, 4, "'x' is no !!int"),
        (3, 1, "the key 'b' is written twice (first in line 2)"),
        (4, 1, "a key must be a plain word"),
        (5, 4, "this is half a character (a lone surrogate)"),
    ]
    assert plain(found.root) == {"a": BROKEN, "b": 1, "d": BROKEN, "e": 5}


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    "written",
    [
        r'"\uD83E\uDD8a \ue03e"',
        r'"\\ud83e \\\ud83e\udd8a"',
        r'"\uDBFF\uDFFF\ud800\udc00x"',
        '"\ue03e \\ud83e\\udd8a"',
        r'["\ud83e\udd8a", "\ud83e\udd89", {"a": "\u00e9\ud83e\udd8a"}]',
    ],
)
def test_escapes_in_pairs_are_read_as_json_reads_them(written: str) -> None:
    assert plain(document(f'{{"key": {written}}}').root) == {"key": json.loads(written)}


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize("written", [r"'\uD83e\udd8a'", r"\uD83e\udd8a", "|-\n  \\uD83e\\udd8a"])
def test_what_only_looks_like_escapes_is_text(written: str) -> None:
    found = document(f'a: {written}\nb: "\\ud83e\\udd8a" # \\ud83e')
    assert plain(found.root) == {"a": r"\uD83e\udd8a", "b": "🦊"}


@pytest.mark.skipif(yaml12.CParser is None, reason="PyYAML was built without libyaml")
def test_json_of_python_is_read_at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml12, "_Slow")
    assert plain(document(json.dumps({"a": "🦊", "b": [1, 2]})).root) == {"a": "🦊", "b": [1, 2]}


def test_plain_data_becomes_nodes_at_one_place() -> None:
    place = Place("smd.json")
    node = from_data("sampler", {"timesteps": [999, 5], "cover": 0.5}, place)
    assert plain(node) == {"timesteps": [999, 5], "cover": 0.5}
    assert set(written_places(node).values()) == {place}
    assert node.children["timesteps"].items[0].label == "a value of timesteps"


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3, r: 4}", {"p": 1, "q": 3, "r": 4}),
        ("a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n  r: 4", {"p": 1, "q": 3, "r": 4}),
        ("a: [&x {p: 1, q: 2}, &y {p: 3, r: 4}]\nb: {<<: [*x, *y]}", {"p": 1, "q": 2, "r": 4}),
        ("a: [&x {p: 1, q: 2}, &y {<<: *x, p: 3}]\nb: {<<: *y, r: 4}", {"p": 3, "q": 2, "r": 4}),
        ("b: {<<: {p: 1}, q: 2}", {"p": 1, "q": 2}),
        ("b: {<<: [], q: 2}", {"q": 2}),
        ("b: {'<<': 1}", {"<<": 1}),
    ],
)
def test_merge_keys_merge(text: str, expected: object) -> None:
    found = document(text)
    assert not found.problems
    assert plain(found.root.children["b"]) == expected


def test_what_is_merged_stands_where_it_is_written_and_its_key_where_it_is_merged() -> None:
    child = document("a: &x {p: 7}\nb:\n  <<: *x").root.children["b"].children["p"]
    assert (child.place.line, child.place.column) == (1, 11)
    assert (child.key.line, child.key.column) == (3, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b: {<<: 3}", "1:9 << merges a mapping, or a list of mappings, in"),
        ("b: {<<: [{p: 1}, 3]}", "1:18 << merges a mapping, or a list of mappings, in"),
        ("b: {<<: {p: 1}, <<: {q: 1}}", "1:17 a mapping merges once"),
        ("b: {<<: !x {p: 1}}", "1:9 << merges a mapping, or a list of mappings, in"),
    ],
)
def test_merges_of_anything_else_are_told(text: str, expected: str) -> None:
    (problem,) = document(text).problems
    assert f"{problem.place.line}:{problem.place.column} {problem.message}" == expected


def test_a_bomb_of_merges_is_refused_quickly() -> None:
    lines = ["a0: &a0 {k: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}"]
    merged = [f"a{n}: &a{n} {{{n}: [*a{n - 1}, *a{n - 1}], <<: *a{n - 1}}}" for n in range(1, 60)]
    assert only_problem("\n".join(lines + merged)).endswith("the aliases repeat too much")


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_is_yaml(indent: str | int | None, ascii_only: bool) -> None:
    data = {"a": [1, 2.5, {"b": [None, True, "x\ty", "🦊 / \\"]}], "c": {}, "d: e": []}
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    assert plain(document(text).root) == data


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    ("text", "value"), [("a:\t1", 1), ("a: 1\t", 1), ("a: 1 \t# x", 1), ("a: [1,\t2\t]", [1, 2])]
)
def test_tabs_may_stand_between_tokens(text: str, value: object) -> None:
    assert plain(document(text).root) == {"a": value}


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a:[1, 2], b:{c: 3}}", {"a": [1, 2], "b": {"c": 3}}),
        ("{a:, b: 1}", {"a": None, "b": 1}),
        ('{"a":1}', {"a": 1}),
        ("{a:b}", {"a:b": None}),
    ],
)
def test_a_colon_without_a_blank_in_braces(text: str, value: object) -> None:
    assert plain(document(text).root) == value


@pytest.mark.parametrize("text", ["a: 'x y' # z\nb: [1, {c: d}]\ne:\n- f\n- g: |\n    h\n"])
def test_both_scanners_see_the_same_places(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = document(text)
    monkeypatch.setattr(yaml12, "_Fast", yaml12._Slow)
    assert document(text) == fast


@pytest.mark.usefixtures("scanner")
def test_too_many_values_are_refused_with_the_number_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert yaml12.MAX_NODES == yaml12._Composer.max_nodes == 100_000
    for composer in (yaml12._Composer, yaml12._Slow):
        monkeypatch.setattr(composer, "max_nodes", 100)
    assert plain(document("a: [" + "1, " * 97 + "]").root) == {"a": [1] * 97}
    assert only_problem("a: [" + "1, " * 98 + "]") == "1:296 a scene holds at most 100 values"


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: &fox and owl\nb: ! a fox\n", [(1, 4), (2, 4)]),
        ("a: [&fox x]\nb: *fox\n", []),
        ("a: fox #1 of 3\nb: [an owl #2\n]\n", [(1, 8), (2, 12)]),
        ("a: fox # one\nb: 'x' #2\nc: 3 #4\nd: x ##\ne: #5\n", []),
        ("a: &fox {b: c}\n", []),
        ("a: &fox\n", []),
    ],
)
def test_what_a_text_loses_to_yaml_is_warned_of(text: str, places: list[tuple[int, int]]) -> None:
    found = document(text)
    assert not found.problems
    assert [(p.place.line, p.place.column) for p in found.warnings] == places
    assert all(p.severity == "warning" and "quote the text" in p.hint for p in found.warnings)
