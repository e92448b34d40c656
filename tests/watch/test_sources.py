"""What a reading of the files finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY
from PIL import Image, ImageDraw

from smd_cli.engine import layers
from smd_cli.errors import SceneError
from smd_cli.report.reporter import Reporter
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.paint import files
from smd_cli.watch.live import Studio
from smd_cli.watch.sources import SceneReader
from smd_cli.work.job import Job
from smd_cli.work.render import ModelHolder
from smd_cli.work.request import Machine, Request

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
    reader = SceneReader()
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
    request, reader = Request([str(scene)], ["live.png"]), SceneReader()
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
    wrong = SceneReader().read(Request([str(scene)], ["live.png"])).wrong
    assert isinstance(wrong, SceneError)
    assert [problem.message for problem in wrong.problems] == [
        "unknown key 'sise'",
        "there is no file 'fox.png'",
    ]


def test_a_missing_file_that_an_option_names_may_come(scene: Path) -> None:
    scene.write_text(SCENE.replace("size:", "sise:"), encoding="utf-8")
    mask = parse_override("brushes.1.mask=later.png")
    assert not SceneReader().read(Request([str(scene)], ["live.png"], [mask])).for_good


# What did not change is not made again

MASKS = ("fox.png", "owl.png", "tree.png")
FOREST = (
    SCENE[: SCENE.index("  - {prompt: an owl")]
    + """\
  - {prompt: an owl, mask: [owl.png, {rect: [40, 40, 20, 20]}]}
  - {prompt: a tree, mask: {image: tree.png, at: [0, 30]}}
sampler: {steps: 3}
defaults: {blur: 0}
"""
)


def draw(name: str, x: int) -> None:
    picture = Image.new("L", (64, 64))
    ImageDraw.Draw(picture).ellipse((x, 4, x + 16, 20), fill=255)
    picture.save(name)


@pytest.fixture
def forest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(MASKS):
        draw(name, 20 * number)
    Path("s.yaml").write_text(FOREST, encoding="utf-8")
    return Request(["s.yaml"], ["live.png"])


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done from now on: files read and decoded, shapes drawn, masks softened."""
    told: list[str] = []

    def count(owner: Any, name: str, what: Any) -> None:
        plain = getattr(owner, name)

        def counted(*given: Any, **more: Any) -> Any:
            told.append(what(*given))
            return plain(*given, **more)

        monkeypatch.setattr(owner, name, counted)

    count(files, "read_mask", lambda path, *_: f"decode {path}")
    count(files, "draw_shape", lambda *_: "draw")
    count(layers, "soften", lambda *_: "soften")
    count(layers, "bare_peak", lambda *_: "try")
    count(Path, "open", lambda path, *_: f"read {path.name}")
    return told


@contextmanager
def noted(done: list[str]) -> Iterator[list[str]]:
    """What is done within this."""
    done.clear()
    found: list[str] = []
    yield found
    found += sorted(one for one in done if "json" not in one and "txt" not in one)


def test_each_file_is_read_once_and_what_did_not_change_is_not_made_again(
    forest: Request, done: list[str]
) -> None:
    reader = SceneReader()
    reads = sorted(f"read {name}" for name in ("s.yaml", *MASKS))
    with noted(done) as first:
        reader.read(forest)
    assert first == sorted([*(f"decode {m}" for m in MASKS), "draw", *reads, *["soften"] * 3])
    with noted(done) as again:
        reader.look([Path("s.yaml"), *map(Path, MASKS)])
        reader.read(forest)
    assert again == reads
    draw("fox.png", 1)  # lies below the others: theirs stay as they are
    with noted(done) as edited:
        reader.read(forest)
    assert edited == sorted(["decode fox.png", *reads, "soften"])
    Path("s.yaml").write_text(FOREST.replace("an owl", "a hen"), encoding="utf-8")
    with noted(done) as reworded:
        reader.read(forest)
    assert reworded == reads


def test_a_saved_mask_is_read_by_its_content_not_by_its_name(
    forest: Request, done: list[str]
) -> None:
    reader = SceneReader()

    def paint() -> int:
        job = reader.read(forest).job
        assert job
        return int(job.painted.brushes[0].paint.window[1].start)

    assert paint() == 0
    draw("fox.png", 30)
    assert paint() == 30
    draw("fox.png", 0)
    with noted(done) as back:
        assert paint() == 0
    assert "decode fox.png" in back  # only what the last reading used is kept


def test_why_a_brush_hardly_acts_is_not_worked_out_again(forest: Request, done: list[str]) -> None:
    """A brush under others is tried without them: once, while all that lies there stays."""
    Path("s.yaml").write_text(FOREST.replace("at: [0, 30]", "invert: true"), encoding="utf-8")
    reader, reads = SceneReader(), sorted(f"read {name}" for name in ("s.yaml", *MASKS))
    with noted(done) as first:
        reader.read(forest)
    assert "try" in first
    with noted(done) as again:
        reader.read(forest)
    assert again == reads


def test_what_cannot_be_read_does_not_make_the_others_anew(
    forest: Request, done: list[str]
) -> None:
    reader = SceneReader()
    reader.read(forest)
    whole = Path("fox.png").read_bytes()
    for _ in range(2):
        Path("fox.png").write_bytes(whole[:60])
        assert reader.read(forest).job is None
    Path("fox.png").write_bytes(whole)
    with noted(done) as mended:
        assert reader.read(forest).job
    assert mended == sorted(f"read {name}" for name in ("s.yaml", *MASKS))


def test_the_plan_takes_the_masks_that_were_checked(forest: Request, done: list[str]) -> None:
    models = ModelHolder(Machine("cpu"), Reporter(quiet=True))
    reader, studio = SceneReader(soft_masks=models.soft_masks), Studio(models)

    def read() -> Job:
        job = reader.read(forest).job
        assert job
        return job

    job = read()
    with noted(done) as planned:
        plans, _ = studio.plans(job)
    assert "soften" not in planned
    alone, _ = Studio(ModelHolder(Machine("cpu"), Reporter(quiet=True))).plans(job)
    assert (plans.first.weights.dense() == alone.first.weights.dense()).all()
    draw("fox.png", 1)
    with noted(done) as edited:
        studio.plans(read())
    assert edited.count("soften") == 1
