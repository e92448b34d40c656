"""Bundles: whatever a picture is called and however a scene writes that, the copy names it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from smd_cli.errors import SmdError
from smd_cli.output.stills import encode_still
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import Background, Brush, ImageMask, Scene, SceneFile
from smd_cli.work import bundle
from smd_cli.work.bundle import bundle_chunks
from smd_cli.work.changes import changes_of
from smd_cli.work.portable import flaw
from smd_cli.work.recipe import Recipe
from smd_cli.work.unpack import unpack

NAMES = [
    "fox.png",
    "it's.png",
    "mü.png",
    "two words.png",
    "a #1.png",
    "a: b.png",
    "-x.png",
    "~x.png",
    "{x}, [y].png",
    "&a.png",
    "*a.png",
    "!t.png",
    "100%.png",
    'q"q.png',
    "con.png",
    "a\\b.png",
    "blank .png ",
    "🦊.png",
    "esc\x1b[31m.png",
    "new\nline.png",
]
PLACES = ["{}", "sub/{}", "./{}", "../{}", "sub/../{}", "{home}/{}", "~/{}"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names that Windows does not take")

Form = Callable[[str], str]  # a mask's name → the lines of `mask:`
FORMS: dict[str, Form] = {
    "single": lambda n: "mask: '{}'".format(n.replace("'", "''")),
    "double": lambda n: f"mask: {json.dumps(n, ensure_ascii=False)}",
    "escapes": lambda n: 'mask: "{}"'.format("".join(f"\\U{ord(c):08x}" for c in n)),
    "folded": lambda n: f"mask: {json.dumps(n)[:3]}\\\n      {json.dumps(n)[3:]}",
    "pyyaml": lambda n: yaml.dump({"mask": n}, width=40).replace("\n", "\n    ").rstrip(),
    "literal": lambda n: f"mask: |-\n      {n}",
    "literal, comment": lambda n: f"mask: |-  # a fox\n      {n}\n",
    "flow": lambda n: f"mask: {{image: {json.dumps(n)}, invert: true}}",
    "mapping": lambda n: f"mask:\n      invert: true\n      image: {json.dumps(n)} # a fox",
    "list": lambda n: f"mask: [{json.dumps(n)}, {{rect: [0, 0, 9, 9]}}]",
    "items": lambda n: f"mask:\n    - image: >-\n        {n}\n    - {json.dumps(n)}",
    "tagged": lambda n: f"mask: !!str # a fox\n      {json.dumps(n)}",
    "anchor": lambda n: f"mask: &m {json.dumps(n)}\n    prompt: *m",
    "alias": lambda n: f"prompt: &m {json.dumps(n)}\n    mask: *m",
    "aliases": lambda n: f"mask: [&m {json.dumps(n)}, *m, {{image: *m}}]\n    negative: *m",
    "shared": lambda n: f"mask: &m {{image: {json.dumps(n)}}}\n  - prompt: b\n    mask: *m",
}


def moved_away(folder: Path, names: Sequence[str], scene: str, *options: str) -> SceneFile:
    """The scene in ``proj/s.yaml`` as it reads when it comes out of a bundle elsewhere.

    Every file that it names holds its own number.
    """
    project = folder / "proj"
    project.mkdir(parents=True)
    (project / "s.yaml").write_text(scene, encoding="utf-8", newline="")
    changes = [parse_override(option) for option in options]
    file = load_scene(str(project / "s.yaml"), changes)
    contents = {path: os.path.normpath(path).encode() for path in file.scene.pictures}
    scene_told = {"smd:seed": f"{file.scene.seed}", "smd:frame": f"0 of {file.scene.frames}"}
    told = {**scene_told, **bundle_chunks(file, contents)}
    kept = folder / "kept.png"
    kept.write_bytes(encode_still(np.zeros((8, 8, 3), np.uint8), "PNG", 100, told))
    (project / "s.yaml").unlink()
    out = folder / "out of it"
    paths = unpack(kept, out).paths
    inside = {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}
    assert not [name for name in inside if flaw(name)]
    recipe = Recipe.of(told, 1, inside, out)
    command = recipe.command
    keys = {"--set": "", "--seed": "seed=", "-n": "frames="}
    pairs = pairwise(command)
    again = [parse_override(keys[option] + value) for option, value in pairs if option in keys]
    copy = load_scene(command[2], again)
    assert content_of(copy.scene) == content_of(file.scene)
    assert len(content_of(file.scene)) >= len(names)
    assert unplaced(copy.scene) == unplaced(file.scene)
    return copy


def content_of(scene: Scene) -> list[bytes]:
    """What is in the files of a scene, in order; where they are gone, what would have been."""
    parts = [part.path for b in scene.brushes for part in b.mask if isinstance(part, ImageMask)]
    paths = [*parts, *filter(None, [scene.background.image])]
    return [p.read_bytes() if p.is_file() else os.path.normpath(p).encode() for p in paths]


def unplaced(scene: Scene) -> Scene:
    """A scene without the names of its files."""

    def brush(one: Brush) -> Brush:
        parts = [
            replace(part, path=Path(), written="") if isinstance(part, ImageMask) else part
            for part in one.mask
        ]
        return replace(one, mask=tuple(parts))

    ground: Background = replace(scene.background, image=None, image_written="")
    brushes = tuple(map(brush, scene.brushes))
    return replace(scene, brushes=brushes, background=ground, seed_was_random=False)


def readable(names: Sequence[str], form: str) -> list[str]:
    """The names that a form can write."""
    if form in ("literal", "literal, comment", "items", "single"):
        names = [name for name in names if name.isprintable() and name == name.strip()]
    return [name for name in names if form != "folded" or "\\" not in json.dumps(name)[:4]]


@pytest.mark.parametrize(
    ("form", "place"),
    [*(("escapes", place) for place in PLACES), *((form, "../other/{}") for form in FORMS)],
)
def test_a_mask_is_found_however_its_name_is_written(
    form: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    names = [place.format(n, home=tmp_path / "home") for n in readable(NAMES, form)]
    lines = []
    for number, name in enumerate(names):
        mask = FORMS[form](name).replace("&m ", f"&m{number} ").replace("*m", f"*m{number}")
        prompt = "" if "prompt: &" in mask or "prompt: *" in mask else "prompt: fox.png"
        lines.append(f"  - seed: {number}\n    {prompt}\n    {mask}\n")
    moved_away(tmp_path, names, f"background: x\nbrushes:\n{''.join(lines)}")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_scene_in_json_or_with_other_line_ends(
    indent: int | None, end: str, tmp_path: Path
) -> None:
    scene = {
        "background": {"image": "../b g.png"},
        "brushes": [{"prompt": name, "mask": f"../{name}"} for name in NAMES],
    }
    text = json.dumps(scene, indent=indent).replace("\n", end)
    moved_away(tmp_path, NAMES, text)


SCENE = (
    "background: x\nbrushes: [{name: a=b, prompt: y, mask: ../fox.png}, {prompt: z, mask: k.png}]"
)


@pytest.mark.parametrize(
    "options",
    [
        ["brushes.1.mask={away}"],
        ["brushes.1.mask={image: {away}, invert: true}"],
        ["brushes.1.mask=[{away}, {image: {away}, channel: red}, {rect: [0, 0, 64, 64]}]"],
        ["brushes.1.mask.image={away}", "brushes.1.mask.invert=true"],
        ["brushes.1.mask.invert=true"],
        ["background.image={away}"],
        ["background={image: {away}}"],
        ["brushes.1.mask=/gone/first.png", "brushes.1.mask={away}"],
        ["brushes.1.prompt=two\nlines, and a name: fox.png"],
        ["brushes=[{prompt: x, mask: &m {away}}, {prompt: *m, negative: b, mask: *m}]"],
        ["brushes=[{prompt: &m {away}, mask: *m}]"],
        ["brushes=\n- mask: |-\n    {away}\n  prompt: x"],
        ["brushes.1.prompt=/no path at all"],
        ["seed=random", "frames=7"],
    ],
)
def test_changes_name_the_files_of_the_bundle(options: list[str], tmp_path: Path) -> None:
    away = str(tmp_path / "away" / "ü.png")
    copy = moved_away(tmp_path, [], SCENE, *(o.replace("{away}", away) for o in options))
    inside = tmp_path / "out of it"
    assert all(path.is_relative_to(inside) for path in copy.scene.pictures)


@pytest.mark.parametrize(
    "name", ["a #1.png", "&a b.png", "!t b.png", "'q' #1.png", " b.png", "a: b.png", "[a, b].png"]
)
def test_a_mask_that_an_option_names_is_found_as_it_was_typed(name: str, tmp_path: Path) -> None:
    away = str(tmp_path / name)
    copy = moved_away(tmp_path, [], SCENE, f"brushes.1.mask={away}", f"background.image={away}")
    inside = tmp_path / "out of it"
    assert all(path.is_relative_to(inside) for path in copy.scene.pictures)


@pytest.mark.parametrize("name", ["./~/m.png", "./~root/m.png", "a/../~/m.png"])
def test_a_folder_whose_name_begins_like_the_home_folder(name: str, tmp_path: Path) -> None:
    copy = moved_away(tmp_path, [], SCENE.replace("../fox.png", f"'{name}'"))
    inside = tmp_path / "out of it"
    assert inside / name.removeprefix("a/../") in copy.scene.pictures
    assert all(path.is_relative_to(inside) for path in copy.scene.pictures)


def test_no_folder_of_this_machine_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    away = tmp_path / "away"
    options = [f"brushes.1.mask={away}/1.png", f"brushes.1.mask={{image: '{away}/2.png'}}"]
    options += [f"background.image={away}/3.png", "brushes.2.prompt=/a prompt"]
    changes = [parse_override(option) for option in options]
    file = load_scene(str(tmp_path / "s.yaml"), changes)
    told = [change.written() for change in changes_of(file)]
    assert told == [
        "brushes.1.mask=1.png",
        'brushes.1.mask={image: "2.png"}',
        "background.image=3.png",
        "brushes.2.prompt=/a prompt",
        "sampler.bootstrap.leak=0.1",
    ]


def test_a_muted_brush_of_any_name_stays_muted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    file = load_scene(str(tmp_path / "s.yaml"), without=["a=b"])
    [told] = file.overrides
    again = load_scene(str(tmp_path / "s.yaml"), [parse_override(told)])
    assert [brush.enabled for brush in again.scene.brushes] == [False, True]


def test_names_that_some_system_takes_for_one_are_kept_apart(tmp_path: Path) -> None:
    names = ["a.png", "A.png", "s.yaml", "S.YAML", "elsewhere/1-a.png", "../a.png", "s.yaml/x.png"]
    brushes = "".join(f"  - {{prompt: x, mask: '{name}'}}\n" for name in names)
    moved_away(tmp_path, names, f"background: x\nbrushes:\n{brushes}")


def test_masks_that_shrink_to_nothing_are_kept_less_dense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_PLENTY", 1000)
    monkeypatch.setattr(bundle, "_MOST", 1_000_000)
    Image.new("L", (400, 400)).save(tmp_path / "k.bmp")
    (tmp_path / "s.yaml").write_text("brushes: [{prompt: x, mask: k.bmp}]", encoding="utf-8")
    file = load_scene(str(tmp_path / "s.yaml"))
    content = (tmp_path / "k.bmp").read_bytes()
    chunks = bundle_chunks(file, {tmp_path / "k.bmp": content})
    kept = tmp_path / "kept.png"
    kept.write_bytes(encode_still(np.zeros((8, 8, 3), np.uint8), "PNG", 100, chunks))
    assert unpack(kept).paths[1].read_bytes() == content
    with pytest.raises(SmdError, match="the masks of s have"):
        bundle_chunks(file, {tmp_path / "k.bmp": content * 9})
