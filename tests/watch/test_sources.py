"""What a reading of the files finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY

from smd_cli.errors import SceneError
from smd_cli.scene.overrides import parse_override
from smd_cli.watch.sources import Reader
from smd_cli.work.request import Request

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


def test_a_reading_names_its_files_even_where_they_are_wrong(scene: Path) -> None:
    request = Request([str(scene)], ["live.png"])
    scene.write_text(SCENE, encoding="utf-8")
    reader = Reader()
    missing = reader.read(request)
    assert missing.job is None
    assert missing.digests[Path("fox.png")] is None
    assert missing.digests[scene]
    scene.write_text("brushes: [", encoding="utf-8")
    broken = reader.read(request, missing.digests)
    assert broken.wrong
    assert set(broken.digests) == {Path("fox.png"), scene}
    assert broken.digests[scene] != missing.digests[scene]


def test_a_random_seed_is_drawn_once(scene: Path) -> None:
    request, reader = Request([str(scene)], ["live.png"]), Reader()
    seeds = set()
    for size in (64, 72, 80):
        text = SCENE.replace("fox.png", "{rect: [8, 8, 40, 40]}").replace("64x64", f"{size}x64")
        scene.write_text(f"seed: random\n{text}", encoding="utf-8")
        job = reader.read(request).job
        assert job
        seeds.add(job.scene_file.scene.seed)
    assert len(seeds) == 1


def test_wrong_keys_and_missing_files_are_told_at_once(scene: Path) -> None:
    scene.write_text(SCENE.replace("size:", "sise:"), encoding="utf-8")
    wrong = Reader().read(Request([str(scene)], ["live.png"])).wrong
    assert isinstance(wrong, SceneError)
    assert [problem.message for problem in wrong.problems] == [
        "unknown key 'sise'",
        "there is no file 'fox.png'",
    ]


def test_a_missing_file_that_an_option_names_may_come(scene: Path) -> None:
    scene.write_text(SCENE.replace("size:", "sise:"), encoding="utf-8")
    mask = parse_override("brushes.1.mask=later.png")
    assert not Reader().read(Request([str(scene)], ["live.png"], [mask])).for_good
