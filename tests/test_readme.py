"""The README tells the truth: its scenes load, its commands run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, Smd

from smd_cli.scene.paint import paint_scene
from smd_cli.scene.parse import load_scene

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("scene", blocks("yaml"), ids=lambda text: text.split("\n")[0])
def test_every_scene_in_the_readme_is_right(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "tests" / "golden" / "tiny-sd", "my-lcm")
    whole = scene if "brushes:" in scene else scene + "background: grass\n"
    Path("s.yaml").write_text(whole, encoding="utf-8")
    assert paint_scene(load_scene("s.yaml")).size in {(256, 256), (512, 512), (128, 128)}


def test_the_error_in_the_readme_is_what_one_sees(
    smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    meadow = (ROOT / "scenes" / "meadow.yaml").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "scenes" / "masks", "masks")
    wrong = blocks("text")[0]
    line = int(wrong.split(":")[1])
    lines = meadow.splitlines()
    lines[line - 1 : line + 1] = ["  - promt: a fox", "    prompt: a fox"]
    Path("meadow.yaml").write_text("\n".join(lines), encoding="utf-8")
    result = smd(["check", "meadow.yaml"])
    assert (result.code, result.err) == (2, wrong)


def run_in_copy(smd: Smd, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of the README in a fresh copy of the scenes."""
    shutil.copytree(ROOT / "scenes", folder / "scenes")
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(command)
    result = smd(arguments)
    assert (program, result.code) == ("smd", 0), result.err
    assert "warning" not in result.err
    if arguments[0] == "render":
        assert result.out
        assert all(Path(path).is_file() for path in result.out.splitlines())


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("smd check")])
def test_check_commands_run(
    smd: Smd, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_in_copy(smd, command, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith("smd check")])
def test_other_commands_run(
    smd: Smd, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_in_copy(smd, command, tmp_path, monkeypatch)
