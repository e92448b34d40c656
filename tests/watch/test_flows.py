"""`smd watch` with models whose text encoders leave: each picture is that of `smd render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backbone.tiny_flows import FLOWS
from conftest import Smd
from PIL import Image

from smd_cli.watch.live import WatchOptions
from smd_cli.work.request import Machine

from .follow import Following, disc, save

SCENE = """\
model: {model}
size: {size}
background: a meadow
seed: 5
brushes:
  - {{prompt: {prompt}, mask: {{image: fox.png, fit: stretch}}}}
  - {{prompt: an owl, mask: {{rect: [50%, 0, 50%, 50%]}}}}
defaults: {{blur: 0}}
sampler: {{steps: 2, guidance: {{type: none}}{more}}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    disc(20).save("fox.png")
    return tmp_path


def write(model: Path, prompt: str = "a fox", size: str = "64x64", more: str = "") -> None:
    """As careful editors do: an empty file is never seen."""
    text = SCENE.format(model=model, prompt=prompt, size=size, more=more)
    Path("s.part").write_text(text)
    Path("s.part").replace("s.yaml")


class Live:
    """A scene that is watched, and how its pictures compare with those of `smd render`."""

    def __init__(self, following: Following, smd: Smd, *options: str) -> None:
        self._following, self._smd, self._options = following, smd, options
        self._version = 0
        self._before: np.ndarray[Any, Any] = np.zeros(0)

    def paints(self, *, rendered: bool = True) -> None:
        """Wait for the next version: another picture, which `smd render` makes as well."""
        self._version += 1
        self._following.fresh(self._version)
        live = self._pixels("live.png")
        assert not np.array_equal(live, self._before)
        self._before = live
        if rendered:
            done = self._smd(["render", "s.yaml", "-o", "again.png", "-q", *self._options])
            assert done.code == 0, done.err
            assert np.array_equal(live, self._pixels("again.png"))

    @staticmethod
    def _pixels(path: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))


def test_edits_of_mask_and_prompt(folder: Path, smd: Smd) -> None:
    """For a new prompt the text encoders come back beside the network."""
    model = FLOWS["sana-sprint"](folder / "m")
    write(model)
    with Following(WatchOptions()) as following:
        live = Live(following, smd)
        live.paints(rendered=False)
        save(disc(40), Path("fox.png"))
        live.paints(rendered=False)
        write(model, "a red fox under a blue sky")
        live.paints()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "low"), [("sd3", True)])
def test_edits_of_all_kinds(name: str, low: bool, folder: Path, smd: Smd) -> None:
    """Size, windows and blending too; SD 3 learnt 128 px a side, and has windows from there on."""
    model = FLOWS[name](folder / "m")
    write(model)
    with Following(WatchOptions(machine=Machine(low_memory=low))) as following:
        live = Live(following, smd, *(["--low-memory"] if low else []))
        live.paints()
        write(model, "a fox", "96x64")
        live.paints()
        write(model, "a longer prompt about a fox", "192x128")
        live.paints()
        write(model, "a longer prompt about a fox", "192x128", ", blend_after: 1")
        live.paints()


@pytest.mark.slow
@pytest.mark.parametrize("blend", [False, True])
def test_endless_frames(blend: bool, folder: Path) -> None:
    """Of another prompt, of another family, and with more slots: each ends in a fresh picture."""
    models = [FLOWS[name](folder / name) for name in ("z-image", "sana-sprint")]
    write(models[0])
    with Following(WatchOptions(endless=True, blend=blend)) as following:
        following.until(lambda s: s.frame >= 2)
        write(models[0], "a longer prompt about a fox under a blue sky")
        following.fresh(2)
        write(models[1])
        following.fresh(3)
        write(models[0], more=", windows: off")
        assert following.fresh(4).trouble == ""
