"""`smd doctor --model` finds every family equal to diffusers' own pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from smd_cli.doctor.agreement import measure
from smd_cli.report.reporter import Reporter

FAMILIES = ("sd1", "sd2", "lcm", "sd-turbo", "sdxl", "sdxl-lcm", "sdxl-turbo")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_agrees(name: str, families: dict[str, Path]) -> None:
    assert set(families) == set(FAMILIES)
    found = measure(str(families[name]), "cpu", "fp32", Reporter(quiet=True))
    assert found.error <= 1e-4
