"""The way around a picture, as the README has it, and the notebook: line by line."""

from __future__ import annotations

import _thread
import json
import shlex
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Smd
from PIL import Image
from test_readme import blocks

from smd_cli.work.recorded import read_recorded

NOTEBOOK = ROOT / "scenes" / "live.ipynb"
PATIENCE_S = 60.0


def interrupt_once_there(path: Path) -> threading.Thread:
    """Press Ctrl-C as soon as a picture is there."""

    def wait() -> None:
        end = time.monotonic() + PATIENCE_S
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.05)
        _thread.interrupt_main()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_newcomer_gets_around(smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [way] = [block for block in blocks("text") if block.startswith("smd init")]
    lines = [shlex.split(line, comments=True) for line in way.splitlines()]
    steps = ["init", "check", "masks", "render", "watch", "rerun"]
    assert [line[1] for line in lines] == steps
    for program, command, *arguments in lines:
        pressing = interrupt_once_there(Path("live.png")) if command == "watch" else None
        result = smd([command, *arguments])
        assert (program, result.code) == ("smd", 130 if pressing else 0), result.err
        assert "warning" not in result.err
        assert command != "rerun" or "the same bytes as fox.png" in result.err
        if pressing:
            pressing.join()
    assert Path("again.png").read_bytes() == Path("fox.png").read_bytes()
    with Image.open("live.png") as live, Image.open("fox.png") as picture:
        assert np.array_equal(np.asarray(live), np.asarray(picture))
    with Image.open("sheet.png") as sheet:
        assert min(sheet.size) > 200


def cells(kind: str) -> list[str]:
    """The sources of a notebook's cells of a kind."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(one["source"]) for one in notebook["cells"] if one["cell_type"] == kind]


class Shown:
    """What a notebook's `display` gives: pictures may take its place."""

    def __init__(self) -> None:
        self.pictures: list[Image.Image] = []

    def __call__(self, picture: Image.Image, display_id: bool) -> Shown:
        assert isinstance(picture, Image.Image)
        assert display_id
        return self

    def update(self, picture: Image.Image) -> None:
        self.pictures.append(picture)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code, cell by cell; the pictures change where it edits the scene."""
    shutil.copytree(ROOT / "scenes", tmp_path / "scenes")
    monkeypatch.chdir(tmp_path / "scenes")
    shown = Shown()
    names: dict[str, Any] = {"display": shown}
    for number, code in enumerate(cells("code")):
        exec(compile(code, f"cell {number}", "exec"), names)
    assert [picture.size for picture in shown.pictures] == [(256, 256)] * 6
    apart = [
        np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean()
        for one, other in zip(shown.pictures, shown.pictures[1:], strict=False)
    ]
    assert apart[1] > 1.5 * apart[0]  # another animal
    assert apart[3] > 1.5 * apart[2]  # another sky and ground
    told = read_recorded(Path("live.png")).texts
    assert "background=" in told["smd:overrides"]
    assert "a rabbit" in told["smd:overrides"]


def test_the_notebook_is_one_that_jupyter_reads() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len({*ids}) == len(ids) >= 6
    for cell in notebook["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"}
        wanted |= {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert {*cell} == wanted
    assert len(cells("markdown")) >= 3
