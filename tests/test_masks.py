"""The mask sheet shows what the planner plans, and marks overlaps and what is bare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Smd
from PIL import Image

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.planner import Planner
from smd_cli.engine.weights import Weights
from smd_cli.engine.windows import Window
from smd_cli.models.facts import resolve_model
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.work.masks import MOST_PANELS, layer_counts
from smd_cli.work.seen import see
from smd_cli.work.sheet import Panel, Row, draw_sheet

TWO = """size: 256x256
background: {color: black}
brushes:
  - {name: left, prompt: a fox, mask: {rect: [0, 0, 160, 256]}, blur: 0}
  - {name: right, prompt: an owl, mask: {rect: [96, 0, 96, 256]}, blur: 0}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(TWO, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(load_backbone(resolve_model("starter", Path()), "cpu", "fp32"))


def corners(windows: tuple[tuple[tuple[Window, ...], ...], ...]) -> list[list[list[object]]]:
    return [[[(w.corner, w.shape) for w in row] for row in slot] for slot in windows]


def same(one: Weights, other: Weights) -> bool:
    return np.array_equal(one.dense(), other.dense())


CHANGES: list[list[str]] = [
    [],
    ["sampler.windows=off"],
    ["sampler.preset=paper"],
    ["sampler.guidance.type=initialize", "sampler.guidance.scale=2"],
    ["sampler.blend_after=bootstrap"],
    ["sampler.bootstrap.leak=0.5", "wrap=x"],
    ["sampler.method=multidiffusion", "sampler.steps=7"],
    ["brushes.1.repaint=0.5", "size=200x200"],
]


@pytest.mark.parametrize("changes", CHANGES, ids=" ".join)
@pytest.mark.parametrize("scene", ["meadow", "desert"])
def test_the_sheet_sees_what_the_planner_plans(
    planner: Planner, scene: str, changes: list[str]
) -> None:
    overrides = [parse_override(change) for change in changes]
    file = load_scene(str(ROOT / "scenes" / f"{scene}.yaml"), overrides)
    painted = paint_scene(file)
    seen = see(file.scene, painted)
    plan = planner.plan(file.scene, painted.brushes, painted.size, painted.picture)
    assert same(seen.weights, plan.weights)
    assert corners(seen.windows) == corners(plan.windows)
    assert seen.table.sigmas == pytest.approx(plan.table.sigmas)


def test_the_sheet_sees_the_part_of_a_large_picture_that_is_generated(
    planner: Planner, tmp_path: Path
) -> None:
    Image.new("RGB", (900, 600), "grey").save(tmp_path / "photo.png")
    scene = "background: {image: photo.png}\nbrushes:\n"
    scene += "  - {prompt: a fox, mask: {rect: [500, 300, 90, 90]}}\n"
    (tmp_path / "s.yaml").write_text(scene, encoding="utf-8")
    file = load_scene(str(tmp_path / "s.yaml"))
    painted = paint_scene(file)
    seen = see(file.scene, painted)
    plan = planner.plan(file.scene, painted.brushes, painted.size, painted.picture)
    assert seen.part.extent < painted.size
    assert same(seen.weights, plan.weights)
    assert corners(seen.windows) == corners(plan.windows)


@pytest.mark.usefixtures("folder")
def test_places_are_counted_by_how_many_brushes_paint_them() -> None:
    counts = layer_counts(paint_scene(load_scene("s.yaml")))
    columns = [1] * 96 + [2] * 64 + [1] * 32 + [0] * 64
    assert np.array_equal(counts, np.tile(columns, (256, 1)))


@pytest.mark.usefixtures("folder")
def test_a_sheet_is_written_where_it_is_asked_for(smd: Smd) -> None:
    result = smd(["masks", "s.yaml", "-o", "sheet.png"])
    assert (result.code, result.out) == (0, "sheet.png\n")
    colours = {colour for _, colour in Image.open("sheet.png").getcolors(1 << 24) or ()}
    hatch, overlap, three, window = (200, 0, 160), (255, 176, 60), (214, 60, 40), (230, 120, 0)
    assert {hatch, overlap, window} <= colours
    assert three not in colours
    assert smd(["masks", "s.yaml"]).out == "s-masks.png\n"
    told = [json.loads(line) for line in smd(["masks", "s.yaml", "--json"]).out.splitlines()]
    assert told[-1]["path"] == "s-masks.png"


def test_a_sheet_replaces_no_mask_and_nothing_that_is_to_be_kept(smd: Smd, folder: Path) -> None:
    Image.new("L", (256, 256), 255).save("fox.png")
    (folder / "t.yaml").write_text("brushes: [{prompt: a fox, mask: fox.png}]\n", encoding="utf-8")
    before = Path("fox.png").read_bytes()
    result = smd(["masks", "t.yaml", "-o", "fox.png"])
    assert (result.code, Path("fox.png").read_bytes()) == (2, before)
    assert "which the scene is made of" in result.err
    Path("sheet.png").write_bytes(b"kept")
    result = smd(["masks", "t.yaml", "-o", "sheet.png", "--no-clobber"])
    assert (result.code, Path("sheet.png").read_bytes()) == (2, b"kept")


def test_more_than_can_be_read_is_refused(smd: Smd, folder: Path) -> None:
    change = ["--set", "sampler.method=multidiffusion", "--set", "sampler.steps=50"]
    brushes = [{"prompt": "a fox", "mask": {"rect": [0, 0, 9, 9]}}] * 100
    (folder / "t.yaml").write_text(json.dumps({"brushes": brushes}), encoding="utf-8")
    result = smd(["masks", "t.yaml", *change])
    assert result.code == 2
    assert f"5300 panels, for 100 rows in 50 slots: {MOST_PANELS} are legible" in result.err


@pytest.mark.usefixtures("folder")
def test_check_points_to_the_sheet_where_a_mask_is_doubtful(smd: Smd) -> None:
    assert "smd masks" not in smd(["check", "s.yaml"]).err
    result = smd(["check", "s.yaml", "--set", "brushes.right.mask.rect=[0, 0, 256, 256]"])
    assert "fully covered" in result.err
    assert "note: smd masks s.yaml shows what the engine sees of the masks\n" in result.err


def test_panels_lie_where_they_belong() -> None:
    """Each at its place, unscaled; what is more than the columns goes on below."""
    red, blue = (Panel(Image.new("RGB", (40, 30), c), ("label",)) for c in ("red", "blue"))
    page = draw_sheet("title", [Row("row", (red, blue, red), columns=2)])
    places = [np.argwhere((page == colour).all(axis=2)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert [len(place) for place in places] == [2 * 40 * 30, 40 * 30]
    (top, left), (low, _) = places[0].min(axis=0), places[0].max(axis=0)
    assert places[1].min(axis=0).tolist() == [top, left + 40 + 12]
    assert low - top > 2 * 30
