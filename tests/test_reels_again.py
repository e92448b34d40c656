"""Films and sequences meet what pictures tell of themselves: rerun, info, unpack, --resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from clips import noise_frames, write_film
from conftest import TINY, Result, Smd
from PIL import Image

SCENE = f"""\
model: {TINY}
size: 64x64
frames: auto
background: {{image: ../clip.mp4}}
sampler: {{steps: 1}}
brushes:
  - {{name: fox, prompt: a fox, blur: 0, mask: ../m/%02d.png}}
  - {{name: owl, prompt: an owl, blur: 0, mask: ../owl.png}}
"""
COUNT = 5


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "work"
    (here / "proj").mkdir(parents=True)
    (here / "m").mkdir()
    monkeypatch.chdir(here)
    Path("proj/s.yaml").write_text(SCENE, encoding="utf-8")
    write_film("clip.mp4", noise_frames(COUNT, 64, 64))
    for number in range(COUNT):
        square(8 * number).save(f"m/{number:02d}.png")
    square(40).save("owl.png")


def square(left: int) -> Image.Image:
    levels = np.zeros((64, 64), np.uint8)
    levels[16:40, left : left + 24] = 255
    return Image.fromarray(levels)


def done(smd: Smd, *arguments: str) -> Result:
    result = smd(arguments)
    assert result.code == 0, result.err
    return result


def test_an_embedded_scene_finds_its_film_where_that_is(smd: Smd, tmp_path: Path) -> None:
    told = done(smd, "render", "proj/s.yaml", "--embed", "-o", "f-%d.png")
    assert "note: --embed: films and sequences stay where they are, not inside: " in told.err
    assert "not inside: ../m/%02d.png, ../clip.mp4\n" in told.err
    square(0).save("owl.png")
    assert "same bytes" in done(smd, "rerun", "f-3.png", "-o", "a.png").err

    facts = done(smd, "info", "f-3.png").out.splitlines()
    inside = {line.split()[1]: "inside" in line for line in facts if line.startswith("file")}
    assert inside == {"../m/%02d.png": False, "../owl.png": True, "../clip.mp4": False}

    shutil.copytree(".", tmp_path / "away" / "there")
    shutil.copy("m/00.png", "m/03.png")
    told = done(smd, "rerun", "f-3.png", "-o", "b.png")
    assert "note: ../m/%02d.png has changed since\n" in told.err
    assert "has changed since: it is painted" in told.err  # of the owl alone, which is inside
    assert "clip.mp4 has changed" not in told.err
    there = tmp_path / "away" / "there" / "proj"
    assert "same bytes" in done(smd, "rerun", "f-3.png", "--in", str(there), "-o", "c.png").err

    unpacked = done(smd, "unpack", "f-3.png", "-o", "un/packed")
    assert "copy ../m/%02d.png to un/m/%02d.png, ../clip.mp4 to un/clip.mp4\n" in unpacked.err
    Path("clip.mp4").unlink()
    lost = smd(["rerun", "f-3.png"])
    assert lost.code == 2
    assert "the files that the scene of f-3.png names are not to be found: ../m/" in lost.err
    assert "hint: --in FOLDER says where they lie; films and sequences are never inside" in lost.err


def test_an_option_names_a_sequence_from_where_it_was_given(smd: Smd) -> None:
    shutil.copytree("m", "n")
    change = ["--set", "brushes.fox.mask=n/"]
    done(smd, "render", "proj/s.yaml", "--embed", *change, "-o", "proj/a.apng")
    assert "same bytes" in done(smd, "rerun", "proj/a.apng", "-o", "b.apng").err


def test_a_scene_that_is_gone_leaves_its_sequences_to_be_found(smd: Smd) -> None:
    done(smd, "render", "proj/s.yaml", "-o", "f-%d.png")
    Path("proj/s.yaml").unlink()
    assert "same bytes" in done(smd, "rerun", "f-3.png", "-o", "a.png").err


@pytest.mark.parametrize(("first", "last", "pictures"), [(1, 3, 4), (0, 3, 6), (2, 3, 2)])
def test_frames_that_go_there_and_back_are_counted_once(
    first: int, last: int, pictures: int, smd: Smd
) -> None:
    command = ["render", "proj/s.yaml", "--set", "output.loop=ping-pong", "-o", "p.apng"]
    command += ["--frames", f"{first}:{last}"]
    done(smd, *command)
    with Image.open("p.apng") as movie:
        assert getattr(movie, "n_frames", 1) == pictures
    assert "same bytes" in done(smd, "rerun", "p.apng", "-o", "q.apng").err
    facts = json.loads(done(smd, "info", "p.apng", "--json").out)
    assert (facts["frame"], facts["pictures"]) == (first, last - first + 1)
    assert "1 of 1 job had been done" in done(smd, *command, "--resume").err
    command[3] = "output.loop=true"
    assert "had been done" not in done(smd, *command, "--resume").err


def test_a_sidecar_is_no_picture_without_a_record(smd: Smd) -> None:
    command = ["render", "proj/s.yaml", "-o", "a.gif", "--sidecar", "--resume"]
    told = done(smd, *command).err
    assert "note: a.gif holds no record of what it shows" in told
    assert "a.gif.json holds" not in told
    told = done(smd, "rerun", "a.gif.json", "-o", "b.gif").err
    assert "note: b.gif: the same bytes as a.gif\n" in told


def test_a_film_is_not_replaced_by_what_is_painted_into_it(smd: Smd) -> None:
    done(smd, "render", "proj/s.yaml", "-o", "a.apng", "--embed", "--frames", "0:1")
    for name in ("clip.mp4", "m/%02d.png"):
        told = smd(["rerun", "a.apng", "-o", name])
        assert told.code == 2
        assert "which the scene is made of" in told.err


def test_a_large_picture_whose_part_is_scaled_is_painted_again_so(smd: Smd) -> None:
    Image.linear_gradient("L").resize((600, 400)).save("proj/large.png")
    mask = "mask: {rect: [20, 20, 60, 60], move: {0: [0, 0], 2: [400, 200]}}"
    mask += "}\n  - {prompt: an owl, mask: {rect: [500, 300, 60, 60]}}\n"
    text = f"model: {TINY}\nframes: 3\nbackground: {{image: large.png}}\nsampler: {{steps: 1}}\n"
    Path("proj/l.yaml").write_text(f"{text}brushes:\n  - {{prompt: a fox, {mask}", encoding="utf-8")
    done(smd, "render", "proj/l.yaml", "-o", "f-%d.png")
    for number in (0, 2):
        told = done(smd, "rerun", f"f-{number}.png", "-o", "a.png").err
        assert "same bytes" in told
