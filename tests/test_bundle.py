"""Bundles from strangers: nothing leads out of the folder."""

from __future__ import annotations

import base64
import io
import shlex
import zipfile
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

from smd_cli.bundle import CHUNK, again, bundle_text, bundled_overrides, unpack
from smd_cli.errors import SmdError
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.parse import load_scene


def picture(folder: Path, text: str) -> Path:
    info = PngInfo()
    info.add_text(CHUNK, text)
    Image.new("RGB", (8, 8)).save(folder / "p.png", pnginfo=info)
    return folder / "p.png"


def bundled(name: str) -> str:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        bundle.writestr(zipfile.ZipInfo(name), "text")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("name", ["../out.yaml", "/tmp/out.yaml", "a/../../out.yaml", "..\\out"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SmdError, match="leads out of the folder"):
        unpack(picture(tmp_path, bundled(name)), tmp_path / "into")
    assert not (tmp_path / "into").exists()
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize("text", ["%%%", base64.b64encode(b"no zip").decode()])
def test_a_broken_bundle_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(SmdError, match="its bundle is broken"):
        unpack(picture(tmp_path, text), tmp_path / "into")


def test_an_honest_one_is_written(tmp_path: Path) -> None:
    [path], _ = unpack(picture(tmp_path, bundled("masks/s.yaml")), tmp_path / "into")
    assert path == tmp_path / "into" / "masks" / "s.yaml"
    assert path.read_text() == "text"


def test_a_name_within_another_name_is_not_mistaken_for_it(tmp_path: Path) -> None:
    near, far = tmp_path / "a/fox.png", tmp_path / "fox.png"
    scene = tmp_path / "a/b/s.yaml"
    scene.parent.mkdir(parents=True)
    brushes = "brushes: [{prompt: x, mask: ../fox.png}, {prompt: y, mask: '../../fox.png'}]\n"
    scene.write_text(f"background: a\n{brushes}", encoding="utf-8")
    near.write_bytes(b"near")
    far.write_bytes(b"far")
    file = load_scene(str(scene), (), only=(), without=())
    masks = list(file.scene.pictures)
    held = bundle_text(file, {masks[0]: b"near", masks[1]: b"far"})
    unpack(picture(tmp_path, held), tmp_path / "out")
    copy = load_scene(str(tmp_path / "out/s.yaml"), (), only=(), without=())
    found = [path.read_bytes() for path in copy.scene.pictures]
    assert found == [b"near", b"far"]


@pytest.mark.parametrize("mask", ["{}/other.png", "{{image: {}/other.png, invert: true}}"])
def test_a_mask_that_an_option_named_is_painted_from_the_bundle(mask: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("background: a\nbrushes: [{prompt: x, mask: fox.png}]\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "other.png").write_bytes(b"other")
    change = parse_override(f"brushes.1.mask={mask.format(home)}")
    file = load_scene(str(tmp_path / "s.yaml"), [change], only=(), without=())
    held = bundle_text(file, dict.fromkeys(file.scene.pictures, b"other"))
    told = bundled_overrides(file, "\n".join(file.overrides))
    paths, _ = unpack(picture(tmp_path, held), tmp_path / "out")
    command = shlex.split(again(paths, {"smd:overrides": told}))
    change = parse_override(command[command.index("--set") + 1])
    copy = load_scene(str(paths[0]), [change], only=(), without=())
    assert [path.read_bytes() for path in copy.scene.pictures] == [b"other"]
    assert next(iter(copy.scene.pictures)).is_relative_to(tmp_path / "out")


def test_masks_may_be_larger_than_other_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = picture(tmp_path, bundled("s.yaml"))
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 50)
    with pytest.raises(ValueError, match="text chunks"), Image.open(kept) as opened:
        opened.load()
    assert unpack(kept, tmp_path / "out")[0] == [tmp_path / "out/s.yaml"]
    assert PngImagePlugin.MAX_TEXT_MEMORY == 50
