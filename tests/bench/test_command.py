"""`smd bench` as one types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Smd
from PIL import Image

from smd_cli.bench.workloads import WORKLOADS

TURBO = ["turbo", "--arch", "tiny", "--pairs", "1", "-n", "1"]


def test_alone_it_lists_the_workloads(smd: Smd) -> None:
    listed = smd(["bench"]).out.partition("Commands:\n")[2]
    names = [line.split()[0] for line in listed.partition("\n\n")[0].splitlines()]
    assert names == [*WORKLOADS, "all", "watch"]
    assert "..." not in listed


@pytest.mark.slow
def test_figures_and_bars(smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = smd(["bench", *TURBO, "--json", "--plot", "bars.png"])
    assert result.code == 0, result.err
    [figures] = [told for told in map(json.loads, result.out.splitlines()) if "workload" in told]
    assert (figures["workload"], figures["model"], figures["size"]) == ("turbo", "tiny", [256, 256])
    assert [side["effort"]["rows"] for side in figures["sides"]] == [4, 4]
    assert figures["device"] in {"cpu", "cuda", "mps"}
    with Image.open("bars.png") as picture:
        assert picture.format == "PNG"


def test_all_measures_one_after_the_other(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(_: object, workload: object, **options: object) -> str:
        asked.append((workload, options))
        return "figures"

    monkeypatch.setattr("smd_cli.bench.measure.measure", measure)
    result = smd(["bench", "all", "--pairs", "2", "--gains"])
    assert result.out == "figures\n" * len(WORKLOADS)
    assert asked == [(w, {"pairs": 2, "gains": True}) for w in WORKLOADS.values()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "trio --arch sd16",
            "error: there is no architecture 'sd16'\nhint: one of sd15, sdxl, tiny\n",
        ),
        (
            "trio --arch tiny --model starter",
            "error: --arch makes a model with random weights, and --model names another\n"
            "hint: leave one of them out\n",
        ),
        (
            "trio --plot bars.gif",
            "error: --plot writes a PNG, not bars.gif\nhint: --plot bars.png\n",
        ),
        ("trio --plot no/bars.png", "error: --plot no/bars.png: there is no folder no\n"),
        (
            "trio --device abacus",
            "error: there is no device 'abacus' here\nhint: try auto or cpu\n",
        ),
        (
            "trio --model nothing",
            "no model 'nothing': neither a preset, an existing path nor a hub",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_painted(
    smd: Smd, arguments: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = smd(["bench", *arguments.split()])
    assert result.code == 2
    assert sentence in result.err
    assert result.out == ""
