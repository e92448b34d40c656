"""Every shipped scene: checked without a warning, and rendered, the film's first two frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Smd
from PIL import Image

from smd_cli.scene.parse import load_scene

SCENES = sorted((ROOT / "scenes").glob("*.yaml"))


def test_there_are_scenes() -> None:
    assert len(SCENES) >= 4


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_a_scene_checks_without_a_warning(smd: Smd, scene: Path) -> None:
    result = smd(["check", str(scene)])
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{scene}: 256x256 px, model starter, ")


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_a_scene_renders(
    smd: Smd, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = ["f-0.png", "f-1.png"] if load_scene(str(scene)).scene.frames > 1 else ["f-0.png"]
    result = smd(["render", str(scene), "-n", str(len(frames)), "-o", "f-%d.png"])
    assert (result.code, result.out.splitlines()) == (0, frames)
    pictures = [np.asarray(Image.open(frame).convert("RGB")) for frame in frames]
    assert {picture.shape for picture in pictures} == {(256, 256, 3)}
    assert all(picture.std() > 20 for picture in pictures)  # no plain colour
    assert len({picture.tobytes() for picture in pictures}) == len(frames)
