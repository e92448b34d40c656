"""Every shipped scene: checked without a warning, and rendered; of two films two frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT, Smd
from dense import dense
from PIL import Image
from PIL.ImageFilter import MaxFilter

from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import SceneFile

Pixels = npt.NDArray[np.uint8]

SCENES = sorted((ROOT / "scenes").glob("*.yaml"))


def test_there_are_scenes() -> None:
    assert len(SCENES) >= 4
    assert set(OF_ITS_OWN) <= {path.stem for path in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_a_scene_checks_without_a_warning(smd: Smd, scene: Path) -> None:
    result = smd(["check", str(scene)])
    assert (result.code, result.err) == (0, "")
    width, height = paint_scene(load_scene(str(scene))).size
    assert result.out.startswith(f"{scene}: {width}x{height} px")
    assert ", model starter, " in result.out


def keeps_its_picture_where_nothing_is_painted(file: SceneFile, made: Pixels) -> None:
    picture = np.asarray(Image.open(ROOT / "scenes" / "photos" / "hills.jpg").convert("RGB"))
    painted = paint_scene(file).brushes
    paint = np.maximum.reduce([dense(one.paint) for one in painted]) > 0
    reach = int(3 * max(one.brush.blur_px for one in painted)) + 2
    near = np.asarray(Image.fromarray(paint).convert("L").filter(MaxFilter(2 * reach + 1))) > 0
    assert 0.3 < (~near).mean() < 0.99
    np.testing.assert_array_equal(made[~near], picture[~near])
    assert np.abs(made[paint].astype(int) - picture[paint]).mean() > 5


def has_no_seam(_: SceneFile, made: Pixels) -> None:
    """Its ends meet as any two cells of the picture do, and the pumpkin's that lie there."""
    apart = made.astype(float) - np.roll(made, 1, axis=1)
    steps = np.abs(apart).mean(axis=(0, 2))[::8]
    assert steps[0] <= np.median(steps[1:]) * 1.5


OF_ITS_OWN: dict[str, Callable[[SceneFile, Pixels], None]] = {
    "photo": keeps_its_picture_where_nothing_is_painted,
    "removal": keeps_its_picture_where_nothing_is_painted,
    "strip": has_no_seam,
}
"""What a scene's first frame is looked at for besides."""


TWO_FRAMES = {"crossing", "meadow"}  # of standing masks and of moving ones
LONG = {"campfire", "garden", "night-sea", "panorama", "removal", "strip"}


@pytest.mark.parametrize(
    "scene",
    [pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONG else []) for path in SCENES],
    ids=lambda path: path.stem,
)
def test_a_scene_renders(
    smd: Smd, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = load_scene(str(scene))
    monkeypatch.chdir(tmp_path)
    frames = ["f-0.png", "f-1.png"] if scene.stem in TWO_FRAMES else ["f-0.png"]
    result = smd(["render", str(scene), "-n", str(len(frames)), "-o", "f-%d.png"])
    assert (result.code, result.out.splitlines()) == (0, frames)
    pictures = [np.asarray(Image.open(frame).convert("RGB")) for frame in frames]
    width, height = paint_scene(file).size
    assert {picture.shape for picture in pictures} == {(height, width, 3)}
    assert all(picture.std() > 20 for picture in pictures)  # no plain colour
    assert len({picture.tobytes() for picture in pictures}) == len(frames)
    if scene.stem in OF_ITS_OWN:
        OF_ITS_OWN[scene.stem](file, pictures[0])
