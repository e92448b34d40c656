"""A model's small files: one reader, which opens each once and sees what changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

from smd_cli.errors import UsageError
from smd_cli.models.configs import config_at, json_of, read_object
from smd_cli.models.facts import read_defaults
from smd_cli.models.ref import ModelRef

OPENS = """\
import os, sys
names = []
def heard(event, told):
    if event == "open" and isinstance(told[0], (str, os.PathLike)):
        names.append(os.fspath(told[0]))
sys.addaudithook(heard)
from smd_cli.__main__ import run
code = run(sys.argv[1:])
print(*[name for name in names if name.endswith(".json")], sep="\\n")
sys.exit(code)
"""


@pytest.mark.parametrize("command", [["check", "s.yaml"], ["models", "own"]])
def test_each_is_opened_once_in_a_command(command: list[str], tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "own")
    text = "model: own\nsize: 64x64\nbackground: sea\n"
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", OPENS, *command, *["--json"]],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    opened = [line for line in done.stdout.splitlines() if line.endswith(".json")]
    assert len(opened) == len(set(opened)) >= 4, opened


def test_a_change_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(TINY, folder)
    model = ModelRef("own", folder)
    for width in (64, 96, 72):
        (folder / "smd.json").write_text(json.dumps({"native_size": [width, 64]}))
        assert read_defaults(model).native_size == (width, 64)
    beside = tmp_path / "smd.json"  # as editors save, with the same size and time
    beside.write_text(json.dumps({"native_size": [80, 64]}))
    os.utime(beside, ns=(0, (folder / "smd.json").stat().st_mtime_ns))
    beside.replace(folder / "smd.json")
    assert read_defaults(model).native_size == (80, 64)
    (folder / "smd.json").unlink()
    assert read_defaults(model).native_size != (80, 64)


def test_what_is_read_is_the_callers_own(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": {"b": [1]}}')
    first = config_at(path)
    assert first
    first["a"]["b"].append(2)
    assert config_at(path) == {"a": {"b": [1]}}


@pytest.mark.parametrize("content", [b"{", b"[]", b"5", b"\xff", b"[" * 100_000, b""])
def test_what_is_broken_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(UsageError, match="cannot read "):
            config_at(path)
        with pytest.raises(UsageError, match="cannot read "):
            json_of(path, "own")
        assert read_object(path) is None


def test_what_is_not_there_is_none_or_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none.json", tmp_path / "file" / "none.json", tmp_path):
        assert config_at(path) is None
        with pytest.raises(UsageError, match="own is not a model folder: it has no "):
            json_of(path, "own")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert config_at(tmp_path / "config.json") is None
