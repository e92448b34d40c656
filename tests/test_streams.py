"""Standard streams that are closed or full, a working folder that is gone, and what `--debug` adds.

Every command is a process of its own here, started by a shell as users do it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TINY, Smd

pytestmark = pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")
FULL = Path("/dev/full")

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes: [{{name: fox, prompt: a fox, mask: {{rect: [8, 8, 40, 40]}}}}]
sampler: {{steps: 1}}
"""
CLOSED = "error: standard output could not be written: Bad file descriptor\n"
NO_ROOM = "error: standard output could not be written: No space left on device\n"
WRONG = "gone.yaml: error: there is no such file\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    return tmp_path


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `smd` is the command under test."""
    program = f'smd() {{ {shlex.quote(sys.executable)} -m smd_cli "$@"; }}\n{line}'
    if "/dev/full" in line and not FULL.exists():
        pytest.skip("there is no /dev/full")
    return subprocess.run(
        ["sh", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("smd --help >&-", 1, CLOSED),
        pytest.param("smd --help >/dev/full", 1, NO_ROOM, marks=pytest.mark.slow),
        pytest.param("smd --version >&-", 1, CLOSED, marks=pytest.mark.slow),
        ("smd check s.yaml >&-", 1, CLOSED),
        ("smd check s.yaml --json >/dev/full", 1, NO_ROOM),
        pytest.param("smd models >/dev/full", 1, NO_ROOM, marks=pytest.mark.slow),
        ("smd --help <&- >&- 2>&-", 1, ""),
        pytest.param("smd check s.yaml >/dev/full 2>/dev/full", 1, "", marks=pytest.mark.slow),
        pytest.param("smd render s.yaml -o - >&-", 1, CLOSED, marks=pytest.mark.slow),
        pytest.param("smd check gone.yaml >&-", 2, WRONG, marks=pytest.mark.slow),
        ("smd check gone.yaml 2>&-", 2, ""),
        pytest.param("smd check gone.yaml 2>/dev/full", 2, "", marks=pytest.mark.slow),
        pytest.param("smd check gone.yaml <&- >&- 2>&-", 2, "", marks=pytest.mark.slow),
        pytest.param("smd render gone.yaml --json >/dev/full", 2, WRONG, marks=pytest.mark.slow),
        pytest.param("smd rendr >&- 2>&-", 2, "", marks=pytest.mark.slow),
        ("smd check - <&-", 2, "<stdin>: error: cannot be read: Bad file descriptor\n"),
    ],
)
def test_what_cannot_be_told_leaves_a_sentence_and_its_code(line: str, code: int, err: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.replace("hint: did you mean s.yaml?\n", "") == err


@pytest.mark.parametrize("line", ["smd check s.yaml <&-", "smd check s.yaml 2>&-"])
def test_streams_that_are_not_needed_may_be_closed(line: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("s.yaml: 64x64 px, model ")


def test_a_reader_that_goes_away_is_no_error_to_tell() -> None:
    done = shell("{ smd check s.yaml; echo $? >&2; } | true")
    assert done.stderr == "1\n"


@pytest.mark.slow
def test_results_are_finished_though_nobody_hears_of_them() -> None:
    done = shell("smd render s.yaml -q -n 2 -o f-%d.png -o m.gif <&- >&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", CLOSED)
    assert sorted(p.name for p in Path().iterdir()) == ["f-0.png", "f-1.png", "m.gif", "s.yaml"]
    picture = Path("f-0.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert picture.endswith(b"IEND\xaeB`\x82")  # nothing was printed into it
    done = shell("smd render s.yaml -q -o - >/dev/full")
    assert (done.returncode, done.stderr) == (1, NO_ROOM)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "gone.yaml"], 2),
        (["render", "s.yaml", "-o", "x.psd"], 2),
        (["check", "s.yaml", "--nonsense"], 2),
        (["models", "pull", "no-such-preset"], 2),
        (["unpack", "gone.png"], 2),
    ],
)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_debug_changes_no_exit_code(
    smd: Smd, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, by: str
) -> None:
    plain = smd(arguments)
    if by == "variable":
        monkeypatch.setenv("SMD_DEBUG", "1")
    result = smd([*arguments, "--debug"] if by == "option" else arguments)
    assert (plain.code, result.code) == (code, code)
    assert result.err.startswith("Traceback (most recent call last):\n")
    assert result.err.endswith(plain.err)


@pytest.mark.parametrize("arguments", [["check", "s.yaml"], ["check", "s.yaml", "--debug"]])
def test_an_interrupt_ends_with_130(
    smd: Smd, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("smd_cli.work.check.check_scene", interrupted)
    result = smd(arguments)
    assert (result.code, result.err) == (130, "note: interrupted; finished files are kept\n")


def test_a_variable_that_says_no_asks_for_no_traceback(
    smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMD_DEBUG", "0")
    result = smd(["check", "s.yaml", "--nonsense"])
    assert (result.code, "Traceback" in result.err) == (2, False)


def test_a_bug_is_a_failed_job_with_debug_too(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("smd_cli.work.check.check_scene", broken)
    for arguments in (["check", "s.yaml"], ["check", "s.yaml", "--debug"]):
        result = smd(arguments)
        assert result.code == 1
        assert "error: ZeroDivisionError: by nothing\nhint: this is a bug in smd" in result.err
        assert ("Traceback" in result.err) == ("--debug" in arguments)


def test_used_up_file_descriptors_are_no_bug(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def used_up(*_: object, **__: object) -> None:
        try:
            raise OSError(24, "Too many open files")
        except OSError as wrong:
            raise ImportError("libtorch.so: cannot open shared object file") from wrong

    monkeypatch.setattr("smd_cli.work.check.check_scene", used_up)
    result = smd(["check", "s.yaml"])
    assert (result.code, result.err) == (
        1,
        "error: too many files are open\n"
        "hint: close other programs, or raise the limit: ulimit -n 1024\n",
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("--version", 0, marks=pytest.mark.slow),
        ("check ../s.yaml", 0),
        ("check s.yaml", 2),
        pytest.param("render ../s.yaml -o ../x.png", 2, marks=pytest.mark.slow),
        pytest.param("compare ../s.yaml", 2, marks=pytest.mark.slow),
        pytest.param("watch ../s.yaml", 2, marks=pytest.mark.slow),
        pytest.param("bench watch", 2, marks=pytest.mark.slow),
        pytest.param("doctor", 2, marks=pytest.mark.slow),
    ],
)
def test_a_working_folder_that_is_gone(command: str, code: int) -> None:
    Path("sub").mkdir()
    done = shell(f"cd sub; rmdir ../sub; smd {command}")
    assert done.returncode == code
    if code:
        reason = "the working folder is gone: " if "check" not in command else "no such file"
        assert reason in done.stderr
    assert "Traceback" not in done.stderr
