"""No save is missed, and the marks are right, whatever becomes of the files and their folders."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles
from conftest import TINY

from smd_cli.errors import SmdError
from smd_cli.report.reporter import Reporter
from smd_cli.watch import follower, watcher
from smd_cli.watch.keeper import Recorder
from smd_cli.watch.live import WatchOptions
from smd_cli.watch.sources import Reading, SceneReader
from smd_cli.work.request import Request

from .follow import Following, disc, save

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
seed: 5
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.png")
    return tmp_path


def name_mask(path: str) -> None:
    """The fox has this mask from now on."""
    Path("s.yaml").write_text(SCENE.replace("fox.png", path), encoding="utf-8")


@pytest.mark.slow
def test_a_mask_may_come_with_all_its_folders() -> None:
    name_mask("a/b/c/fox.png")
    with Following(WatchOptions()) as live:
        live.until(lambda s: "there is no file" in s.trouble)
        Path("a/b/c").mkdir(parents=True)
        save(disc(40), Path("a/b/c/fox.png"))
        live.fresh(1)


def test_a_folder_may_be_a_link_to_another_one() -> None:
    for name, x in (("old", 20), ("new", 40)):
        Path(name).mkdir()
        save(disc(x), Path(name, "fox.png"))
    Path("masks").symlink_to("old")
    name_mask("masks/fox.png")
    with Following(WatchOptions()) as live:
        live.fresh(1)
        Path("beside").symlink_to("new")
        Path("beside").replace("masks")
        live.fresh(2)


@pytest.mark.slow
def test_a_folder_far_above_may_be_another_one() -> None:
    for name, x in (("a", 20), ("z", 40)):
        Path(name, "b", "c").mkdir(parents=True)
        save(disc(x), Path(name, "b", "c", "fox.png"))
    name_mask("a/b/c/fox.png")
    with Following(WatchOptions()) as live:
        live.fresh(1)
        Path("a").rename("gone")
        Path("z").rename("a")
        live.fresh(2)


@pytest.mark.slow
def test_saves_are_seen_where_the_system_has_no_listener_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Reporter, "note", lambda _, sentence: said.append(sentence))

    def none_left(*folders: str, **how: Any) -> Iterator[set[tuple[watchfiles.Change, str]]]:
        if not how["force_polling"]:
            raise OSError(errno.ENOSPC, "OS file watch limit reached")
        return watchfiles.watch(*folders, **how)

    monkeypatch.setattr(watcher, "watch", none_left)
    with Following(WatchOptions()) as live:
        live.fresh(1)
        save(disc(40), Path("fox.png"))
        live.fresh(2)
    [told] = [sentence for sentence in said if "--poll" in sentence]
    assert "OS file watch limit reached" in told


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="its files have no such rights")
def test_a_file_that_may_be_read_again_is_read_though_nobody_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked: list[bool] = []
    plain = Path.open

    def refused(path: Path, *how: Any, **more: Any) -> Any:
        if locked and path.name == "s.yaml":
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(path, *how, **more)

    def silent(*_: str, **how: Any) -> Iterator[set[tuple[watchfiles.Change, str]]]:
        how["stop_event"].wait()
        yield from ()

    monkeypatch.setattr(watcher, "watch", silent)
    monkeypatch.setattr(Path, "open", refused)
    with Following(WatchOptions()) as live:
        live.fresh(1)
        locked.append(True)
        Path("s.yaml").chmod(0o200)
        live.until(lambda s: "cannot be read: Permission denied" in s.trouble)
        locked.clear()
        Path("s.yaml").chmod(0o600)
        live.until(lambda s: s.fresh and not s.trouble)


def test_a_short_trouble_that_ends_as_it_began_leaves_the_picture_fresh() -> None:
    whole = Path("fox.png").read_bytes()
    with Following(WatchOptions()) as live:
        live.fresh(1)
        with Path("fox.png").open("wb") as file:
            file.write(whole[: len(whole) // 2])
            file.flush()
            os.fsync(file.fileno())
            live.until(lambda s: not s.fresh)
            file.write(whole[len(whole) // 2 :])
        assert live.fresh(1).trouble == ""


@pytest.mark.slow
def test_the_picture_of_files_that_never_rest_is_not_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "PATIENCE_S", 0.3)
    restless = iter(range(10**9))

    plain = SceneReader.read

    def read(reader: SceneReader, request: Request, known: Collection[Path] = ()) -> Reading:
        found = plain(reader, request, known)
        return Reading({**found.digests, Path("fox.png"): bytes(next(restless) % 7)})

    with Following(WatchOptions(endless=True)) as live:
        live.fresh(1)
        monkeypatch.setattr(SceneReader, "read", read)
        save(disc(40), Path("fox.png"))
        live.until(lambda s: not s.fresh)
        end, seen = time.monotonic() + 1.5, live.board.picture()[0]
        while time.monotonic() < end:
            assert not live.board.state.fresh
            time.sleep(0.01)
        assert live.board.picture()[0] > seen


def test_what_cannot_be_kept_or_filmed_leaves_the_picture_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise SmdError("film.gif could not be written: No space left on device")

    monkeypatch.setattr(Recorder, "add", full)
    Path("kept").write_text("a file in the way")
    with Following(WatchOptions(keep="kept", record="film.gif")) as live:
        live.until(lambda s: "kept" in s.trouble and s.fresh)
        save(disc(40), Path("fox.png"))
        live.fresh(2)


def test_a_stream_that_cannot_be_written_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    with Following(WatchOptions(endless=True), ("out/live.png",)) as live:
        live.fresh(1)
        shutil.rmtree("out", ignore_errors=True)
        live.until(lambda s: "could not be written" in s.trouble)
        time.sleep(1)
        Path("out").mkdir()
        live.fresh(1)
    assert capsys.readouterr().err.count("could not be written") == 1
