"""What was measured, as frozen figures: text for people, JSON for scripts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from smd_cli.units import counted, shown_bytes


@dataclass(frozen=True)
class Taking:
    """One run in seconds: until its last picture, until its first one, and between two of them.

    `frame_s`: the median of a full pipe, or of pictures one by one; None where there are too few.
    """

    seconds: float
    first_s: float
    frame_s: float | None


@dataclass(frozen=True)
class Effort:
    """What one run asked of the network (see `Tally`), and the peak of memory, if that is known."""

    calls: int
    rows: int
    cells: int
    flops: int
    codec_flops: int
    peak_bytes: int | None


@dataclass(frozen=True)
class Side:
    """One of those that were measured: medians of its runs.

    `rate`: operations a second; `share`: of the machine's matrix products in the same precision.
    """

    name: str
    dtype: str
    frames: int
    seconds: float
    first_s: float
    frame_s: float | None
    frames_per_s: float
    effort: Effort
    rate: float
    share: float

    @staticmethod
    def of(
        name: str,
        dtype: str,
        frames: int,
        takings: Sequence[Taking],
        effort: Effort,
        matrix_rate: float,
    ) -> Side:
        """The medians of some runs of so many frames."""
        seconds = statistics.median(taking.seconds for taking in takings)
        between = [taking.frame_s for taking in takings if taking.frame_s is not None]
        rate = (effort.flops + effort.codec_flops) / seconds
        return Side(
            name=name,
            dtype=dtype,
            frames=frames,
            seconds=seconds,
            first_s=statistics.median(taking.first_s for taking in takings),
            frame_s=statistics.median(between) if between else None,
            frames_per_s=frames / seconds,
            effort=effort,
            rate=rate,
            share=rate / matrix_rate,
        )


@dataclass(frozen=True)
class Ratio:
    """How many times as fast `fast` is as `slow`, pair by pair: the median and both ends.

    `frame`: of the seconds between two pictures (median), None where there are too few.
    """

    fast: str
    slow: str
    median: float
    least: float
    most: float
    frame: float | None

    @staticmethod
    def of(fast: str, slow: str, pairs: Sequence[tuple[Taking, Taking]]) -> Ratio:
        """From pairs of runs, the fast one first."""
        whole = [theirs.seconds / ours.seconds for ours, theirs in pairs]
        between = [
            theirs.frame_s / ours.frame_s
            for ours, theirs in pairs
            if ours.frame_s is not None and theirs.frame_s is not None
        ]
        middle = statistics.median(between) if between else None
        return Ratio(fast, slow, statistics.median(whole), min(whole), max(whole), middle)

    def __str__(self) -> str:
        spread = f"{self.least:.2f} to {self.most:.2f}"
        full = "" if self.frame is None else f"; between two pictures {self.frame:.2f} x"
        return f"{self.fast}: {self.median:.2f} x as fast as {self.slow} ({spread}){full}"


@dataclass(frozen=True)
class Figures:
    """All figures of a workload. `size` (W, H) in pixels; `views`: P, the prompts with masks.

    `matrix_rates`: operations a second of matrix products, by precision. `sides`: ours first, then
    the plain baseline. `ratios`: against that and against the published precision; `gains`: what
    each option does alone. `rows_skipped` and `cells_skipped`: what ours asks less than plain.
    """

    workload: str
    model: str
    size: tuple[int, int]
    views: int
    slots: int
    order: str
    device: str
    threads: int
    pairs: int
    matrix_rates: dict[str, float]
    sides: tuple[Side, ...]
    ratios: tuple[Ratio, ...]
    gains: tuple[Ratio, ...]

    @property
    def rows_skipped(self) -> int:
        """Rows that the plain baseline asks for and ours does not."""
        return self.sides[1].effort.rows - self.sides[0].effort.rows

    @property
    def cells_skipped(self) -> int:
        """The same for the area of all rows, in latent cells."""
        return self.sides[1].effort.cells - self.sides[0].effort.cells

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        skipped = {"rows_skipped": self.rows_skipped, "cells_skipped": self.cells_skipped}
        return {**asdict(self), **skipped}

    def __str__(self) -> str:
        rates = ", ".join(f"{_rate(rate)} {name}" for name, rate in self.matrix_rates.items())
        theirs = self.sides[1].effort
        return "\n".join(
            [
                f"{self.workload}: {self.size[0]}x{self.size[1]}, "
                f"{counted(self.views, 'prompt')}, {counted(self.slots, 'slot')}, "
                f"{counted(self.sides[0].frames, 'frame')} ({self.order}); {self.model} on "
                f"{self.device}, {counted(self.threads, 'thread')}, {counted(self.pairs, 'pair')}",
                f"  matrix products: {rates}",
                *_table([_TITLES, *map(_cells, self.sides)]),
                f"  skipped: {self.rows_skipped} of {theirs.rows} rows, "
                f"{_percent(self.cells_skipped / theirs.cells)} of their area",
                *(f"  {ratio}" for ratio in (*self.ratios, *self.gains)),
            ]
        )


_TITLES = ("", "frames/s", "first", "s/frame", "calls", "rows", "area", "speed", "share", "peak")


def _cells(side: Side) -> tuple[str, ...]:
    """One side as a line of the table."""
    effort = side.effort
    return (
        f"{side.name}, {side.dtype}",
        f"{side.frames_per_s:.3g}",
        f"{side.first_s:.2f} s",
        "-" if side.frame_s is None else f"{side.frame_s:.3g}",
        str(effort.calls),
        str(effort.rows),
        f"{effort.cells:,}",
        _rate(side.rate),
        _percent(side.share),
        "-" if effort.peak_bytes is None else shown_bytes(effort.peak_bytes),
    )


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines: names to the left, figures to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]


def _rate(rate: float) -> str:
    """Operations a second: ``85.1 GFLOP/s``."""
    for unit, size in (("TFLOP/s", 1e12), ("GFLOP/s", 1e9)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate / 1e6:.3g} MFLOP/s"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
