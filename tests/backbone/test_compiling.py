"""`--compile`: the same numbers to rounding, and a sentence where nothing can be compiled."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from asked import whole_rows
from conftest import TINY, Smd
from PIL import Image

from smd_cli.backbone import compiling
from smd_cli.backbone.compiling import compile_blocks
from smd_cli.backbone.loading import load
from smd_cli.backbone.loading.load import load_backbone
from smd_cli.engine.contract import Backbone
from smd_cli.errors import UsageError
from smd_cli.models.ref import ModelRef

COMPILER = next(filter(shutil.which, ("g++", "clang++")), None)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's compiler has warnings of its own
@pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler here")
@torch.inference_mode()
def test_a_compiled_network_gives_the_same(tiny: Backbone) -> None:
    from torch._dynamo.utils import counters

    counters.clear()
    model = load_backbone(ModelRef("tiny-sd", TINY), "cpu", "fp32", compiled=True)
    prompts = tiny.encode_prompts(["a fox", "an owl"])
    for side in (8, 16, 24):
        x = torch.randn(2, 4, side, side, generator=torch.Generator().manual_seed(side))
        rows = whole_rows(x, [999, 500], prompts)
        assert torch.allclose(model.predict(rows), tiny.predict(rows), atol=1e-5)
    assert 1 < counters["stats"]["unique_graphs"] < 20  # a trial, and not every block or size anew


def test_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(
            "backend='inductor' raised:\n"
            "No working C++ compiler found in cxx: (None, 'g++')\n\nSet TORCH_LOGS"
        )

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(UsageError) as refused:
        load_backbone(ModelRef("tiny-sd", TINY), "cpu", compiled=True)
    assert str(refused.value) == (
        "error: torch cannot compile on cpu here: No working C++ compiler found in cxx: "
        "(None, 'g++')\nhint: install a C++ compiler (and Triton for CUDA), "
        "or leave --compile out"
    )


class Network(torch.nn.Module):
    """Notes how its blocks are to be compiled."""

    mode = ""

    def compile_repeated_blocks(self, mode: str) -> None:
        self.mode = mode

    def forward(self) -> None:
        pass


@pytest.mark.parametrize(
    ("device", "stays", "mode", "steps"),
    [
        ("cuda", True, "reduce-overhead", 2),
        ("cuda", False, "default", 0),
        ("cpu", True, "default", 0),
    ],
)
def test_graphs_are_for_cuda_alone_and_a_call_is_a_step(
    device: str, stays: bool, mode: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[None] = []
    monkeypatch.setattr(compiling, "_refuse_unfit", lambda _: None)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(None))
    network = Network()
    compile_blocks(network, torch.device(device), stays=stays)
    network()
    network()
    assert (network.mode, len(begun)) == (mode, steps)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_picture_says_that_its_network_was_compiled(
    by: str, smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[bool] = []
    monkeypatch.setattr(load, "compile_blocks", lambda *_, stays: asked.append(stays))
    Path("s.yaml").write_text(
        f"{{model: {TINY}, size: 64x64, background: sky, sampler: {{steps: 1}}}}"
    )
    if by == "environment":
        monkeypatch.setenv("SMD_COMPILE", "1")
    options = ["--compile"] if by == "option" else []
    assert smd(["render", "s.yaml", *options]).code == 0
    assert asked == [True]
    with Image.open("s.png") as picture:
        assert picture.info["smd:machine"] == "cpu fp32 compile"
