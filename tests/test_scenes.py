"""Every shipped scene: checked without a warning, and rendered."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Smd
from PIL import Image

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
    result = smd(["render", str(scene), "-n", "2", "-o", "f-%d.png"])
    assert (result.code, result.out) == (0, "f-0.png\nf-1.png\n")
    with Image.open("f-0.png") as first, Image.open("f-1.png") as second:
        assert first.size == (256, 256)
        assert first.tobytes() != second.tobytes()
