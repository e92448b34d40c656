"""The JSON Schema takes what the readers take, and rejects what they reject."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import ROOT, Smd
from test_broken_scenes import SCENES

from smd_cli.errors import SceneError
from smd_cli.scene.json_schema import scene_schema
from smd_cli.scene.keys.schema import KEYS
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Scene

MINIMAL: dict[str, Any] = {"model": "a/b", "background": "a meadow"}
BASE: dict[str, Any] = {
    "model": {"name": "a/b", "lora": [{"path": "a/b"}]},
    "size": "256x256",
    "defaults": {},
    "prompt": {},
    "background": {"prompt": "grass", "image": "p.png"},
    "brushes": [
        {"prompt": "a fox", "mask": {"image": "fox.png"}},
        {"prompt": "a fox", "mask": {"rect": [0, 0, 9, 9]}},
        {"prompt": "a fox", "mask": {"ellipse": [0, 0, 9, 9]}},
        {"prompt": "a fox", "mask": [{"polygon": [[0, 0], [9, 0], [0, 9]]}]},
    ],
    "sampler": {"bootstrap": {}, "guidance": {}},
    "output": {},
}
OF_BRUSHES = {"background", "brushes", "defaults", "prompt"}


@cache
def validator() -> Any:
    schema = scene_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def taken(scene: object) -> bool:
    """Whether the readers take a scene."""
    try:
        load(scene)
    except SceneError:
        return False
    return True


def load(scene: object) -> Scene:
    return load_scene("-", stdin=io.BytesIO(json.dumps(scene).encode())).scene


def changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """MINIMAL with what BASE has there, brushes where they matter, and a value at a path."""
    there = {key: BASE[key] for key in path[:1] if key in BASE}
    last = int(path[1]) if path[0] == "brushes" and len(path) > 1 else 0
    if path[0] in OF_BRUSHES:
        there["brushes"] = BASE["brushes"][: last + 1]
    scene: dict[str, Any] = json.loads(json.dumps({**MINIMAL, **there}))
    at: Any = scene
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return scene


SECTIONS: dict[str, tuple[str | int, ...]] = {
    "scene": (),
    "output": ("output",),
    "sampler": ("sampler",),
    "bootstrap": ("sampler", "bootstrap"),
    "guidance": ("sampler", "guidance"),
    "background": ("background",),
    "brush": ("brushes", 1),
    "defaults": ("defaults",),
    "prompt": ("prompt",),
    "mask": ("brushes", 0, "mask"),
    "model": ("model",),
    "lora": ("model", "lora", 0),
}
PATHS = [(*at, key) for name, at in SECTIONS.items() for key in KEYS[name] if key not in "rect"]
PATHS += [("brushes", 1, "mask", "rect"), ("brushes", 1, "mask", "invert")]
PATHS += [("brushes", 2, "mask", "ellipse"), ("brushes", 3, "mask", 0, "polygon")]
PATHS = [path for path in PATHS if path[-2:] not in {("mask", "ellipse"), ("mask", "polygon")}]
PATHS += [("brushes", 2, "mask", "ellipse")]

PROBES: list[object] = [
    *(None, True, -11, -10, -0.5, 0, 0.05, 0.1, 1, 1.5, 2, 10, 11, 12, 50, 51, 63, 64, 100, 101),
    *(240, 241, 999, 1000, 1001, 8192, 8193, 1_000_000, 1_000_001, 2**63 - 1, 2**63),
    *("", " ", "25%", "-3.5 %", "64x64", "x"),
    *("auto", "off", "paper", "never", "bootstrap", "random", "walk", "none"),
    *("loop", "drop", "contain", "luma", "red", "#ff0000", "#ff00", "y"),
    *("stream", "discrete", "initialize"),
    *("3", "fox 3", "a/b", [], {}, [1], [64, 64], [64, 63], [0, 0, 255], [0, 0, 256]),
    *([1, 2, 3, 4], ["1%", 2, "3%", 4], [[0, 0], [9, 0], [0, 9]], [[0, 0], [9, 0]]),
    *([999, 500], [1000, 500], {"name": "a/b"}, {"path": "a/b"}, ["a/b"], [{"path": "a/b"}]),
    *({"prompt": "x"}, {"image": "x.png"}, {"zoom": 1}, ["x.png"], [{"image": "x.png"}, "y.png"]),
]
# What a name means, and how keys go together, is no matter of a schema.
MEANT: set[tuple[str | int, ...]] = {
    *(
        ("model",),
        ("model", "name"),
        ("model", "vae"),
        ("model", "config"),
        ("model", "transformer"),
    ),
    *(("model", "lora"), ("model", "lora", 0, "path"), ("background", "caption_model")),
    *(("background", "prompt"), ("background", "repaint"), ("brushes",)),
    *(("sampler", "timesteps"), ("sampler", "blend_after"), ("sampler", "guidance", "type")),
    *(("frames",), ("output", "fps")),
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_the_schema_takes_what_the_readers_take(path: tuple[str | int, ...]) -> None:
    """By every other probe, those that a neighbour in `PATHS` is not asked by."""
    wrong = []
    for probe in PROBES[PATHS.index(path) % 2 :: 2]:
        scene = changed(path, probe)
        read, valid = taken(scene), validator().is_valid(scene)
        if read != valid and not (valid and path in MEANT):
            wrong.append((probe, "taken" if read else "rejected"))
    assert wrong == []


def described(schema: object, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key of a schema with its own, and whether it is required."""
    if isinstance(schema, list):
        for one in schema:
            yield from described(one, at)
    elif isinstance(schema, dict):
        for key, one in schema.get("properties", {}).items():
            yield (*at, key), {**one, "needed": key in schema.get("required", ())}
            yield from described(one, (*at, key))
        for inner in ("anyOf", "items"):
            yield from described(schema.get(inner), at)


def test_every_key_is_described_with_its_default() -> None:
    found = list(described(scene_schema()))
    assert len({path for path, _ in found}) > 60
    for path, key in found:
        assert key["description"].endswith("."), path
        told = "default" in key or "Default:" in key["description"]
        assert told != key["needed"], path


def test_the_schema_has_the_keys_of_the_readers() -> None:
    paths = {path for path, _ in described(scene_schema())}
    for name, at in SECTIONS.items():
        where = tuple(key for key in at if isinstance(key, str))
        keys = {path[-1] for path in paths if path[:-1] == where}
        assert keys == set(KEYS[name]), name


def test_defaults_are_those_of_the_readers() -> None:
    """Writing a default changes nothing, for a model that says nothing of itself."""
    bare = {**BASE, "model": "a/b"}
    del bare["background"]
    seen = 0
    for path, key in described(scene_schema()):
        if "default" not in key or path[0] in ("brushes", "background", "model"):
            continue
        scene = json.loads(json.dumps(bare))
        at = scene
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = key["default"]
        if path == ("defaults", "blur"):
            assert load(scene).brushes[0].blur_px == load(bare).brushes[0].blur_px
        assert load(scene) == load(bare), path
        seen += 1
    assert seen > 25


@pytest.mark.parametrize("key", ["enabled", "alpha", "blur", "strength", "repaint", "negative"])
def test_defaults_of_a_brush_are_those_of_the_readers(key: str) -> None:
    defaults = {path: one["default"] for path, one in described(scene_schema()) if "default" in one}
    bare = changed(("brushes", 0, "prompt"), "a fox")
    assert load(changed(("brushes", 0, key), defaults["brushes", key])) == load(bare)


@pytest.mark.parametrize("scene", sorted((ROOT / "scenes").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_schema_takes_every_scene_of_ours(scene: Any) -> None:
    read = yaml.safe_load(scene.read_text(encoding="utf-8"))
    in_json = json.loads(json.dumps(read))  # where key frames are texts
    assert not list(validator().iter_errors(in_json))


@pytest.mark.parametrize("name", ["unknown key with none close", "missing prompt", "missing mask"])
def test_the_schema_rejects_what_is_broken(name: str) -> None:
    assert not validator().is_valid(yaml.safe_load(SCENES[name][0]))


def test_the_schema_on_stdout_is_json(smd: Smd) -> None:
    result = smd(["schema"])
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == scene_schema()
