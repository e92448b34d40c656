"""Canvases larger than the starter's own show no borders of windows, nor an edge that wraps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import picture, single
from smd_cli.engine.windows import Strip, Window
from smd_cli.models.facts import resolve_model
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Wrap

pytestmark = pytest.mark.slow

SIZE = (1024, 256)
MATERIALS = ("grass", "stone")
Steps = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def model() -> Backbone:
    return load_backbone(resolve_model("starter", Path()), "cpu", "fp32")


def panorama(model: Backbone, folder: Path, material: str, wrap: Wrap) -> Plan:
    """The plan of one prompt without brushes."""
    path = folder / "s.yaml"
    path.write_text(f"size: 1024x256\nwrap: {wrap}\nbackground: {material}\nseed: 3\n")
    return Planner(model).plan(load_scene(str(path)).scene, [], SIZE)


def steps(model: Backbone, plan: Plan) -> Steps:
    """The mean difference between a column of pixels and the next, the first after the last."""
    (frame,) = single(lambda _: plan, model, 1)
    pixels = picture(frame, model).astype(np.float64)
    return np.asarray(np.abs(np.roll(pixels, -1, 1) - pixels).mean(axis=(0, 2)))


def excess(found: Steps, borders: set[int]) -> float:
    """How much larger steps are at some cells' borders than at all of them, 0 for as large."""
    at = [found[(8 * cell - 1) % len(found)] for cell in borders]
    return float(np.mean(at) / found[7:-1:8].mean() - 1)


def borders_of(plan: Plan) -> set[int]:
    """Where windows begin or end, but at the canvas's own edges."""
    strips = [window.columns for window in plan.windows[0][0]]
    ends = {end % 128 for s in strips for end in (s.start, s.start + s.length)}
    return ends - {0}


def test_borders_of_windows_are_not_seen(model: Backbone, tmp_path: Path) -> None:
    found = {}
    for material in ("sea", "brick wall"):
        plan = panorama(model, tmp_path, material, "none")
        assert len(plan.windows[0][0]) == 5
        found[material] = excess(steps(model, plan), borders_of(plan))
    assert max(found.values()) <= 0.1, found


def test_tiles_that_do_not_overlap_are_seen(model: Backbone, tmp_path: Path) -> None:
    """The measure tells: side by side they jump where they meet."""
    plan = panorama(model, tmp_path, "stone", "none")
    rows = plan.windows[0][0][0].rows
    beside = tuple(Window(rows, Strip(start, 32)) for start in range(0, 128, 32))
    cut = replace(plan, windows=tuple((beside,) for _ in plan.windows))
    assert excess(steps(model, cut), {32, 64, 96}) > 0.3


def test_an_edge_that_wraps_is_not_seen(model: Backbone, tmp_path: Path) -> None:
    """One column a picture is few: several materials together tell."""
    found = [steps(model, panorama(model, tmp_path, material, "x")) for material in MATERIALS]
    seams = [excess(each, {0}) for each in found]
    assert np.mean(seams) <= 0.1, seams
    apart = steps(model, panorama(model, tmp_path, "stone", "none"))
    assert excess(apart, {0}) > 1
