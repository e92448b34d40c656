"""Every flow-matching family against diffusers' own pipeline of it, from the scene file on."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Smd
from engine.scenes import relative
from PIL import Image

from smd_cli.backbone.loading.load import load_backbone
from smd_cli.backbone.quiet import quiet
from smd_cli.engine.contract import Backbone
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.models.configs import read_object
from smd_cli.models.families import recognised
from smd_cli.models.ref import ModelRef
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

from .tiny_flows import FLOWS

PROMPTS = ("a red fox", "an owl in the meadow under a blue sky")
SIZES = ("64x96", "128x96")


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the tiny models, each made when it is first asked for."""
    folder = tmp_path_factory.mktemp("flows")

    class Made(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = FLOWS[name](folder / name)
            return self[name]

    return Made()


@functools.cache
def loaded(model: ModelRef) -> Backbone:
    return load_backbone(model, "cpu", "fp32")


@functools.cache
def pipeline(folder: Path) -> Any:
    from diffusers import DiffusionPipeline

    index = read_object(folder / "model_index.json") or {}
    absent = {name: None for name, held in index.items() if held == [None, None]}
    with quiet():
        made = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **absent)
    made.set_progress_bar_config(disable=True)
    return made


def scale_of(folder: Path, scale: float) -> float:
    family = recognised(read_object(folder / "model_index.json") or {})
    assert family is not None
    return scale - 1 + family.guidance_off


@pytest.mark.parametrize("guidance", [1.0, 1.7])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", FLOWS)
def test_one_brush_is_diffusers_own_picture(
    name: str, prompt: str, size: str, guidance: float, flows: dict[str, Path], tmp_path: Path
) -> None:
    """Euler's steps from one noise come to the same latents, however long prompt and canvas."""
    folder = flows[name]
    kind = "none" if guidance == 1 else "full"
    scene = tmp_path / "s.yaml"
    scene.write_text(
        f"model: {folder}\nsize: {size}\nbrushes:\n"
        f"  - {{prompt: {prompt}, blur: 0, mask: {{rect: [0, 0, 100%, 100%]}}}}\n"
        "sampler: {steps: 3, windows: off, bootstrap: {steps: 0}, "
        f"guidance: {{type: {kind}, scale: {guidance}}}}}\n"
    )
    file = load_scene(str(scene))
    painted = paint_scene(file)
    backbone = loaded(file.scene.model)
    plan = Planner(backbone).plan(file.scene, painted.brushes, painted.size)
    generator = torch.Generator().manual_seed(0)  # what the pipeline draws, where it draws any
    drawn = torch.randn(3, 1, *plan.background.shape, generator=generator)[:2, 0]
    plan = replace(plan, slot_noise=torch.cat([plan.slot_noise[:1], drawn]))
    ours = next(single(lambda _: plan, backbone, 1)).latents
    width, height = painted.size
    with torch.inference_mode():
        pipe = pipeline(folder)
        more = {
            "use_resolution_binning": False,
            "intermediate_timesteps": None,
            "true_cfg_scale": 1.0 if backbone.embeds_guidance else guidance,
            "negative_prompt": None if guidance == 1 else "",
            "generator": torch.Generator().manual_seed(0),
        }
        known = inspect.signature(pipe.__call__).parameters
        wanted = pipe(
            prompt=prompt,
            width=width,
            height=height,
            num_inference_steps=3,
            guidance_scale=scale_of(folder, guidance),
            latents=backbone.as_taken(plan.start_noise(0)[None]),
            output_type="latent",
            **{key: value for key, value in more.items() if key in known},
        ).images
    assert relative(backbone.as_given(ours[None])[0], wanted[0]) <= 1e-4


@pytest.mark.parametrize("name", FLOWS)
def test_a_scene_through_the_command(
    name: str, flows: dict[str, Path], tmp_path: Path, smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts of different lengths, strength, a painted background, bootstrapping, a stream."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(
        f"model: {flows[name]}\nsize: 96x64\nbackground: a meadow\nbrushes:\n"
        f"  - {{prompt: {PROMPTS[0]}, strength: 0.8, mask: {{rect: [0, 0, 50%, 100%]}}}}\n"
        f"  - {{prompt: {PROMPTS[1]}, mask: {{ellipse: [40%, 20%, 50%, 50%]}}}}\n"
        "sampler: {steps: 3}\n"
    )
    done = smd(["render", "s.yaml", "-n", "2", "--schedule", "stream", "-o", "%02d.png"])
    assert done.code == 0, done.err
    alone = smd(["render", "s.yaml", "-n", "2", "--schedule", "single", "-o", "s%02d.png"])
    assert alone.code == 0, alone.err
    for number in range(2):
        with Image.open(f"{number:02d}.png") as one, Image.open(f"s{number:02d}.png") as other:
            assert one.size == (96, 64)
            pairs = zip(one.tobytes(), other.tobytes(), strict=True)
            assert max(abs(a - b) for a, b in pairs) <= 1
