"""Between two network calls a newer version overtakes an older one."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY

from smd_cli.backbone.contract import Backbone
from smd_cli.backbone.load import load_backbone
from smd_cli.engine.plan import Plan, Planner
from smd_cli.engine.stream import Frame, single
from smd_cli.request import Request
from smd_cli.scene.paint import paint_scene
from smd_cli.watch.live import OvertakenError, frames
from smd_cli.watch.sources import read

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{prompt: a fox, mask: fox.png}}
  - {{prompt: an owl, mask: {{rect: [0, 0, 32, 32]}}, enabled: false}}
sampler: {{steps: 3}}
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("s.yaml")
    path.write_text(SCENE.replace("fox.png", "{rect: [8, 8, 40, 40]}"), encoding="utf-8")
    return path


def plan_of(scene: Path) -> tuple[Plan, Backbone]:
    reading = read(Request([str(scene)], ["live.png"]))
    assert reading.job
    file = reading.job.scene_file
    backbone = load_backbone(file.scene.model, "cpu", "fp32")
    painted = paint_scene(file)
    return Planner(backbone).plan(file.scene, painted.brushes, painted.size), backbone


def test_frames_are_those_of_single(scene: Path) -> None:
    plan, backbone = plan_of(scene)
    ours = list(frames(plan, backbone, 2, lambda: False))
    theirs = list(single(lambda: plan, backbone, 2))
    assert [f.index for f in ours] == [0, 1]
    assert all(a.latents.equal(b.latents) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("calls", range(5))
def test_work_stops_between_two_calls(scene: Path, calls: int) -> None:
    plan, backbone = plan_of(scene)
    asked = iter(range(100))
    done: list[Frame] = []
    with pytest.raises(OvertakenError):
        done.extend(frames(plan, backbone, 5, lambda: next(asked) == calls))
    assert len(done) == calls // 3
    assert next(asked) == calls + 1


def test_a_reading_names_its_files_even_where_they_are_wrong(scene: Path) -> None:
    request = Request([str(scene)], ["live.png"])
    scene.write_text(SCENE, encoding="utf-8")
    missing = read(request)
    assert missing.job is None
    assert missing.digests[Path("fox.png")] is None
    assert missing.digests[scene]
    scene.write_text("brushes: [", encoding="utf-8")
    broken = read(request, missing.digests)
    assert broken.wrong
    assert set(broken.digests) == {Path("fox.png"), scene}
    assert broken.digests[scene] != missing.digests[scene]
