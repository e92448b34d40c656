"""One model in memory at a time: the old one has left when the new one begins to load."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Smd
from watch.follow import Following

from smd_cli.backbone import memory
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.doctor import agreement
from smd_cli.engine.planner import Planner
from smd_cli.errors import SmdError
from smd_cli.models.ref import ModelRef
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.watch.live import WatchOptions
from smd_cli.work import render

pytestmark = pytest.mark.slow

SCENE = """\
model: ./{model}
size: 64x64
background: a meadow
brushes: [{{prompt: a fox, mask: {{rect: [0, 0, 50%, 50%]}}}}]
sampler: {{steps: 2}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three models, and no help of the collector but where smd itself asks for it."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "three"):
        shutil.copytree(TINY, name)
    gc.collect()
    gc.disable()
    yield tmp_path
    gc.enable()


class Loads:
    """Stands before the loader: how many UNets were alive whenever another began to load."""

    def __init__(self) -> None:
        self.alive: list[int] = []
        self.broken = ""
        self._unets: list[weakref.ref[torch.nn.Module]] = []

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.alive.append(sum(ref() is not None for ref in self._unets))
        if arguments[0].name == self.broken:
            raise SmdError(f"the model {self.broken} breaks while it is loaded")
        loaded: Any = load_backbone(*arguments, **options)
        self._unets.append(weakref.ref(loaded._unet))
        return loaded


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    counted = Loads()
    monkeypatch.setattr(render, "load_backbone", counted)
    return counted


def write(model: str, name: str = "s.yaml") -> None:
    Path(name).write_text(SCENE.format(model=model), encoding="utf-8")


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("--low-memory",)])
def test_scenes_of_different_models(
    smd: Smd, loads: Loads, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_is_main_memory", lambda _: False)  # so that hooks are there
    names = []
    for place, model in enumerate(("one", "one", "two", "three", "one")):
        names.append(f"s{place}.yaml")
        write(model, names[-1])
    result = smd(["render", *names, *options, "-q"])
    assert (result.code, result.err) == (0, "")
    assert loads.alive == [0, 0, 0, 0]  # and the second scene needed none


@pytest.mark.parametrize("manner", [WatchOptions(), WatchOptions(endless=True)])
def test_a_watched_scene_that_changes_its_model(loads: Loads, manner: WatchOptions) -> None:
    write("one")
    with Following(manner) as live:
        live.fresh(1)
        write("two")
        live.fresh(2)
        write("three")
        live.fresh(3)
    assert loads.alive == [0, 0, 0]


@pytest.mark.parametrize("manner", [WatchOptions(), WatchOptions(endless=True)])
def test_a_model_that_cannot_be_loaded_and_back_again(loads: Loads, manner: WatchOptions) -> None:
    """The picture stays; the first model is loaded once more."""
    write("one")
    loads.broken = "./two"
    with Following(manner) as live:
        live.fresh(1)
        shown = live.board.picture()[1]
        write("two")
        live.until(lambda s: bool(s.trouble))
        assert Path("live.png").exists()
        assert live.board.state.shown == 1
        if not manner.endless:
            assert live.board.picture()[1] is shown
        write("one")
        live.until(lambda s: s.fresh and not s.trouble)
    assert loads.alive == [0, 0, 0]


def test_a_model_that_is_out_of_reach_costs_the_loaded_one_nothing(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it can be downloaded is known before the old one leaves."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write("one")
    with Following(WatchOptions()) as live:
        live.fresh(1)
        Path("s.yaml").write_text(SCENE.replace("./{model}", "some/model").format())
        live.until(lambda s: "is not here" in s.trouble)
        write("one")
        live.until(lambda s: s.fresh and not s.trouble)
    assert loads.alive == [0]


def test_a_plan_holds_no_model() -> None:
    write("one")
    file = load_scene("s.yaml")
    painted = paint_scene(file)
    backbone = load_backbone(ModelRef("one", Path("one")), "cpu")
    plan = Planner(backbone).plan(file.scene, painted.brushes, painted.size)
    unet = weakref.ref(backbone._unet)  # type: ignore[attr-defined]
    del backbone
    gc.collect()
    assert unet() is None
    assert plan.start_noise(1).shape == plan.background.shape


def test_the_two_that_doctor_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = []
    unets: list[weakref.ref[torch.nn.Module]] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        loaded: Any = load_backbone(*arguments, **options)
        unets.append(weakref.ref(loaded._unet))
        return loaded

    pipeline = agreement._pipeline

    def asked(*arguments: Any) -> Any:
        alive.append(sum(ref() is not None for ref in unets))
        return pipeline(*arguments)

    monkeypatch.setattr(agreement, "load_backbone", counted)
    monkeypatch.setattr(agreement, "_pipeline", asked)
    assert agreement.measure("./one", "cpu", "fp32", Reporter(quiet=True)).agrees
    assert (alive, len(unets)) == ([0], 1)


def test_the_devices_cache_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    for kind in ("cuda", "mps"):
        say = partial(emptied.append, kind)
        monkeypatch.setattr(getattr(torch, kind), "empty_cache", say)
    for device in ("cuda:1", "mps", "cpu", "meta"):
        memory.release(torch.device(device))
    assert emptied == ["cuda", "mps"]
