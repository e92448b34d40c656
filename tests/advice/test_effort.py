"""The work that `smd check` tells is that of the plan, row by row and cell by cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY
from PIL import Image
from torch import Tensor

from smd_cli.backbone.autoencoder import Autoencoder
from smd_cli.backbone.families.sd import StableDiffusion
from smd_cli.engine.contract import Conditioning
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.models.ref import ModelRef
from smd_cli.report.reporter import Reporter
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import NOT_WRAPPED, SceneFile, Wrapped
from smd_cli.work.advice.effort import Effort
from smd_cli.work.check import check_scene
from smd_cli.work.job import Job, picture_text
from smd_cli.work.render import ModelHolder
from smd_cli.work.request import Machine

SCENES = sorted((ROOT / "scenes").glob("*.yaml"))
MANY = """\
background: {prompt: grass}
defaults: {blur: 3}
brushes:
  - {prompt: a fox, mask: {rect: [0, 0, 60, 40]}}
  - {prompt: an owl, mask: {rect: [30, 20, 300, 30]}, alpha: 0.97}
  - {prompt: a tree, mask: {ellipse: [150, 150, 100, 90]}, blur: 0}
"""


@pytest.fixture(scope="module")
def models() -> Iterator[ModelHolder]:
    """Models that neither read nor look, which most of a plan's time goes to: it is as large."""

    def seen(self: Autoencoder, image: Tensor, wraps: Wrapped = NOT_WRAPPED) -> Tensor:
        del wraps
        cells = (side // self._factor for side in image.shape[-2:])
        return torch.zeros(len(image), self._vae.config.latent_channels, *cells)

    def read(self: StableDiffusion, prompts: Sequence[str], length: int = 0) -> Conditioning:
        width = self._text.encoder.config.hidden_size
        return Conditioning({"tokens": torch.zeros(len(prompts), max(length, 77), width)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Autoencoder, "encode", seen)
        patch.setattr(StableDiffusion, "encode_prompts", read)
        yield ModelHolder(Machine("cpu"), Reporter(quiet=True))


def loaded(path: Path, settings: Sequence[str] = ()) -> SceneFile:
    return load_scene(str(path), [parse_override(setting) for setting in settings])


def planned(file: SceneFile, planner: Planner) -> Plan:
    painted = paint_scene(file)
    return planner.plan(file.scene, painted.brushes, painted.size, painted.picture)


def compared(path: Path, settings: Sequence[str], models: ModelHolder) -> Effort:
    """The effort of a scene, which is that of its plan and of its plan without windows."""
    effort = compared_alone(path, settings, models)
    off = loaded(path, [*settings, "sampler.windows=off"])
    assert effort.cells_off == planned(off, models.planner(off.scene.model)).cells
    return effort


def compared_alone(path: Path, settings: Sequence[str], models: ModelHolder) -> Effort:
    """The effort of a scene, which is that of its plan."""
    file = loaded(path, settings)
    plan, effort = planned(file, models.planner(file.scene.model)), check_scene(file).effort
    assert (effort.rows, effort.cells) == (plan.rows, plan.cells)
    windows = [w for slot in range(plan.table.slots) for _, w in plan.seen_in(slot)]
    assert effort.sides_px == tuple(sorted({plan.factor * s for w in windows for s in w.shape}))
    return effort


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_shipped_scenes(path: Path, models: ModelHolder) -> None:
    effort = compared(path, [], models)
    assert effort.least_px == 192
    assert str(effort).startswith(f"work: {effort.rows} rows a frame in windows of ")
    if path.stem in ("desert", "garden", "meadow", "night-sea"):  # on the model's own canvas
        assert 0.5 < effort.share < 0.9
        assert effort.sides_px == (192, 256)


@pytest.mark.parametrize(
    "settings",
    [
        ["size=250x171"],
        ["size=700x300", "sampler.guidance.type=full", "sampler.guidance.scale=2"],
        ["size=300x300", "sampler.guidance.type=initialize", "sampler.guidance.scale=2"],
        ["size=512x300", "sampler.preset=paper", "sampler.steps=5"],
        ["size=400x400", "sampler.windows=256", "sampler.bootstrap.leak=0.2"],
        ["size=400x400", "background=white", "sampler.mask_type=discrete"],
        ["size=400x400", "sampler.method=multidiffusion", "sampler.steps=4"],
        ["size=400x400", "sampler.method=multidiffusion", "sampler.windows=auto"],
        ["size=400x400", "sampler.blend_after=bootstrap"],
        ["size=400x400", "sampler.blend_after=4", "sampler.guidance.type=full"],
        ["size=416x384", "wrap=x"],
        ["size=384x384", "wrap=both", "sampler.blend_after=bootstrap"],
        ["size=400x400", "defaults.repaint=0.6"],
        ["size=400x400", "defaults.repaint=0.6", "sampler.blend_after=bootstrap"],
    ],
)
@pytest.mark.parametrize("model", ["starter", str(TINY)])
def test_any_canvas_and_sampler(
    settings: Sequence[str], model: str, models: ModelHolder, tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text(f"model: {model}\n{MANY}", encoding="utf-8")
    compared(tmp_path / "s.yaml", settings, models)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["background.prompt=grass", "background.repaint=0.6"],
        ["sampler.windows=off"],
        ["sampler.blend_after=bootstrap"],
    ],
)
def test_the_part_of_a_picture(
    settings: Sequence[str], models: ModelHolder, tmp_path: Path
) -> None:
    Image.new("RGB", (900, 700), (90, 120, 60)).save(tmp_path / "photo.png")
    text = "background: {image: photo.png}\nbrushes:\n"
    text += "  - {prompt: a fox, mask: {rect: [300, 200, 250, 220]}, alpha: 0.97}\n"
    text += "  - {prompt: an owl, mask: {ellipse: [450, 250, 120, 110]}}\n"
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    compared(tmp_path / "s.yaml", settings, models)
    compared_alone(tmp_path / "s.yaml", ["sampler.windows=256"], models)  # at full scale


def test_a_network_that_takes_the_guidance_scale_has_no_negative_rows(tmp_path: Path) -> None:
    tiny = tmp_path / "lcm"
    shutil.copytree(TINY, tiny)
    config = tiny / "unet" / "config.json"
    told = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**told, "time_cond_proj_dim": 8}), encoding="utf-8")
    (tmp_path / "s.yaml").write_text(f"model: {tiny}\n{MANY}", encoding="utf-8")
    file = loaded(tmp_path / "s.yaml", ["size=256x256", "sampler.guidance.type=full"])
    alone = loaded(tmp_path / "s.yaml", ["size=256x256", "sampler.guidance.type=none"])
    assert check_scene(file).effort == check_scene(alone).effort


def text_of(path: Path, *settings: str) -> dict[str, str]:
    file = loaded(path, settings)
    report = check_scene(file)
    job = Job(file, paint_scene(file), (), (), (), report.effort.least_px)
    return picture_text(job, 0, "single")


def test_a_picture_tells_the_windows_that_its_model_chose() -> None:
    meadow = ROOT / "scenes" / "meadow.yaml"
    assert text_of(meadow)["smd:windows"] == "192"
    for said in ("sampler.windows=off", "sampler.windows=224", "sampler.preset=paper"):
        assert "smd:windows" not in text_of(meadow, said)


def test_the_side_that_is_told_stands_for_auto(models: ModelHolder) -> None:
    meadow = ROOT / "scenes" / "meadow.yaml"
    auto, told = loaded(meadow), loaded(meadow, ["sampler.windows=192"])
    assert isinstance(auto.scene.model, ModelRef)
    planner = models.planner(auto.scene.model)
    plans = [planned(file, planner) for file in (auto, told)]
    seen = [[[(w.corner, w.shape) for w in own] for s in p.windows for own in s] for p in plans]
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("effort", "line"),
    [
        (Effort(17, 73, 100, (192, 224, 256), 192), "17 rows a frame in windows of 192, 224 and "),
        (Effort(1, 100, 100, (256,), None), "1 row a frame, each of the whole canvas"),
        (Effort(3, 50, 100, (192,), 192), "3 rows a frame in windows of 192 px, 0.50 of windows: "),
        (Effort(0, 0, 0, (), None), "0 rows a frame"),
    ],
)
def test_the_line(effort: Effort, line: str) -> None:
    assert str(effort).startswith(f"work: {line}")
