"""`smd check --resolved`: the whole scene, which is the same scene."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, TINY, Smd
from jsonschema import Draft7Validator
from PIL import Image
from watch.follow import disc

from smd_cli.scene.files import read_pictures
from smd_cli.scene.full import as_yaml
from smd_cli.scene.json_schema import scene_schema
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Brush, Channel, ImageMask, MaskPart, Scene, SceneFile

SCENES = sorted((ROOT / "scenes").glob("*.yaml"))
MOVING = f"""\
model: {{name: {TINY}, clip_skip: 1}}
size: 64x64
seed: random
frames: 9
prompt: {{suffix: ", 1e3"}}
defaults: {{negative: "no: # dog", blur: 3}}
background: {{prompt: {{0: a meadow, 50%: "yes"}}, color: navy}}
brushes:
  - name: "fox = red"
    prompt: {{0: a fox, 8: a wolf, ease: in-out}}
    mask: {{image: masks/fox.png, move: {{0: [0, 5%], 33.5%: [4, 10%]}}}}
    alpha: {{0: 0.5, 8: 1}}
  - {{prompt: off, mask: [{{rect: [0, 0, 9, 9]}}, masks/fox.png], enabled: false}}
  - {{prompt: "1e3", mask: {{polygon: [[0, 0], [50%, 9], [9, 50%]], invert: true}}, seed: 3}}
sampler: {{steps: 2, guidance: {{type: self, scale: 2}}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "work"
    (here / "proj" / "masks").mkdir(parents=True)
    monkeypatch.chdir(here)
    Path("proj/s.yaml").write_text(MOVING, encoding="utf-8")
    disc(20).save("proj/masks/fox.png")
    disc(44).save("it's.png")
    return here


def comparable(file: SceneFile, painted: PaintedScene) -> Scene:
    """A scene with what its resolved form says: canvas, channels and a seed that was drawn."""
    channels = {one.brush.number: one.channels for one in painted.brushes}

    def part(mask: MaskPart, channel: Channel | None) -> MaskPart:
        if not isinstance(mask, ImageMask):
            return mask
        same = replace(mask, written="", path=mask.path.resolve())
        return replace(same, channel=mask.channel or channel)

    def brush(one: Brush) -> Brush:
        unread: tuple[Channel | None, ...] = (None,) * len(one.mask)
        found = channels.get(one.number, unread)
        return replace(one, mask=tuple(map(part, one.mask, found)))

    scene = replace(file.scene, size=painted.size, seed_was_random=False)
    return replace(scene, brushes=tuple(map(brush, scene.brushes)))


def resolved(smd: Smd, scene: Path, *options: str) -> SceneFile:
    """The scene that `--resolved` prints, read from a file beside the other."""
    result = smd(["check", str(scene), "--resolved", *options])
    assert (result.code, result.err) == (0, "")
    beside = scene.with_name("resolved.yaml")
    beside.write_text(result.out, encoding="utf-8")
    return load_scene(str(beside))


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_a_shipped_scene_is_the_same_in_full(scene: Path, smd: Smd, tmp_path: Path) -> None:
    copy = tmp_path / "scenes"
    shutil.copytree(scene.parent, copy, ignore=shutil.ignore_patterns("pictures"))
    whole = resolved(smd, copy / scene.name)
    before = load_scene(str(copy / scene.name))
    painted = read_pictures(before)
    assert comparable(whole, painted) == comparable(before, painted)
    assert whole.scene.size == painted.size
    assert smd(["check", str(copy / "resolved.yaml")]).err == ""
    assert not list(Draft7Validator(scene_schema()).iter_errors(yaml.safe_load(whole.text)))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--set", "brushes.3.mask=it's.png", "--set", "brushes.3.prompt=12"],
        ["--set", 'brushes.2.mask=["it\'s.png", {ellipse: [0, 0, 9, 9]}]'],
        ["--set", "background=a: b", "--set", "prompt.prefix='yes '"],
        ["--without", "3", "--size", "128x128", "--set", "sampler.preset=paper"],
        ["--set", "sampler.method=multidiffusion"],
        ["--set", 'brushes.1.prompt="\\u0007 \\"quotes\\"\nand: #lines"'],
    ],
)
@pytest.mark.usefixtures("folder")
def test_any_scene_is_the_same_in_full(options: list[str], smd: Smd) -> None:
    path = Path("proj/s.yaml")
    seed = ["--set", "seed=99"]
    sugar = {"--size": "size=", "--set": ""}
    pairs = zip(options[::2], options[1::2], strict=True)
    changes = [sugar[option] + value for option, value in pairs if option in sugar]
    made = [parse_override(change) for change in [*changes, *seed[1:]]]
    without = ["3"] if "--without" in options else []
    before = load_scene(str(path), made, without=without)
    painted = read_pictures(before)
    whole = resolved(smd, path, *options, *seed)
    assert comparable(whole, painted) == comparable(before, painted)


@pytest.mark.usefixtures("folder")
def test_every_key_with_a_default_is_there(smd: Smd) -> None:
    """By the schema, which tells defaults; a key under another of them, as its section has it."""
    whole = yaml.safe_load(resolved(smd, Path("proj/s.yaml")).text)
    lacking = [*_lacking(scene_schema(), whole)]
    assert lacking == []


def _lacking(schema: dict[str, object], data: dict[str, object]) -> list[str]:
    """Keys that the schema has a plain default for and that a mapping lacks."""
    properties = schema["properties"]
    assert isinstance(properties, dict)
    found = []
    for key, about in properties.items():
        if "default" in about and key not in data and about["default"] not in ([], 0):
            found.append(key)
        inner = data.get(key)
        if "properties" in about and isinstance(inner, dict):
            found += [f"{key}.{one}" for one in _lacking(about, inner)]
    return [key for key in found if key not in {"defaults", "background.repaint"}]


@pytest.mark.usefixtures("folder")
def test_both_render_the_same_picture(smd: Smd) -> None:
    options = ["--set", "seed=99", "-n", "3", "--frame", "2"]
    resolved(smd, Path("proj/s.yaml"), "--set", "seed=99")
    pixels = []
    for name in ("s", "resolved"):
        result = smd(["render", f"proj/{name}.yaml", "-o", f"{name}.png", *options])
        assert result.code == 0, result.err
        with Image.open(f"{name}.png") as picture:
            pixels.append(np.asarray(picture))
    assert np.array_equal(pixels[0], pixels[1])


@pytest.mark.usefixtures("folder")
def test_a_random_seed_is_the_one_that_was_drawn(smd: Smd) -> None:
    drawn = {resolved(smd, Path("proj/s.yaml")).scene.seed for _ in range(3)}
    assert len(drawn) == 3


@pytest.mark.usefixtures("folder")
def test_json_is_the_same_scene(smd: Smd) -> None:
    plain = smd(["check", "proj/s.yaml", "--resolved", "--set", "seed=1"]).out
    as_json = smd(["check", "proj/s.yaml", "--resolved", "--set", "seed=1", "--json"]).out
    assert json.loads(as_json) == yaml.safe_load(plain)
    two = smd(["check", "proj/s.yaml", "proj/s.yaml", "--resolved"])
    assert (two.code, "--resolved prints one scene" in two.err) == (2, True)


TEXTS: dict[str, Callable[[], str]] = {
    "words": lambda: "a fox",
    "number": lambda: "1e3",
    "word of YAML 1.1": lambda: "yes",
    "null": lambda: "null",
    "octal": lambda: "0o17",
    "colon": lambda: "a: b",
    "comment": lambda: "a #b",
    "lines": lambda: "a\n  b\n\n",
    "blanks": lambda: "  a  ",
    "signs": lambda: "\x07\u2028é🦊\\\"'",
    "long": lambda: "word " * 60,
    "nothing": lambda: "",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_the_same_text(name: str) -> None:
    from smd_cli.errors import Place
    from smd_cli.scene.text.nodes import parse_yaml

    text = TEXTS[name]()
    document = parse_yaml(as_yaml({"prompt": text}), lambda _: Place(""))
    assert document is not None
    assert document.root.children["prompt"].value == text
