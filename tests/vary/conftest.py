"""What these tests share: scenes over the tiny model, which is loaded once, and how often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smd_cli.engine.contract import Backbone

SCENE = """\
model: {model}
size: 64x64
background: {ground}
brushes: [{{name: fox, prompt: a fox, mask: fox.png}}]
defaults: {{blur: 0}}
sampler: {{steps: 1}}
"""
Loads = list[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two scenes that share a mask."""
    from conftest import TINY
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.new("L", (64, 64), 255).save("fox.png")
    for name, ground in (("s", "grass"), ("t", "sand")):
        text = SCENE.format(model=TINY, ground=ground)
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def loads(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """The names of the models that were loaded: each is the tiny one."""
    from smd_cli.work import render

    names: Loads = []

    def load(model: object, *_: object, **__: object) -> Backbone:
        names.append(str(getattr(model, "name", "")))
        return tiny

    monkeypatch.setattr(render, "load_backbone", load)
    return names


Breaks = Callable[[str, str, int], None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Make one job run out of memory: by its background's prompt, its brush's, and its seed."""
    import torch

    from smd_cli.work import render
    from smd_cli.work.motion import FramePlans

    def break_at(ground: str, prompt: str, seed: int) -> None:
        def plans(planner: object, scene: object, painted: object) -> object:
            told = (scene.background.prompt, scene.brushes[0].prompt, scene.seed)  # type: ignore[attr-defined]
            if told == (ground, prompt, seed):
                raise torch.OutOfMemoryError("CUDA out of memory")
            return FramePlans(planner, scene, painted)  # type: ignore[arg-type]

        monkeypatch.setattr(render, "FramePlans", plans)

    return break_at
