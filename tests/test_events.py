"""What scripts hear with --json: the page says what the classes do, and all output is JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, TINY, Smd

from smd_cli.bench.figures import Figures
from smd_cli.bench.watch import WatchFigures
from smd_cli.doctor.examine import Examination
from smd_cli.errors import unforeseen
from smd_cli.report import reports
from smd_cli.report.events import VERSION, Event, Picture, Result
from smd_cli.report.page import kinds, meanings, page
from smd_cli.report.reporter import Reporter

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes: [{{name: fox, prompt: a fox, mask: {{rect: [8, 8, 32, 32]}}}}]
"""
HEAD = {"type", "v", "event"}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    Path("bad.yaml").write_text("backgrund: grass\nsize: 3\n", encoding="utf-8")
    return tmp_path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_page_is_that_of_the_classes() -> None:
    written = (ROOT / "smd_cli" / "report" / "README.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m smd_cli.report.page"


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_line_says_what_it_is_and_what_it_holds(kind: type[Event]) -> None:
    assert kind.told_by
    assert kind.__doc__
    assert not kind.__doc__.startswith(kind.__name__)  # what dataclass writes by itself
    assert all(meaning.strip() for meaning in meanings(kind).values())
    if not issubclass(kind, reports.Report):
        assert [*meanings(kind)] == [one.name for one in fields(kind)]
    assert not HEAD & {*meanings(kind)}


def test_no_two_kinds_have_one_name() -> None:
    names = [kind.type for kind in kinds()]
    assert len(names) == len({*names}) > 20


def test_a_line_is_its_type_its_version_and_its_fields() -> None:
    told = json.loads(Picture("a\n.png", 2, 0, True, 0.5).as_line())
    facts = {"path": "a\n.png", "version": 2, "frame": 0, "fresh": True, "seconds": 0.5}
    assert told == {"type": "picture", "v": VERSION, "event": "picture", **facts}


def test_whoever_hears_events_has_them_instead_of_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    heard: list[Event] = []
    reporter = Reporter(quiet=True, as_json=True, hear=heard.append)
    reporter.result("s", "s.png")
    assert heard == [Result("s", "s.png")]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "bad.yaml"],
        ["check", "gone.yaml", "s.yaml"],
        ["render", "bad.yaml"],
        ["render", "s.yaml", "-o", "a.xyz"],
        ["render", "s.yaml", "--each", "size=3"],
        ["render"],
        ["render", "s.yaml", "--nope"],
        ["masks", "gone.yaml"],
        ["compare", "bad.yaml"],
        ["watch", "gone/s.yaml", "-o", "a.png"],
        ["models", "no-such-model"],
        ["models", "pull", "no/such/model"],
        ["unpack", "gone.png"],
        ["init", "s.yaml"],
        ["doctor", "--nope"],
        ["bench", "turbo", "--arch", "x", "--model", "y"],
        ["rendr"],
    ],
    ids=" ".join,
)
def test_stdout_is_json_in_every_failure(smd: Smd, arguments: list[str]) -> None:
    plain = smd(arguments)
    result = smd([*arguments, "--json"])
    told = lines(result.out)
    assert (result.code, result.err) == (plain.code, plain.err)
    assert result.code > 0
    failures = [one for one in told if one["type"] == "error"]
    assert failures
    assert all(one["message"] in result.err for one in failures)
    assert all(one["v"] == VERSION and one["event"] == one["type"] for one in told)


@pytest.mark.usefixtures("scene")
def test_problems_have_their_places(smd: Smd) -> None:
    told = lines(smd(["check", "bad.yaml", "--json"]).out)
    assert [(one["file"], one["line"], one["column"]) for one in told] == [
        ("bad.yaml", 1, 1),
        ("bad.yaml", 2, 7),
    ]
    assert told[0]["hint"] == "did you mean background?"


@pytest.mark.usefixtures("scene")
def test_a_bug_is_told_to_scripts_too(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nnothing")

    monkeypatch.setattr("smd_cli.work.check.check_scene", fails)
    result = smd(["check", "s.yaml", "--json"])
    [told] = lines(result.out)
    assert (result.code, told["message"]) == (1, "ZeroDivisionError: by\nnothing")
    assert "this is a bug in smd" in told["hint"]
    assert result.err == f"error: ZeroDivisionError: by\nnothing\nhint: {told['hint']}\n"


def test_what_the_system_refuses_is_no_bug() -> None:
    import errno

    assert "no space is left" in str(unforeseen(OSError(errno.ENOSPC, "full")))
    assert "too many files" in str(unforeseen(OSError(errno.EMFILE, "many")))


def held(kind: type[reports.Report], told: dict[str, Any]) -> None:
    """What a report tells is what its class documents."""
    assert told["type"] == kind.type
    assert {*told} - HEAD == {*kind.keys}


@pytest.mark.usefixtures("scene")
def test_reports_tell_what_the_page_says(smd: Smd) -> None:
    [check] = lines(smd(["check", "s.yaml", "--json"]).out)
    held(reports.Checked, check)
    [listed] = lines(smd(["models", "--json"]).out)
    held(reports.Listed, listed)
    [card] = lines(smd(["models", "starter", "--json"]).out)
    held(reports.Card, card)


def test_figures_tell_what_the_page_says() -> None:
    assert {*Examination(()).as_json()} == {*reports.Examined.keys}
    names = {one.name for one in fields(Figures)} | {"rows_skipped", "cells_skipped"}
    assert names == {*reports.Measured.keys}
    assert {one.name for one in fields(WatchFigures)} == {*reports.WatchMeasured.keys}
