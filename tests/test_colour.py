"""Colours of messages: on terminals, unless somebody says otherwise."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from conftest import Smd

from smd_cli.report.colour import coloured, tinted

BAD = "background: grass\nbrushes:\n  - {promt: a fox, mask: {rect: [0, 0, 9, 9]}}\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said about colours, and what a test says ends with it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("WT_SESSION", "1")
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(BAD, encoding="utf-8")


@pytest.mark.parametrize(
    ("variables", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_who_says_whether_there_are_colours(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], on_terminal: bool, elsewhere: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert coloured(Terminal()) is on_terminal
    assert coloured(io.StringIO()) is elsewhere


def test_words_that_say_what_it_is_are_coloured() -> None:
    text = "my: s.yaml:3:6: error: no error: here\n  - a\n    ^\nhint: write\nthis is no note: x\n"
    seen = tinted(text, Terminal())
    assert seen == (
        "my: s.yaml:3:6: \x1b[1;31merror\x1b[0m: no error: here\n  - a\n    \x1b[32m^\x1b[0m\n"
        "\x1b[36mhint\x1b[0m: write\nthis is no note: x\n"
    )
    assert tinted("error: x", Terminal()) == "\x1b[1;31merror\x1b[0m: x"
    assert tinted("a:1:1: warning: x", Terminal()) == "a:1:1: \x1b[1;33mwarning\x1b[0m: x"
    assert tinted(text, io.StringIO()) == text


def test_the_option_forces_or_forbids(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = smd(["check", "s.yaml"])
    assert (bare.code, "\x1b" in bare.err) == (2, False)
    always = smd(["--color", "always", "check", "s.yaml"])
    assert "s.yaml:3:6: \x1b[1;31merror\x1b[0m: unknown key 'promt'" in always.err
    assert re.sub(r"\x1b\[[0-9;]*m", "", always.err) == bare.err
    assert smd(["--color=never", "check", "s.yaml"]).err == bare.err
    monkeypatch.setenv("SMD_COLOR", "always")
    assert smd(["check", "s.yaml"]).err == always.err


def test_another_word_is_refused(smd: Smd) -> None:
    result = smd(["--color", "nevr", "check", "s.yaml"])
    assert result.code == 2
    assert result.err == (
        "error: --color must be one of auto, always, never, not 'nevr'\nhint: did you mean never?\n"
    )


def test_json_has_no_colours(smd: Smd) -> None:
    assert "\x1b" not in smd(["--color", "always", "check", "s.yaml", "--json"]).out
