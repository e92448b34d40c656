"""Ratios, medians, text and bars of runs written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smd_cli.bench.figures import Effort, Figures, Ratio, Side, Taking
from smd_cli.bench.plot import bars, save_plot

OURS = [Taking(2.0, 1.0, 0.5), Taking(4.0, 1.5, 0.5), Taking(3.0, 2.0, 0.25)]
THEIRS = [Taking(8.0, 3.0, 1.0), Taking(8.0, 3.0, 0.5), Taking(9.0, 5.0, None)]
RATIO = Ratio.of("smd", "plain", [*zip(OURS, THEIRS, strict=True)])


def side(name: str, takings: list[Taking], effort: Effort) -> Side:
    return Side.of(name, "fp32", 6, takings, effort, matrix_rate=4e9)


FIGURES = Figures(
    workload="trio",
    model="starter",
    size=(256, 128),
    views=4,
    slots=5,
    order="stream",
    device="cpu",
    threads=2,
    pairs=3,
    matrix_rates={"fp32": 4e9},
    sides=(
        side("smd", OURS, Effort(10, 120, 1200, 2_000_000_000, 1_000_000_000, 712_000_000)),
        side("plain", THEIRS, Effort(10, 200, 4800, 6_000_000_000, 0, None)),
    ),
    ratios=(RATIO,),
    gains=(Ratio("bf16", "smd", 0.5, 0.25, 1.0, None),),
)


def test_a_ratio_is_the_median_of_its_pairs_with_both_ends() -> None:
    assert (RATIO.median, RATIO.least, RATIO.most) == (3.0, 2.0, 4.0)
    assert RATIO.frame == 1.5  # of the pairs in which both have one


def test_a_side_has_the_medians_of_its_runs() -> None:
    smd = FIGURES.sides[0]
    assert (smd.seconds, smd.first_s, smd.frame_s) == (3.0, 1.5, 0.5)
    assert (smd.frames_per_s, smd.rate, smd.share) == (2.0, 1e9, 0.25)


def test_the_text() -> None:
    assert str(FIGURES) == TEXT.strip("\n")


TEXT = """
trio: 256x128, 4 prompts, 5 slots, 6 frames (stream); starter on cpu, 2 threads, 3 pairs
  matrix products: 4 GFLOP/s fp32
               frames/s   first  s/frame  calls  rows   area        speed  share    peak
  smd, fp32           2  1.50 s      0.5     10   120  1,200    1 GFLOP/s   25 %  712 MB
  plain, fp32      0.75  3.00 s     0.75     10   200  4,800  750 MFLOP/s   19 %       -
  skipped: 80 of 200 rows, 75 % of their area
  smd: 3.00 x as fast as plain (2.00 to 4.00); between two pictures 1.50 x
  bf16: 0.50 x as fast as smd (0.25 to 1.00)
"""


def test_the_json_has_every_figure() -> None:
    told = FIGURES.as_json()
    assert told["sides"][1]["effort"]["rows"] == 200
    assert told["ratios"][0]["least"] == 2.0
    assert (told["rows_skipped"], told["cells_skipped"]) == (80, 3600)


def test_bars_are_as_long_as_the_ratios() -> None:
    """The longest end of a spread fills the width; a bar ends at its median."""
    pixels = np.asarray(bars([FIGURES, FIGURES]))
    lengths = [_run(pixels, colour) for colour in ((0x3B, 0x6E, 0xA8), (0x8F, 0xB3, 0xD9))]
    assert lengths[0] == pytest.approx(420 * 3 / 4, abs=1.5)
    assert lengths[1] == pytest.approx(420 * 0.5 / 4, abs=1.5)
    assert len(pixels) == 2 * len(np.asarray(bars([FIGURES]))) - 2 * 16


def _run(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels of a colour the line has that has most of them."""
    return int((pixels == colour).all(axis=2).sum(axis=1).max())


def test_the_bars_are_a_png(tmp_path: Path) -> None:
    save_plot(tmp_path / "bars.png", [FIGURES])
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.format == "PNG"
