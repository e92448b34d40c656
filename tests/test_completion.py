"""What shells offer: brushes of the scene on the line, its keys, presets, commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from smd_cli.__main__ import run
from smd_cli.models.presets import PRESETS

SCENE = """\
background: grass
brushes:
  - {name: fox, prompt: a red fox, mask: {rect: [0, 0, 9, 9]}}
  - {name: "big owl", prompt: an owl, mask: {rect: [0, 0, 9, 9]}}
  - {prompt: a frog, mask: {rect: [0, 0, 9, 9]}}
"""
Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Complete:
    """What bash offers for a command line, whose last word is begun."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("_SMD_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([])
        assert not ended.value.code
        out, err = capsys.readouterr()
        assert err == ""
        return out.split()

    return offered


@pytest.mark.parametrize("option", ["--only", "--without"])
@pytest.mark.parametrize("command", ["render", "check", "watch", "masks"])
def test_brushes_by_name_and_others_by_number(
    complete: Complete, command: str, option: str
) -> None:
    assert complete(f"smd {command} s.yaml {option} ") == ["fox", "2", "3"]
    assert complete(f"smd {command} s.yaml {option} f") == ["fox"]
    assert complete(f"smd {command} s.yaml {option} fox {option} 3") == ["3"]


def test_keys_of_the_scene_and_of_its_brushes(complete: Complete) -> None:
    assert complete("smd render s.yaml --set si") == ["size="]
    assert complete("smd render s.yaml --set sampler.guidance.") == [
        "sampler.guidance.type=",
        "sampler.guidance.scale=",
        "sampler.guidance.delta=",
    ]
    found = complete("smd render s.yaml --set brushes.fox.")
    assert {"brushes.fox.prompt=", "brushes.fox.alpha="} < {*found}
    assert complete("smd render --set brushes.fox.") == []
    assert len(complete("smd render s.yaml --set s")) > 10


def test_presets_and_commands(complete: Complete) -> None:
    assert complete("smd render s.yaml --model ") == [*PRESETS]
    assert complete("smd rend") == ["render"]


@pytest.mark.parametrize("text", ["[", "brushes: 3\n", "", "brushes: [{name: [1]}, 4]\n"])
def test_a_scene_that_cannot_be_read_offers_nothing_and_says_nothing(
    complete: Complete, text: str
) -> None:
    Path("s.yaml").write_text(text, encoding="utf-8")
    assert "fox" not in complete("smd render s.yaml --only ")
    assert complete("smd render gone.yaml --only ") == []
    assert complete("smd render - --only ") == []


def test_completing_loads_nothing_heavy() -> None:
    """A shell waits for it at every tab."""
    code = "import smd_cli.cli.app, smd_cli.cli.render, smd_cli.cli.completion as c, sys\n"
    code += "c.presets('')\n"
    code += "print(sorted({'torch', 'numpy', 'PIL', 'yaml'} & {*sys.modules}))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert told.stdout.decode().strip() == "[]"
