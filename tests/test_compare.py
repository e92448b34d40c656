"""`smd compare`, and the slow baseline that it measures against."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from asked import whole_rows
from conftest import TINY, Smd
from PIL import Image

from smd_cli.engine.contract import Backbone
from smd_cli.engine.planner import Planner
from smd_cli.engine.schedule import ddim_timesteps
from smd_cli.engine.stream import single
from smd_cli.models.ref import ModelRef
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import MULTIDIFFUSION, Background, Bootstrap, Output, Scene
from smd_cli.work.compare import variants

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes: [{{name: fox, prompt: a fox, blur: 4, alpha: 0.99, mask: {{rect: [8, 8, 40, 40]}}}}]
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    return load_scene("s.yaml").scene


@pytest.mark.parametrize("steps", [5, 10, 50])
def test_ddim_timesteps_are_those_of_stable_diffusion(steps: int) -> None:
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler(timestep_spacing="leading", steps_offset=1)
    theirs.set_timesteps(steps)
    assert ddim_timesteps(steps) == tuple(theirs.timesteps.tolist())


def test_the_baseline_without_regions_is_diffusers_own_ddim(tiny: Backbone) -> None:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    sampler = replace(MULTIDIFFUSION, steps=6, bootstrap=Bootstrap(steps=0))
    scene = Scene(ModelRef("tiny"), Background("a fox", "blurry"), (), sampler, Output())
    plan = Planner(tiny).plan(scene, (), (64, 64))
    frame = next(single(lambda _: plan, tiny, 1))
    pipe = StableDiffusionPipeline.from_pretrained(TINY)
    pipe.scheduler = DDIMScheduler.from_config(
        pipe.scheduler.config, set_alpha_to_one=True, steps_offset=1, clip_sample=False
    )
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        "a fox",
        negative_prompt="blurry",
        guidance_scale=7.5,
        num_inference_steps=6,
        latents=plan.start_noise(0)[None],
        output_type="latent",
        width=64,
        height=64,
    ).images[0]
    assert float((frame.latents - theirs).abs().max() / theirs.std()) < 1e-4


def test_the_baseline_is_a_sampler_of_the_scene(scene: Scene) -> None:
    slow = SCENE + "sampler: {method: multidiffusion}\n"
    Path("slow.yaml").write_text(slow, encoding="utf-8")
    assert load_scene("slow.yaml").scene == replace(scene, sampler=MULTIDIFFUSION)


def test_the_baseline_averages_what_every_brush_would_go_on_with(
    scene: Scene, tiny: Backbone
) -> None:
    """Two slots by hand: DDIM steps of both brushes, averaged by hard masks."""
    from smd_cli.scene.paint.painted import paint_scene

    file = load_scene("s.yaml")
    sampler = replace(MULTIDIFFUSION, steps=2, bootstrap=Bootstrap(steps=0))
    scene = replace(scene, sampler=sampler)
    layers = [
        replace(p, brush=replace(p.brush, blur_px=0.0, alpha=1.0))
        for p in paint_scene(file).brushes
    ]
    plan = Planner(tiny).plan(scene, layers, (64, 64))
    inside = torch.zeros(8, 8)
    inside[1:6, 1:6] = 1
    x = plan.start_noise(0)
    for slot in range(2):
        alpha, sigma = plan.table.alphas[slot], plan.table.sigmas[slot]
        later = (plan.table.alphas[1], plan.table.sigmas[1]) if slot == 0 else (1.0, 0.0)
        tau = plan.table.timesteps[slot]
        twice = torch.stack([x, x])
        with torch.inference_mode():
            told = tiny.encode_prompts(["a meadow", "a fox"])
            conditional = tiny.predict(whole_rows(twice, [tau] * 2, told))
            # strength 0.95 mixes the background's prompt in
            mixed = tiny.encode_prompts(["a meadow"]).mix(tiny.encode_prompts(["a fox"]), 0.95)
            conditional[1:] = tiny.predict(whole_rows(x[None], [tau], mixed))
            negative = tiny.predict(whole_rows(twice, [tau] * 2, tiny.encode_prompts(["", ""])))
        e = negative + 7.5 * (conditional - negative)
        x0 = (x - sigma * e) / alpha
        ahead = later[0] * x0 + later[1] * e
        x = torch.where(inside > 0, ahead[1], ahead[0])
    ours = next(single(lambda _: plan, tiny, 1)).latents
    assert float((ours - x).abs().max() / x.std()) < 1e-4


def test_each_variant_adds_one_thing(scene: Scene) -> None:
    slow, plain, averaged, booted, full = [v.scene for v in variants(scene)]
    assert slow.sampler == MULTIDIFFUSION
    assert (plain.sampler.preaverage, plain.sampler.bootstrap.steps) == (False, 0)
    assert averaged.sampler == replace(plain.sampler, preaverage=True)
    assert booted.sampler == replace(averaged.sampler, bootstrap=Bootstrap())
    assert full == scene
    for hard in (slow, plain, averaged, booted):
        assert [(b.blur_px, b.alpha) for b in hard.brushes] == [(0.0, 1.0)]


def test_the_sheet_shows_every_variant(smd: Smd, scene: Scene) -> None:
    result = smd(["compare", "s.yaml", "-o", "sheet.png", "--set", "sampler.steps=2"])
    assert (result.code, result.out) == (0, "sheet.png\n")
    labels = [v.label for v in variants(scene)]
    told = [line.split(": ")[0] for line in result.err.splitlines()]
    assert told == labels
    with Image.open("sheet.png") as sheet:
        columns = [sheet.crop((left, 12, left + 64, 76)) for left in _lefts(sheet.width)]
        assert len({column.tobytes() for column in columns}) == len(labels)


def _lefts(width: int) -> list[int]:
    cell = (width - 12) // 5
    return [12 + cell * column for column in range(5)]


@pytest.mark.usefixtures("scene")
@pytest.mark.slow
def test_the_last_column_is_what_render_makes(smd: Smd) -> None:
    assert smd(["compare", "s.yaml", "-q", "-o", "sheet.png"]).code == 0
    assert smd(["render", "s.yaml", "-q", "-o", "own.png"]).code == 0
    with Image.open("sheet.png") as sheet, Image.open("own.png") as own:
        left = _lefts(sheet.width)[-1]
        assert sheet.crop((left, 12, left + 64, 76)).tobytes() == own.tobytes()


@pytest.mark.usefixtures("scene")
def test_figures_and_a_picture_do_not_share_stdout(smd: Smd) -> None:
    result = smd(["compare", "s.yaml", "--json", "-o", "-"])
    assert result.code == 2
    assert result.err == (
        "error: --json and -o - both want stdout\nhint: write the picture to a file\n"
    )


@pytest.mark.usefixtures("scene")
@pytest.mark.slow
def test_figures_as_json(smd: Smd) -> None:
    result = smd(["compare", "s.yaml", "--json", "--set", "sampler.steps=2"])
    events = [json.loads(line) for line in result.out.splitlines()]
    found = {e["label"]: e["rows"] for e in events if e["type"] == "variant"}
    # two brushes, one row each a slot; the baseline has 50 slots and negative rows too
    assert list(found.values()) == [200, 4, 4, 4, 4]
    assert events[-1]["type"] == "result"
    assert (events[-1]["scene"], events[-1]["path"]) == ("s", "s-compared.png")


@pytest.mark.usefixtures("scene")
def test_the_first_frame_of_a_film_is_compared_without_ado(
    smd: Smd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said of the frames after it, of which none is asked for."""
    from smd_cli.work import compare

    few = replace(MULTIDIFFUSION, steps=1, bootstrap=Bootstrap(0))
    monkeypatch.setattr(compare, "MULTIDIFFUSION", few)
    for number in range(3):
        Image.new("L", (64, 64), 80 * number + 80).save(f"m-{number}.png")
    text = SCENE.replace("rect: [8, 8, 40, 40]", "image: m-%d.png").replace(
        "alpha: 0.99", "strength: {0: 1, 2: 0.5}"
    )
    Path("s.yaml").write_text(f"{text}frames: 3\n", encoding="utf-8")
    told = smd(["compare", "s.yaml", "-o", "c.png", "--json"])
    assert told.code == 0, told.err
    events = [json.loads(line) for line in told.out.splitlines()]
    said = [str(e) for e in events if e["event"] not in ("shot", "result", "file", "start", "done")]
    assert not [one for one in said if "m-%d.png" in one or "key at frame" in one], said
    assert "is used" not in told.err + told.out
    with Image.open("c.png") as sheet:
        assert sheet.info["smd:frame"] == "0 of 3"
