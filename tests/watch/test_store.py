"""Painted frames on disk: found again by an edit that leaves them as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.backbone.unet import UNetBackbone
from smd_cli.engine.contract import Rows
from smd_cli.errors import SmdError
from smd_cli.scene.paint.photo import Photo
from smd_cli.watch.live import WatchOptions
from smd_cli.watch.store import FrameStore

from .follow import Following

FILM = f"""\
model: {TINY}
size: 64x64
frames: 6
background: {{prompt: a meadow}}
sampler: {{steps: 2}}
brushes:
  - name: fox
    prompt: a fox
    blur: 2
    alpha: {{0: 1, 3: 0.8, 5: 0.6}}
    mask: {{rect: [4, 8, 40, 40], move: {{0: [0, 0], 3: [8, 0]}}}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(FILM, encoding="utf-8")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each network call has had."""
    counted: list[int] = []
    predict = UNetBackbone.predict

    def counting(self: UNetBackbone, rows: Rows) -> object:
        counted.append(len(rows))
        return predict(self, rows)

    monkeypatch.setattr(UNetBackbone, "predict", counting)
    return counted


def painted(live: Following, version: int) -> None:
    """Wait for the last frame of a version."""
    live.until(lambda state: state.fresh and state.shown == version and state.frame == 5)


def edit(old: str, new: str) -> None:
    text = Path("s.yaml").read_text(encoding="utf-8")
    assert old in text
    Path("s.yaml").write_text(text.replace(old, new), encoding="utf-8")


def test_an_edit_of_a_key_paints_what_comes_after_the_key_before(rows: list[int], smd: Smd) -> None:
    with Following(WatchOptions(), outs=("f-%d.png", "f.gif")) as live:
        painted(live, 1)
        assert len(rows) == 6 * 2, "two slots of six frames"
        rows.clear()
        edit("5: 0.6", "5: 0.4")
        painted(live, 2)
        assert len(rows) == 2 * 2, "frames 4 and 5"
        rows.clear()
        edit("5: 0.4", "5: 0.6")
        painted(live, 3)
        edit("frames: 6", "frames: 6\noutput: {fps: 3}")
        painted(live, 4)
        assert rows == [], "all of them are known"
        edit("[8, 0]", "[0, 8]")
        painted(live, 5)
        assert len(rows) == 5 * 2, "all but the first"
    made = [Path(f"f-{k}.png").read_bytes() for k in range(6)]
    assert smd(["render", "s.yaml", "--schedule=single", "-o", "r-%d.png", "-o", "r.gif"]).code == 0
    assert [Path(f"r-{k}.png").read_bytes() for k in range(6)] == made
    assert Path("r.gif").read_bytes() == Path("f.gif").read_bytes()


def test_frames_that_are_skipped_are_those_of_render(rows: list[int], smd: Smd) -> None:
    edit("{steps: 2}", "{steps: 2, noise: fixed, similarity: 0.9}")
    edit("alpha: {0: 1, 3: 0.8, 5: 0.6}", "alpha: 1")
    with Following(WatchOptions(), outs=("f-%d.png",)) as live:
        painted(live, 1)
    assert 2 <= len(rows) < 6 * 2
    assert smd(["render", "s.yaml", "--schedule=single", "-o", "r-%d.png"]).code == 0
    for k in range(6):
        assert Path(f"r-{k}.png").read_bytes() == Path(f"f-{k}.png").read_bytes()


def test_a_mask_that_is_painted_otherwise_is_another_film(rows: list[int]) -> None:
    levels = np.zeros((64, 64), dtype=np.uint8)
    levels[8:48, 4:44] = 255
    Image.fromarray(levels).save("m.png")
    edit("{rect: [4, 8, 40, 40], move: {0: [0, 0], 3: [8, 0]}}", "m.png")
    edit("alpha: {0: 1, 3: 0.8, 5: 0.6}", "alpha: {0: 1, 5: 0.9}")
    with Following(WatchOptions(), outs=("f-%d.png",)) as live:
        painted(live, 1)
        rows.clear()
        levels[20:30] = 0
        Image.fromarray(levels).save("m.png")
        painted(live, 2)
    assert len(rows) == 6 * 2


# The store alone


def photo(seed: int, depth: type = np.uint8, channels: int = 3) -> Photo:
    draw = np.random.default_rng(seed)
    levels = draw.integers(0, np.iinfo(depth).max, (20, 30, channels), dtype=depth)
    return Photo(levels, b"profile" * seed, (seed, 2, 3))


@pytest.mark.parametrize("make", [lambda: photo(1), lambda: photo(2, np.uint16, 4)])
def test_a_kept_picture_is_the_same_in_all(make: Callable[[], Photo]) -> None:
    with FrameStore() as store:
        assert store.get("a") is None
        store.put("a", make())
        got = store.get("a")
        assert got is not None
        assert got.levels.dtype == make().levels.dtype
        assert np.array_equal(got.levels, make().levels)
        assert (got.profile, got.under) == (make().profile, make().under)


def test_another_owner_finds_nothing() -> None:
    with FrameStore() as store:
        store.belong("one")
        store.put("a", photo(1))
        store.belong("one")
        assert store.get("a") is not None
        store.belong("two")
        assert store.get("a") is None


def test_the_oldest_go_where_there_is_no_room() -> None:
    with FrameStore(most_bytes=4000) as store:  # noise of 1800 bytes each
        for n in range(4):
            store.put(str(n), photo(n))
        assert [store.get(str(n)) is not None for n in range(4)] == [False, False, True, True]
        [folder] = {path.parent for path in map(store._path, "23")}
        assert len([*folder.iterdir()]) == 2
    assert not folder.exists()


def test_what_was_removed_is_painted_again_and_a_full_disk_is_told() -> None:
    with FrameStore() as store:
        store.put("a", photo(1))
        store._path("a").write_bytes(b"cut")
        assert store.get("a") is None
        store._path("b").mkdir()
        with pytest.raises(SmdError, match="could not be written"):
            store.put("b", photo(1))
