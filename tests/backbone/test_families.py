"""Every family against diffusers' own pipeline of it, from the scene file on."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Smd
from engine.scenes import relative
from PIL import Image

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

from . import theirs
from .tiny_models import FAMILY_NAMES

PROMPT = "a red fox"
TRAILING = ("sd-turbo", "sdxl-turbo")
EMBEDDED = ("lcm", "sdxl-lcm")


def render(
    model: str, folder: Path, prompt: str = PROMPT, sampler: str = "", negative: str = ""
) -> tuple[Plan, torch.Tensor, Backbone]:
    """One brush over the whole canvas, without bootstrap: its plan, latents and backbone."""
    folder.mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(
        f"model: {model}\nsize: 80x64\nbrushes:\n"
        f"  - prompt: '{prompt}'\n    negative: '{negative}'\n"
        "    blur: 0\n    mask: {rect: [0, 0, 100%, 100%]}\n"
        f"sampler: {{bootstrap: {{steps: 0}}{sampler}}}\n"
    )
    scene = load_scene(str(folder / "s.yaml"))
    painted = paint_scene(scene)
    backbone = loaded(scene.scene.model)
    plan = Planner(backbone).plan(scene.scene, painted.brushes, painted.size, painted.picture)
    return plan, next(single(lambda _: plan, backbone, 1)).latents, backbone


@functools.cache
def loaded(model: ModelRef) -> Backbone:
    return load_backbone(model, "cpu", "fp32")


GUIDANCES: dict[str, tuple[str, float, dict[str, Any]]] = {
    "none": (", guidance: {type: none}", 1.0, {}),
    "full": (", guidance: {type: full, scale: 1.7}", 1.7, {"negative_prompt": "ugly"}),
    "full, no negative": (", guidance: {type: full, scale: 3}", 3.0, {}),
}


def once_in_a_while(name: str, guidance: str) -> list[pytest.MarkDecorator]:
    """Without a negative prompt, one model of each architecture is enough."""
    rare = guidance == "full, no negative" and name not in {"sd1", "sdxl"}
    return [pytest.mark.slow] * rare


@pytest.mark.parametrize(
    ("name", "guidance"),
    [
        pytest.param(name, guidance, marks=once_in_a_while(name, guidance))
        for name in FAMILY_NAMES
        for guidance in GUIDANCES
    ],
)
def test_one_brush_is_diffusers_own_picture(
    name: str,
    guidance: str,
    families: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, scale, more = GUIDANCES[guidance]
    negative = more.get("negative_prompt", "")
    ours, made, _ = render(str(families[name]), tmp_path, sampler=said, negative=negative)
    more = {} if name == "lcm" else more  # its pipeline knows no negative prompt
    wanted = theirs.latents(
        theirs.pipeline(name, families[name]), ours, PROMPT, scale, monkeypatch, **more
    )
    assert relative(made, wanted) <= 1e-4
    assert (ours.negative is None) == (guidance == "none" or name in EMBEDDED)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_the_baseline_is_ddim(
    name: str, families: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ", method: multidiffusion, steps: 4, guidance: {scale: 3}"
    ours, made, _ = render(str(families[name]), tmp_path, sampler=said)
    pipe = theirs.pipeline(name, families[name])
    assert relative(made, theirs.latents(pipe, ours, PROMPT, 3.0, monkeypatch)) <= 1e-4


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_the_sampler_is_the_checkpoints(
    name: str, families: dict[str, Path], tmp_path: Path
) -> None:
    """Trailing steps where they were trained, else LCM's; a full LCM is guided by its input."""
    ours, _, backbone = render(str(families[name]), tmp_path)
    trailing, lcm = (999, 749, 499, 249), (999, 919, 759, 499, 259)
    assert ours.table.timesteps == (trailing if name in TRAILING else lcm)
    assert ours.table.prediction == ("v_prediction" if name == "sd2" else "epsilon")
    assert (max(ours.table.c_skip) > 0) == (name not in TRAILING)
    assert backbone.embeds_guidance == (name in EMBEDDED)
    wanted = [8.5] if name in EMBEDDED else None
    told = ours.conditioning[0].get("guidance")
    assert (None if told is None else told.tolist()) == wanted
    assert ours.guidance.type == "none"


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_a_scene_through_the_command(
    name: str, families: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two brushes with strength over a prompted background, at the model's own size."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(
        f"model: {families[name]}\nbackground: a meadow\nbrushes:\n"
        "  - {prompt: a fox, strength: 0.8, mask: {rect: [0, 0, 50%, 100%]}}\n"
        "  - {prompt: an owl, mask: {ellipse: [40%, 20%, 50%, 50%]}}\n"
    )
    done = smd(["render", "s.yaml", "-n", "2", "-o", "%02d.png"])
    assert (done.code, done.out.split()) == (0, ["00.png", "01.png"]), done.err
    with Image.open("01.png") as first:
        assert first.size == (64, 64)


def test_strength_mixes_what_is_pooled(families: dict[str, Path]) -> None:
    backbone = loaded(ModelRef("sdxl", families["sdxl"]))
    below, fox = (backbone.encode_prompts([text]) for text in ("a meadow", PROMPT))
    mixed = below.mix(fox, 0.25)
    assert torch.allclose(mixed["pooled"], 0.75 * below["pooled"] + 0.25 * fox["pooled"], atol=1e-6)
