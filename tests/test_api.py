"""`import smd_cli as smd`: what Python gets is what the command line gives."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, TINY, Smd
from PIL import Image
from test_readme import blocks
from watch.follow import disc, text_of

import smd_cli as smd
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.work import render

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
seed: 5
frames: 3
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
defaults: {{blur: 0}}
sampler: {{steps: 2, noise: walk}}
"""
MAPPING = {
    "model": TINY,
    "size": (64, 64),
    "background": "a meadow",
    "seed": 5,
    "frames": 3,
    "brushes": [{"name": "fox", "prompt": "a fox", "mask": Path("fox.png")}],
    "defaults": {"blur": 0},
    "sampler": {"steps": 2, "noise": "walk"},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Scene and mask in the current folder; gives what is noted of every model that is loaded."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.png")
    loaded: list[object] = []

    def load(model: object, *_: object, **__: object) -> Backbone:
        loaded.append(model)
        return tiny

    monkeypatch.setattr(render, "load_backbone", load)
    return loaded


def pixels(picture: Path | smd.Rendered) -> Any:
    """The pixels of a frame, or of a file."""
    if isinstance(picture, smd.Rendered):
        return np.asarray(picture.image)
    with Image.open(picture) as image:
        return np.asarray(image)


def test_a_scene_comes_in_any_form() -> None:
    forms: list[Any] = ["s.yaml", Path("s.yaml"), SCENE, MAPPING]
    scenes = [smd.load_scene(form).scene for form in forms]
    scenes += [smd.load_scene(smd.load_scene("s.yaml")).scene]
    assert all(scene == scenes[0] for scene in scenes)
    Path("deep").mkdir()
    disc(9).save("deep/fox.png")
    [mask] = smd.load_scene(MAPPING, folder="deep").scene.pictures
    assert mask == Path("deep/fox.png")
    assert smd.load_scene("background: a sea").scene.background.prompt == "a sea"


def test_changes_are_those_of_the_command_line() -> None:
    changes = {
        "brushes.fox.prompt": 'two\nlines: of "quotes" #1',
        "brushes.fox.mask": [{"rect": [0, 0, "50%", 9]}, Path("fox.png")],
        "background": {"prompt": "12", "color": "red"},
        "seed": 7,
    }
    file = smd.load_scene("s.yaml", changes)
    again = smd.load_scene(smd.load_scene("s.yaml", {"seed": 9}), changes)
    for scene in (file.scene, again.scene):
        assert scene.brushes[0].prompt == changes["brushes.fox.prompt"]
        assert len(scene.brushes[0].mask) == 2
        assert (scene.background.prompt, scene.seed) == ("12", 7)
    with pytest.raises(smd.SceneError, match="unknown key 'promt'"):
        smd.load_scene("s.yaml", {"brushes.fox.promt": "x"})
    with pytest.raises(smd.SmdError, match="changes of seed: set is no value of a scene"):
        smd.load_scene("s.yaml", {"seed": {1}})


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        (None, "a scene is a file's path, its text or a mapping, not NoneType"),
        (b"background: sea", "a scene is a file's path, its text or a mapping, not bytes"),
        ({"background": {"color": object()}}, "a scene: object is no value of a scene"),
    ],
)
def test_what_is_no_scene_is_told(scene: Any, told: str) -> None:
    with pytest.raises(smd.SmdError, match=told):
        smd.load_scene(scene)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("seed", 1)], "changes are a mapping of keys to values, not list"),
        ({5: 1}, "unknown key '5'"),
        ({"brushes.fox.prompt": None}, "changes of brushes.fox.prompt: None is no value"),
    ],
)
def test_what_is_no_change_is_told(changes: Any, told: str) -> None:
    with pytest.raises(smd.SmdError, match=told):
        smd.load_scene(MAPPING, changes)


def test_numbers_may_be_those_of_numpy() -> None:
    file = smd.load_scene({**MAPPING, "seed": np.int64(7)}, {"brushes.fox.alpha": np.float32(0.5)})
    assert (file.scene.seed, file.scene.brushes[0].alpha) == (7, 0.5)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"frame": -1}, "frame must be a whole number, 0 or more, not -1"),
        ({"frame": "1"}, "frame must be a whole number, 0 or more, not '1'"),
        ({"model": "starter"}, "model is what open_model gives, not str"),
    ],
)
def test_render_refuses_what_it_cannot_do(how: Any, told: str) -> None:
    with pytest.raises(smd.SmdError, match=told):
        smd.render("s.yaml", **how)


def test_a_drawn_seed_stays() -> None:
    file = smd.load_scene("s.yaml", {"seed": "random"})
    assert smd.load_scene(file, {"background": "a sea"}).scene.seed == file.scene.seed


def test_errors_have_their_place() -> None:
    with pytest.raises(smd.SceneError) as caught:
        smd.load_scene(SCENE.replace("prompt", "promt"))
    assert str(caught.value).startswith("scene:7:17: error: unknown key 'promt'")
    with pytest.raises(smd.SceneError, match="there is no such file"):
        smd.load_scene("gone.yaml")


def test_check_is_the_command() -> None:
    report = smd.check("s.yaml")
    assert report.brushes[0].label == "fox"
    assert json.dumps(report.as_json())
    assert report.lines()[0].startswith("s.yaml: 64x64 px")


def test_render_gives_what_the_command_writes(smd_: Smd) -> None:
    assert smd_(["render", "s.yaml", "-o", "cli-%d.png", "-o", "cli.gif"]).code == 0
    frames = smd.render("s.yaml", "api-%d.png", Path("api.gif"))
    assert [frame.index for frame in frames] == [0, 1, 2]
    for frame in frames:
        written = Path(f"api-{frame.index}.png")
        assert written.read_bytes() == Path(f"cli-{frame.index}.png").read_bytes()
        assert np.array_equal(pixels(frame), pixels(written))
    assert Path("api.gif").read_bytes() == Path("cli.gif").read_bytes()
    [alone] = smd.render("s.yaml", frame=2)
    assert np.array_equal(pixels(alone), pixels(frames[2]))
    assert not Path("s.png").exists()


def test_a_frame_is_saved_with_its_recipe(smd_: Smd) -> None:
    [frame, *_] = smd.render("s.yaml")
    frame.save("a.png")
    frame.save(Path("a.jpg"), quality=50)
    told = text_of(Path("a.png"))
    assert (told["smd:frame"], told["smd:from"]) == ("0 of 3", "s.yaml")
    assert frame._repr_png_().startswith(b"\x89PNG")
    assert smd_(["rerun", "a.png", "-o", "again.png"]).code == 0
    assert np.array_equal(pixels(Path("again.png")), pixels(frame))
    with pytest.raises(smd.SmdError, match="a frame is saved as"):
        frame.save("a.gif")


def test_one_model_paints_many_scenes(folder: list[object]) -> None:
    model = smd.open_model(str(TINY))
    assert (model.name, model.device) == (str(TINY), "cpu")
    for seed in (1, 2):
        smd.render("s.yaml", model=model, changes={"seed": seed}, frame=0)
    other = {**MAPPING, "model": "starter", "brushes": []}
    [frame, *_] = smd.render(other, model=model)
    with smd.stream("s.yaml", model=model, frames=2) as frames:
        assert len(list(frames)) == 2
    assert len(folder) == 1
    assert frame.text["smd:overrides"] == "model=tiny-sd"


def test_a_stream_gives_the_frames_of_the_film() -> None:
    film = smd.render("s.yaml")
    frames = list(smd.stream("s.yaml", frames=3))
    for one, other in zip(film, frames, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(other)).max() <= 1


def test_a_stream_goes_on_by_another_scene() -> None:
    """A frame after the change is the same frame of the new scene, as that is painted alone."""
    new = {"background": "a sea", "brushes.fox.mask": {"rect": [0, 0, 30, 30]}}
    with smd.stream("s.yaml") as frames:
        first = [next(frames) for _ in range(2)]
        assert frames.update(changes=new).scene.background.prompt == "a sea"
        second = [next(frames) for _ in range(2)]
    assert [frame.index for frame in (*first, *second)] == [0, 1, 2, 3]
    assert "a sea" in second[0].text["smd:overrides"]
    [alone] = smd.render("s.yaml", changes=new, frame=2)
    apart = np.abs(pixels(alone).astype(int) - pixels(second[0]))
    assert apart.max() <= 1
    assert next(frames, None) is None


def test_a_wrong_update_leaves_all_as_it_was() -> None:
    frames = smd.stream("s.yaml", {"seed": "random"}, blend=True)
    seed = frames.scene.scene.seed
    next(frames)
    with pytest.raises(smd.SceneError):
        frames.update(changes={"seed": "x"})
    with pytest.raises(smd.SmdError, match="the scene's model is starter, and this one is"):
        frames.update(changes={"model": "starter"})
    frames.update(changes={"background": "a sea"})
    assert (next(frames).index, frames.scene.scene.seed) == (1, seed)
    frames.close()
    assert list(frames) == []


@pytest.mark.parametrize("frames", [0, -1])
def test_a_stream_of_nothing_is_refused(frames: int) -> None:
    with pytest.raises(smd.SmdError, match="frames must be a whole number, 1 or more"):
        smd.stream("s.yaml", frames=frames)


def test_threads_share_a_model() -> None:
    model = smd.open_model(str(TINY))
    alone = [smd.render("s.yaml", model=model, changes={"seed": k})[0] for k in range(3)]
    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(smd.render, "s.yaml", model=model, changes={"seed": k}) for k in range(3)
        ]
        together = [job.result()[0] for job in jobs]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(pixels(one), pixels(other))


def test_an_event_loop_goes_on_meanwhile() -> None:
    ticks = []

    async def clock() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0)

    async def main() -> list[int]:
        ticking = asyncio.create_task(clock())
        indices = []
        async for frame in smd.stream("s.yaml", frames=3):
            indices.append(frame.index)
        smd.render("s.yaml", frame=0)  # within a running loop, as in a notebook's cell
        ticking.cancel()
        return indices

    assert asyncio.run(main()) == [0, 1, 2]
    assert len(ticks) > 3


def test_importing_it_is_light() -> None:
    code = (
        "import sys, smd_cli as smd\n"
        "assert not {'PIL', 'yaml'} & set(sys.modules)\n"
        "report = smd.check('background: grass')\n"
        "assert report.size == (256, 256), report\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'imageio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert {'render', 'Model'} <= {*dir(smd)}\n"
        "smd.nothing\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr.endswith("AttributeError: module 'smd_cli' has no attribute 'nothing'\n")


def test_everything_it_offers_is_there() -> None:
    for name in smd.__all__:
        assert getattr(smd, name).__doc__
    assert (ROOT / "smd_cli" / "py.typed").exists()


@pytest.fixture(name="smd_")
def _smd(smd: Smd) -> Smd:
    """The command line, where the module has its name."""
    return smd


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.count("\n"))
def test_the_python_in_the_readmes_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the starter model; what it shows is counted."""
    monkeypatch.setattr(render, "load_backbone", load_backbone)
    shutil.copytree(ROOT / "scenes", tmp_path / "scenes")
    seen: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "show", lambda image: seen.append(image))
    exec(compile(code, "README.md", "exec"), {})
    assert len(seen) == 2
    assert np.abs(np.asarray(seen[0]).astype(int) - np.asarray(seen[1])).max() > 20
