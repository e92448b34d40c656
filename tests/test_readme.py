"""The READMEs tell the truth: their scenes load and paint what they say, their commands run."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Smd
from dense import dense
from PIL import Image

from smd_cli.scene.json_schema import scene_schema
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import MULTIDIFFUSION
from smd_cli.starter.vocabulary import OBJECTS
from smd_cli.work import compare

PAGES = (ROOT / "README.md", *sorted((ROOT / "smd_cli").glob("**/README.md")))


def blocks(language: str) -> list[str]:
    """The code blocks in a language, of the README and of the pages beside the code."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readmes_links_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), (page, link)


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readmes_anchors_are_headings() -> None:
    found = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for link, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", text):
            assert anchor in headings(page.parent / link if link else page), (page, link, anchor)
            found += 1
    assert found >= 8


def keys_of(schema: object) -> set[str]:
    """All keys that a JSON schema allows, at any depth."""
    if isinstance(schema, list):
        return set[str]().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    return {*schema.get("properties", {})}.union(*map(keys_of, schema.values()))


@pytest.mark.parametrize(("page", "model"), [("scene", False), ("backbone", True)])
def test_every_key_of_a_scene_stands_in_its_page(page: str, model: bool) -> None:
    text = (ROOT / "smd_cli" / page / "README.md").read_text(encoding="utf-8")
    properties = scene_schema()["properties"]
    sections = {name: part for name, part in properties.items() if (name == "model") == model}
    keys = keys_of({"properties": sections})
    assert len(keys) >= 7
    code = "\n".join(re.findall(r"```.*?```|``.*?``|`[^`]+`", text, re.DOTALL))
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", code)] == []


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("scene", blocks("yaml"), ids=lambda text: text.split("\n")[0])
def test_every_scene_in_the_readme_is_right(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "tests" / "golden" / "tiny-sd", "my-lcm")
    for moving in ("films", "masks/fire"):
        shutil.copytree(ROOT / "scenes" / moving, moving)
    whole = scene if "brushes:" in scene else scene + "background: grass\n"
    Path("s.yaml").write_text(whole, encoding="utf-8")
    assert paint_scene(load_scene("s.yaml")).size in {(256, 256), (512, 512), (128, 128)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "scene",
    [t for t in blocks("yaml") if "brushes:" in t and not re.search("^frames: (48|auto)", t, re.M)],
    ids=["first", "every key"],
)
def test_every_scene_in_the_readme_paints_what_it_says(
    smd: Smd, scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the judge of the starter model, which saw none of its pictures."""
    import torch

    from smd_cli.starter.classifier import (
        CLASSES,
        JUDGE,
        NOTHING,
        crop,
        judge_input,
        load_judge,
        with_margin,
    )
    from smd_cli.starter.evaluate import bounding_box

    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(scene, encoding="utf-8")
    result = smd(["render", "s.yaml", "-n", "1", "-o", "s.png"])
    assert "warning" not in result.err
    pixels = np.asarray(Image.open("s.png").convert("RGB"), dtype=np.float32) / np.float32(255)
    painted = paint_scene(load_scene("s.yaml")).brushes
    objects = [p for p in painted if any(p.brush.prompt.endswith(word) for word in OBJECTS)]
    boxes = [with_margin(bounding_box(dense(p.paint) >= 0.5)) for p in objects]
    with torch.inference_mode():
        words, _ = load_judge(JUDGE)(judge_input([crop(pixels, box) for box in boxes]))
    seen = [CLASSES[int(i)] for i in words[:, :NOTHING].argmax(1)]
    assert [p.brush.prompt.split(maxsplit=1)[1] for p in objects] == seen


def test_the_error_in_the_readme_is_what_one_sees(
    smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    meadow = (ROOT / "scenes" / "meadow.yaml").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "scenes" / "masks", "masks")
    wrong = blocks("text")[0]
    line = int(wrong.split(":")[1])
    lines = meadow.splitlines()
    lines[line - 1 : line + 1] = ["  - promt: a fox", "    prompt: a fox"]
    Path("meadow.yaml").write_text("\n".join(lines), encoding="utf-8")
    result = smd(["check", "meadow.yaml"])
    assert (result.code, result.err) == (2, wrong)


def run_in_copy(smd: Smd, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of the README in a fresh copy of the scenes."""
    shutil.copytree(ROOT / "scenes", folder / "scenes")
    monkeypatch.chdir(folder)
    few = replace(MULTIDIFFUSION, steps=2)  # of 50, which are seen in tests of their own
    monkeypatch.setattr(compare, "MULTIDIFFUSION", few)
    program, *arguments = shlex.split(command)
    if arguments[:1] == ["render"]:  # all scenes are painted in full by tests of their own
        arguments += ["--set", "sampler.steps=2", "--set", "sampler.bootstrap.steps=1"]
    result = smd(arguments)
    assert (program, result.code) == ("smd", 0), result.err
    assert "warning" not in result.err
    if arguments[0] == "render":
        assert result.out
        assert all(Path(path).is_file() for path in result.out.splitlines())


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("smd check")])
def test_check_commands_run(
    smd: Smd, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_in_copy(smd, command, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith("smd check")])
def test_other_commands_run(
    smd: Smd, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_in_copy(smd, command, tmp_path, monkeypatch)
