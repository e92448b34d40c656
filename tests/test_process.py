"""What the system tells of a process."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "darwin", reason="its figure is that of the starting program")
def test_the_peak_is_this_process_own() -> None:
    """Not that of the program that started it, and no less than it took."""
    code = (
        "from smd_cli.report.process import peak_bytes; bare = peak_bytes(); "
        "taken = b'x' * 100_000_000; del taken; print(bare, peak_bytes())"
    )
    ballast = b"x" * 200_000_000
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare, after = map(int, done.stdout.split())
    assert 1_000_000 < bare < len(ballast) / 2
    assert 95_000_000 <= after - bare <= 110_000_000
