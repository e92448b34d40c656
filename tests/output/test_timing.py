from __future__ import annotations

from fractions import Fraction
from itertools import islice

import pytest

from smd_cli.output.timing import delays, exact_fps


def test_rates_are_what_was_typed() -> None:
    assert exact_fps(23.976) == Fraction(2997, 125)
    assert exact_fps(0.5) == Fraction(1, 2)
    assert exact_fps(12) == 12


def test_twelve_a_second_in_hundredths() -> None:
    assert list(islice(delays(12, 100, 2, 65535), 6)) == [8, 9, 8, 8, 9, 8]


@pytest.mark.parametrize("fps", [0.5, 1, 7, 12, 23.976, 24, 25, 29.97, 30, 50])
@pytest.mark.parametrize("ticks", [100, 1000])
def test_the_sum_never_strays_more_than_half_a_tick(fps: float, ticks: int) -> None:
    total = 0
    for k, delay in enumerate(islice(delays(fps, ticks, 2, 65535), 500), start=1):
        total += delay
        assert abs(total - k * ticks / fps) <= 0.5 + 1e-9


def test_limits() -> None:
    assert list(islice(delays(60, 100, 2, 65535), 4)) == [2, 2, 2, 2]
    assert list(islice(delays(0.001, 100, 2, 65535), 2)) == [65535, 65535]
