"""`sampler.similarity`: which frames of a film are painted, and what its files hold."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Smd
from PIL import Image

FILM = f"""\
model: {TINY}
size: 64x64
frames: 7
seed: 4
background: {{prompt: a meadow}}
sampler: {{steps: 2, noise: flow, similarity: 0.9}}
brushes:
  - prompt: a fox
    blur: 3
    mask: {{rect: [4, 8, 40, 40], move: {{1: [0, 0], 4: [10, 0]}}}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(FILM, encoding="utf-8")


def pixels(name: str) -> bytes:
    with Image.open(name) as picture:
        return np.asarray(picture.convert("RGB")).tobytes()


@pytest.mark.parametrize("schedule", ["single", "stream"])
def test_a_skipped_frame_is_the_one_before_and_so_it_is_alone(schedule: str, smd: Smd) -> None:
    command = ["render", "s.yaml", "--schedule", schedule]
    told = smd([*command, "-o", "f-%d.png", "-o", "f.apng", "--json"])
    assert told.code == 0, told.err
    [done] = [e for e in map(json.loads, told.out.splitlines()) if e["event"] == "done"]
    film = [pixels(f"f-{k}.png") for k in range(7)]
    runs = [len([*run]) for _, run in groupby(film)]
    assert (done["frames"], done["skipped"]) == (7, 7 - len(runs))
    assert 2 < len(runs) < 6
    with Image.open("f.apng") as movie:
        assert getattr(movie, "n_frames", 1) == 7
    whole = [Path(f"f-{k}.png").read_bytes() for k in range(7)]
    again = smd([*command, "-o", "s-%d.png", "--frames=3:5"])
    assert f"s: 3 frames ({3 - len({*film[3:6]})} skipped as alike) in " in again.err
    assert [Path(f"s-{k}.png").read_bytes() for k in range(3, 6)] == whole[3:6]


def test_the_painted_frames_are_those_of_the_film_without_it(smd: Smd) -> None:
    command = ["render", "s.yaml", "--schedule=single", "-o"]
    assert smd([*command, "a-%d.png"]).code == 0
    told = smd([*command, "b-%d.png", "--set", "sampler.similarity=off"])
    assert "s: 7 frames in " in told.err
    film = [pixels(f"a-{k}.png") for k in range(7)]
    first = [k for k in range(7) if k == 0 or film[k] != film[k - 1]]
    assert all(film[k] == pixels(f"b-{k}.png") for k in first)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frames: 7\n", "", "4:44: warning: similarity has no effect on a single frame"),
        ("flow", "walk", "6:41: warning: similarity does not look at the start noise: frames"),
        ("0.9}", "1}", "6:53: error: similarity must be a number from 0 to 0.9999, not 1"),
        ("0.9}", "on}", "6:53: error: similarity must be one of off, not the text 'on'"),
    ],
)
def test_what_it_cannot_do_is_told(old: str, new: str, message: str, smd: Smd) -> None:
    Path("s.yaml").write_text(FILM.replace(old, new), encoding="utf-8")
    assert message.partition(": ")[2] in smd(["check", "s.yaml"]).err
