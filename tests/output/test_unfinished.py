"""What killed runs leave behind, and who removes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from smd_cli.output.atomic import AtomicFile
from smd_cli.output.unfinished import remove_ownerless, temporary_name

BEGIN = """\
import os, signal, sys
from pathlib import Path
from smd_cli.output.atomic import AtomicFile
file = AtomicFile(Path(sys.argv[1]))
file.stream.write(b"half")
file.stream.flush()
print(file.temporary.name, flush=True)
{then}
"""
KILLED = BEGIN.format(then="os.kill(os.getpid(), signal.SIGKILL)")
WAITING = BEGIN.format(then="sys.stdin.read()")


def begun(then: str, name: str) -> tuple[subprocess.Popen[str], str]:
    """A process that has begun to write `name`, and the name it writes to."""
    process = subprocess.Popen(
        [sys.executable, "-c", then, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def write(name: str) -> None:
    remove_ownerless.cache_clear()  # as in a process of its own
    file = AtomicFile(Path(name))
    file.stream.write(b"whole")
    file.commit()


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_next_run_removes_what_a_killed_one_left() -> None:
    process, left = begun(KILLED, "a.gif")
    process.communicate()
    assert names() == [left]
    write("b.png")
    assert names() == ["b.png"]


def test_what_another_run_is_writing_stays() -> None:
    process, temporary = begun(WAITING, "a.gif")
    write("b.png")
    assert names() == sorted([temporary, "b.png"])
    process.communicate()
    write("b.png")
    assert names() == ["b.png"]


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(pid: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: pid)
        path = Path(temporary_name("a.png", "0123abcd"))
    path.touch()
    return path


def test_only_its_own_kind_is_removed(dead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_by(dead, monkeypatch)
    ours = left.name.split("-")
    others = [
        ".a.png.0123abcd.tmp",
        "a.tmp",
        left.name.removeprefix("."),
        left.name + "~",
        "-".join([ours[0], f"{int(ours[1], 16) ^ 1:08x}", *ours[2:]]),  # of another machine
    ]
    for name in others:
        Path(name).touch()
    folder = Path(left.name.replace("0123abcd", "00000000"))
    folder.mkdir()
    write("b.png")
    assert names() == sorted([*others, folder.name, "b.png"])
    for name in others:
        Path(name).unlink()
    folder.rmdir()


@pytest.mark.skipif(os.name == "nt", reason="links and users")
def test_a_link_and_a_file_of_another_user_stay(dead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("precious").touch()
    left = left_by(dead, monkeypatch)
    left.unlink()
    left.symlink_to("precious")
    write("b.png")
    assert left.is_symlink()
    left.unlink()
    left.touch()
    monkeypatch.setattr(os, "getuid", lambda: left.stat().st_uid + 1)
    write("b.png")
    assert left.exists()
    left.unlink()


def test_a_number_that_went_to_a_younger_process_owns_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = left_by(os.getpid(), monkeypatch)
    write("b.png")
    assert left.exists()
    began = psutil.Process().create_time()
    os.utime(left, (began - 60, began - 60))
    write("b.png")
    assert names() == ["b.png"]


def test_a_folder_is_searched_once() -> None:
    remove_ownerless.cache_clear()
    for _ in range(3):
        AtomicFile(Path("a.png")).discard()
    assert remove_ownerless.cache_info().misses == 1
