from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from smd_cli.errors import ExitCode, SmdError, UsageError
from smd_cli.output.atomic import AtomicFile, publish_new, sentences

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX manners")


def names(folder: str = ".") -> list[str]:
    return sorted(p.name for p in Path(folder).iterdir())


def write(path: Path, data: bytes = b"new", *, clobber: bool = True) -> None:
    file = AtomicFile(path, clobber=clobber)
    file.stream.write(data)
    file.commit()


def test_nothing_is_seen_before_commit() -> None:
    path = Path("a.bin")
    path.write_bytes(b"old")
    file = AtomicFile(path)
    file.stream.write(b"new")
    assert path.read_bytes() == b"old"
    assert file.temporary.parent == path.resolve().parent
    file.commit()
    assert path.read_bytes() == b"new"
    assert names() == ["a.bin"]


def test_discard_keeps_the_old_file() -> None:
    Path("a.bin").write_bytes(b"old")
    file = AtomicFile(Path("a.bin"))
    file.stream.write(b"new")
    file.discard()
    file.discard()
    assert Path("a.bin").read_bytes() == b"old"
    assert names() == ["a.bin"]


def test_a_long_name_has_a_temporary_name_too() -> None:
    write(Path("é" * 120 + ".png"))


@posix
def test_permissions_are_those_of_a_new_file() -> None:
    before = os.umask(0o027)
    try:
        write(Path("a.bin"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("a.bin").stat().st_mode) == 0o640


@posix
def test_a_link_stays_a_link() -> None:
    Path("deep").mkdir()
    Path("deep/real.bin").write_bytes(b"old")
    Path("link.bin").symlink_to("deep/real.bin")
    write(Path("link.bin"))
    assert Path("link.bin").is_symlink()
    assert Path("deep/real.bin").read_bytes() == b"new"
    assert names("deep") == ["real.bin"]


@pytest.mark.parametrize("hard_links", [True, False])
def test_no_clobber_at_the_last_moment(hard_links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hard_links:
        monkeypatch.setattr(os, "link", refuse_links)
    file = AtomicFile(Path("a.bin"), clobber=False)
    file.stream.write(b"ours")
    Path("a.bin").write_bytes(b"theirs")
    with pytest.raises(UsageError, match=r"a\.bin exists already"):
        file.commit()
    assert Path("a.bin").read_bytes() == b"theirs"
    assert names() == ["a.bin"]


@pytest.mark.parametrize("hard_links", [True, False])
def test_no_clobber_where_nothing_stands(hard_links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hard_links:
        monkeypatch.setattr(os, "link", refuse_links)
    write(Path("a.bin"), clobber=False)
    assert Path("a.bin").read_bytes() == b"new"
    assert names() == ["a.bin"]


def refuse_links(*_: object) -> None:
    raise OSError(errno.ENOTSUP, "no hard links here")


def test_a_name_held_in_vain_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    with pytest.raises(FileNotFoundError):
        publish_new(Path("missing.tmp"), Path("a.bin"))
    assert names() == []


def test_a_file_that_is_open_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    replace, tries = Path.replace, []

    def busy(self: Path, goal: Path) -> Path:
        tries.append(self)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use")
        return replace(self, goal)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(time, "sleep", lambda _s: None)
    write(Path("a.bin"))
    assert Path("a.bin").read_bytes() == b"new"


def test_a_file_that_stays_open_costs_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_self: Path, _goal: Path) -> Path:
        raise PermissionError(errno.EACCES, "in use")

    Path("a.gif").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(time, "sleep", lambda _s: None)
    with pytest.raises(SmdError) as caught:
        write(Path("a.gif"))
    kept = next(p for p in Path().iterdir() if p.name != "a.gif")
    assert str(caught.value) == (
        "error: a.gif could not be replaced: it may be open in another program\n"
        f"hint: the new file is kept as {kept}"
    )
    assert (Path("a.gif").read_bytes(), kept.read_bytes()) == (b"old", b"new")
    assert kept.suffix == ".gif"


def test_system_errors_are_sentences() -> None:
    with pytest.raises(SmdError) as caught, sentences("out/a.png"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.exit_code is ExitCode.FAILED
    assert str(caught.value) == (
        "error: out/a.png could not be written: No space left on device\n"
        "hint: free some space and try again"
    )


def test_used_up_file_descriptors_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SmdError) as caught:
        AtomicFile(Path("a.png"))
    assert str(caught.value) == (
        "error: a.png could not be written: Too many open files\n"
        "hint: close other programs, or raise the limit: ulimit -n 1024"
    )


def test_a_folder_that_went_away() -> None:
    with pytest.raises(SmdError, match=r"gone.a\.png could not be written: No such file"):
        AtomicFile(Path("gone/a.png"))
