"""Names of files that would steer a terminal are harmless there, and exact where scripts read."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from conftest import TINY, Smd
from rich.console import Console

from smd_cli.errors import MAX_PROBLEMS, Place, Problem, SceneError
from smd_cli.report.reporter import Reporter
from smd_cli.scene.parse import load_scene
from smd_cli.watch.board import State
from smd_cli.watch.screen import view

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows takes no such names")

EVIL = "s\x1b[31m\n\u202e\x9b1m\r"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
INFORMED = r": (error|warning): |frames/s|: schedule "


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scene file whose name holds what steers a terminal."""
    monkeypatch.chdir(tmp_path)
    text = f"model: {TINY}\nsize: 64x64\nbackground: sea\nsampler: {{steps: 1}}\n"
    try:
        Path(f"{EVIL}.yaml").write_text(text, encoding="utf-8")
    except OSError as refused:
        pytest.skip(f"no such names here: {refused}")
    return f"{EVIL}.yaml"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "{}"],
        ["check", "{}", "--set", "sead=1"],
        ["check", "{}", "--set", "brushes.\x1b=1"],
        ["check", "no-{}"],
        ["check", "{}", "{}\x1b"],
        ["render", "{}", "--seed", "random", "-v"],
        ["render", "{}", "-o", "{}.bmp"],
        ["render", "{}", "-o", "{}/x.png"],
        ["render", "{}", "-o", "{}"],
        ["render", "{}", "--model", "\x1b[1m"],
        ["watch", "no-folder-{}/{}"],
        ["watch", "{}", "--keep", "{}"],
        ["unpack", "{}"],
        ["unpack", "no-{}"],
        ["models", "\x1b[1m/{}"],
        ["\x1b[1m"],
        ["check", "--\x1b[1m"],
    ],
)
def test_names_steer_no_terminal(arguments: list[str], evil: str, smd: Smd) -> None:
    result = smd([argument.replace("{}", evil) for argument in arguments])
    assert result.err or result.code == 0
    assert not STEERS.search(result.err), ascii(result.err)
    said = ("error: ", "hint: ", "note: ", "  ", "loading ")
    for line in result.err.splitlines():
        assert line.startswith(said) or re.search(INFORMED, line), line


def test_paths_on_stdout_are_exact_for_scripts(evil: str, smd: Smd) -> None:
    rendered = smd(["render", evil, "-o", "{scene}.png"])
    assert rendered.out == f"{EVIL}.png\n"
    unpacked = smd(["unpack", f"{EVIL}.png", "-o", f"{EVIL}-dir"])
    [path] = [str(path) for path in Path(f"{EVIL}-dir").iterdir()]
    assert unpacked.out == f"{path}\n"
    assert not STEERS.search(unpacked.err)


def test_a_screen_steers_no_terminal() -> None:
    names = {"outputs": (EVIL,), "watched": (EVIL,), "change": EVIL, "trouble": EVIL}
    for facts in (names, {**names, "shown": 1, "busy": EVIL, "playing": True}, {"busy": EVIL}):
        written = io.StringIO()
        console = Console(file=written, width=80)
        console.print(view(State(**facts)))
        assert not STEERS.search(written.getvalue())


# --- How many problems are told -------------------------------------------------------------------


def problems(file: str, count: int) -> list[Problem]:
    return [Problem(Place(file, line + 1, 1), "odd", severity="warning") for line in range(count)]


def test_each_files_first_problems_are_told_and_all_are_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [*problems("a.yaml", 25), *problems("b.yaml", 21), *problems("c.yaml", 20)]
    found += [Problem(Place(f"--set x={n}"), "odd", severity="warning") for n in range(22)]
    wrong = SceneError(found)
    assert len(wrong.problems) == len(found)
    Reporter().warnings(found)
    told = capsys.readouterr().err
    assert told == f"{wrong}\n"
    lines = told.splitlines()
    assert len(lines) == 4 * MAX_PROBLEMS + 3
    assert [line for line in lines if "not shown" in line] == [
        "a.yaml: warning: 5 more warnings are not shown",
        "b.yaml: warning: one more warning is not shown",
        "the options: warning: 2 more warnings are not shown",
    ]


def test_a_scene_error_holds_every_problem(tmp_path: Path) -> None:
    scene = tmp_path / "s.yaml"
    scene.write_text("brushes:\n" + "  - {}\n" * 30)
    with pytest.raises(SceneError) as caught:
        load_scene(str(scene))
    assert len(caught.value.problems) == 60
