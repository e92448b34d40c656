"""`--dtype auto` on a CPU that computes in bf16: nearly the same picture, and its text says so."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import TINY, Smd
from PIL import Image

from smd_cli.bench.subject import Subject
from smd_cli.doctor.agreement import measure
from smd_cli.report.reporter import Reporter
from smd_cli.scene.types import MULTIDIFFUSION
from smd_cli.work import compare
from smd_cli.work.request import Machine

SCENE = """\
model: ./tiny
size: 64x64
background: a meadow
brushes: [{prompt: a fox, mask: {rect: [0, 0, 50%, 50%]}}]
sampler: {steps: 2}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scene, on a CPU that says that it computes in bf16."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    shutil.copytree(TINY, "tiny")
    Path("s.yaml").write_text(SCENE, encoding="utf-8")


def pixels(path: str) -> npt.NDArray[np.int64]:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(np.int64)


def machine(path: str) -> str | None:
    with Image.open(path) as picture:
        told: str | None = picture.info.get("smd:machine")
    return told


def test_a_picture_in_bf16(smd: Smd) -> None:
    for name, options in (("half", []), ("full", ["--dtype", "fp32"])):
        assert smd(["render", "s.yaml", "-o", f"{name}.png", *options]).code == 0
    assert (machine("half.png"), machine("full.png")) == ("cpu bf16", None)
    apart = np.abs(pixels("half.png") - pixels("full.png"))
    assert 0 < apart.mean() < 1
    assert apart.max() <= 8
    assert pixels("full.png").std() > 8  # there is something to see


@pytest.mark.parametrize("dtype", ["auto", "fp32"])
def test_both_are_painted_again_as_they_were(dtype: str, smd: Smd) -> None:
    assert smd(["render", "s.yaml", "-o", "one.png", "--dtype", dtype]).code == 0
    command = shlex.split(smd(["unpack", "one.png", "-o", "."]).err.partition("with: ")[2])
    assert smd(command[1:]).code == 0
    assert np.array_equal(pixels("again.png"), pixels("one.png"))
    assert machine("again.png") == machine("one.png")


@pytest.mark.slow
def test_a_comparison_says_so_too(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(MULTIDIFFUSION, steps=5)  # of 50
    monkeypatch.setattr(compare, "MULTIDIFFUSION", few)
    slow = ["--set", "sampler.steps=1", "-o", "sheet.png"]
    assert smd(["compare", "s.yaml", *slow]).code == 0
    assert machine("sheet.png") == "cpu bf16"


@pytest.mark.parametrize(
    ("dtype", "taken"),
    [("auto", "float32"), pytest.param("bf16", "bfloat16", marks=pytest.mark.slow)],
)
def test_what_is_held_against_others_stays_in_fp32(dtype: str, taken: str) -> None:
    found = measure("tiny", "cpu", dtype, Reporter(quiet=True))
    assert found.against.endswith(f", {taken}")


def test_a_bench_names_what_it_measures() -> None:
    assert Subject.resolved(Machine("cpu")) == Machine("cpu", "bf16")
