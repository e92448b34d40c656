"""Grids: many pictures of one call, their names, their sheet, and one of them that fails."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Smd
from PIL import Image

from vary.conftest import Breaks, Loads

PROMPTS = ("a fox", "a wolf")
GRID = ["render", "s.yaml", "t.yaml", "--seeds", "1-3"]
GRID += [
    "--each",
    'brushes.fox.prompt=["a fox", "a wolf"]',
    "-o",
    "{scene}-{fox.prompt}-{seed}.png",
]
NAMES = [
    f"{scene}-{prompt.replace(' ', '-')}-{seed}.png"
    for scene, prompt, seed in itertools.product("st", PROMPTS, (1, 2, 3))
]

pytestmark = pytest.mark.usefixtures("folder")


def pixels(name: str) -> npt.NDArray[np.uint8]:
    with Image.open(name) as picture:
        return np.asarray(picture.convert("RGB"))


def places(part: npt.NDArray[np.uint8], page: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where a page shows a picture as it is."""
    height, width = part.shape[:2]
    corners = np.argwhere((page == part[0, 0]).all(axis=-1))
    return [
        (int(y), int(x))
        for y, x in corners
        if np.array_equal(page[y : y + height, x : x + width], part)
    ]


def test_a_grid_of_scenes_prompts_and_seeds(smd: Smd, loads: Loads) -> None:
    """Twelve files by one model, a sheet that shows them in rows and columns, all told as JSON."""
    result = smd([*GRID, "--sheet", "grid.png", "--json"])
    assert (result.code, len(loads)) == (0, 1)
    events = [json.loads(line) for line in result.out.splitlines()]
    paths = [event["path"] for event in events if event["type"] == "result"]
    assert paths == [*NAMES, "grid.png"]
    starts = [event["changes"] for event in events if event["type"] == "start"]
    assert starts[:4] == [
        {"brushes.fox.prompt": prompt, "seed": str(seed)}
        for prompt, seed in (("a fox", 1), ("a fox", 2), ("a fox", 3), ("a wolf", 1))
    ]
    page = pixels("grid.png")
    shown = [places(pixels(name), page) for name in NAMES]
    assert [len(found) for found in shown] == [1] * 12
    rows, columns = (np.array(shown).reshape(4, 3, 2)[..., axis] for axis in (0, 1))
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()
    assert (np.diff(rows[:, 0]) > 64).all()
    assert (np.diff(columns[0]) > 64).all()


@pytest.mark.usefixtures("loads")
def test_a_picture_of_a_grid_is_the_one_that_is_painted_alone(smd: Smd) -> None:
    assert smd([*GRID, "-q"]).code == 0
    alone = ["--set", "brushes.fox.prompt=a wolf", "--seed", "2", "-o", "alone.png"]
    assert smd(["render", "t.yaml", *alone]).code == 0
    assert Path("alone.png").read_bytes() == Path("t-a-wolf-2.png").read_bytes()
    assert len({Path(name).read_bytes() for name in NAMES}) == 12


@pytest.mark.usefixtures("loads")
def test_a_job_that_fails_leaves_the_others(smd: Smd, breaks: Breaks) -> None:
    breaks("sand", "a wolf", 2)
    result = smd([*GRID, "-q", "--sheet", "grid.png"])
    assert result.code == 1
    assert result.out.splitlines() == [n for n in NAMES if n != "t-a-wolf-2.png"] + ["grid.png"]
    assert result.err.startswith("error: t, fox.prompt a wolf, seed 2: out of memory at 64x64\n")
    assert result.err.endswith("error: 1 of 12 jobs failed\n")
    assert not Path("t-a-wolf-2.png").exists()
    page = pixels("grid.png")
    assert all(places(pixels(name), page) for name in NAMES if Path(name).exists())


@pytest.mark.usefixtures("loads")
def test_a_failure_among_many_is_told_to_scripts(smd: Smd, breaks: Breaks) -> None:
    breaks("grass", "a fox", 1)
    result = smd(["render", "s.yaml", "--seeds", "1,2", "--json"])
    events = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 1
    assert [event["type"] for event in events if event["type"] in ("error", "result")] == [
        "error",
        "result",
        "error",
    ]
    assert events[-1]["message"] == "1 of 2 jobs failed"
    failures = [event["scene"] for event in events if event["type"] == "error"]
    assert failures == ["s, seed 1", None]


@pytest.mark.usefixtures("loads")
def test_a_job_that_is_alone_fails_alone(smd: Smd, breaks: Breaks) -> None:
    breaks("grass", "a fox", 0)
    result = smd(["render", "s.yaml"])
    assert (result.code, result.err.count("error: ")) == (1, 1)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--seeds", "1-2"], ["s-1.png", "s-2.png"]),
        (["--each", "size=[64x64, 128x128]", "-o", "{1}.jpg"], ["64x64.jpg", "128x128.jpg"]),
        (["--seeds", "4", "-o", "out/"], ["out/s-4-0000.png"]),
        (["--each", "output.fps=[2, 3]", "-n", "2"], ["s-2.gif", "s-3.gif"]),
        (["--each", "brushes.1.prompt=['50%{']"], ["s-50.png"]),
    ],
)
@pytest.mark.usefixtures("loads")
def test_names_without_being_named(smd: Smd, options: list[str], names: list[str]) -> None:
    result = smd(["render", "s.yaml", "-q", *options])
    assert (result.code, result.out.splitlines()) == (0, names)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "1-2", "-o", "x.png"], "tell them apart by name: {seed}\n"),
        (
            ["--each", "brushes.fox.prompt=[a, b]", "--seeds", "1-2", "-o", "{seed}.png"],
            "tell them apart by name: {fox.prompt} {seed}\n",
        ),
        (["--each", "size=[64x64]", "-o", "{siz}.png"], "did you mean {size}?\n"),
        (["--seeds", "1-2", "-o", "{x}.png"], "tokens are {scene} {seed} {frame}\n"),
        (["--each", "brushes.fox.alpha=[1, 7]"], "--each brushes.fox.alpha=7: error: alpha must"),
        (["--each", "brushes.fx.alpha=[1]"], "there is no brush 'fx'\nhint: did you mean fox?\n"),
        (["--seeds", "1-2", "--sheet", "s-2.png"], "error: --sheet and -o both want s-2.png\n"),
        (
            ["--seeds", "1-2", "--sheet", "a.gif"],
            "error: --sheet takes a picture's name, not a.gif",
        ),
        (["--seeds", "1-2", "--sheet", "fox.png"], "fox.png would replace fox.png, which one of"),
        (["--seeds", "1-2", "--sheet", "a/b.png"], "there is no folder a\n"),
        (["--seeds", "1-2", "--no-clobber", "--sheet", "s.yaml.png"], "s.yaml.png exists already"),
        (
            ["--seeds", "1-2", "--no-clobber", "--resume"],
            "error: --resume and --no-clobber exclude",
        ),
        (["--seeds", "1-2", "--seed", "3"], "error: --seed 3 and --seeds 1-2 exclude each other\n"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_loaded(
    smd: Smd, loads: Loads, options: list[str], told: str
) -> None:
    Path("s.yaml.png").touch()
    result = smd(["render", "s.yaml", *options])
    assert (result.code, result.out, loads) == (2, "", [])
    assert told in result.err


@pytest.mark.usefixtures("loads")
def test_what_many_jobs_have_in_common_is_told_once(smd: Smd) -> None:
    options = ["--set", "brushes.fox.negative=blurry", "--seeds", "1-3"]
    assert smd(["render", "s.yaml", *options]).err.count(" warning: ") == 1


@pytest.mark.usefixtures("loads")
def test_a_sheet_of_scenes_alone_is_one_row(smd: Smd) -> None:
    assert smd(["render", "s.yaml", "t.yaml", "-q", "--sheet", "{scene}.png"]).code == 0
    page = pixels("s+t.png")
    [(top, left)], [(other_top, right)] = (places(pixels(f"{n}.png"), page) for n in "st")
    assert top == other_top
    assert right > left + 64


@pytest.mark.usefixtures("loads")
def test_a_muted_brush_that_varies_is_told(smd: Smd) -> None:
    scene = Path("s.yaml").read_text(encoding="utf-8")
    owl = "[{name: owl, prompt: an owl, mask: {rect: [0, 0, 64, 64]}}, "
    Path("s.yaml").write_text(scene.replace("brushes: [", f"brushes: {owl}"), encoding="utf-8")
    grid = ["render", "s.yaml", "--each", "brushes.owl.prompt=[an owl, a cat]"]
    told = smd([*grid, "--only", "fox"])
    assert told.code == 0, told.err
    where = "--each brushes.owl.prompt=a cat: warning: 'owl' is muted: its prompt changes nothing"
    assert where in told.err
    assert "is muted" not in smd([*grid, "--only", "owl"]).err
