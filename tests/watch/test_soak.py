"""Many edits: memory, threads and open files stay as they were.

By hand for hours: SOAK_EDITS=2000 python -m pytest -m slow tests/watch/test_soak.py -s
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import TINY

from smd_cli.watch.live import WatchOptions

from .follow import Following, disc, save

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
  - {{name: owl, prompt: an owl, mask: {{ellipse: [30, 24, 30, 30]}}}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""
ALLOWED_BYTES = 30e6
EDITS = int(os.environ.get("SOAK_EDITS", "20"))
WARM = min(EDITS // 2, 100)


def resident_bytes() -> int:
    """The memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def at_rest() -> tuple[int, int]:
    """The fewest open files and threads of a while: a look at files opens one for a moment."""
    files, threads = [], []
    for _ in range(20):
        files.append(len(list(Path("/proc/self/fd").iterdir())))
        threads.append(threading.active_count())
        time.sleep(0.05)
    return min(files), min(threads)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("endless", [False, True], ids=["frames", "endless"])
def test_nothing_grows(endless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.png")
    with Following(WatchOptions(endless=endless)) as live:
        live.fresh(1)

        def edit(number: int) -> None:
            if number % 10 == 0:
                prompt = f"a fox number {number}"
                Path("s.yaml").write_text(SCENE.replace("a fox", prompt), encoding="utf-8")
            else:
                save(disc(10 + number % 40), Path("fox.png"))
            live.until(lambda s: s.fresh and s.wanted >= number + 1)

        for number in range(1, WARM + 1):
            edit(number)
        before = resident_bytes(), at_rest()
        for number in range(WARM + 1, EDITS + 1):
            edit(number)
        after = resident_bytes(), at_rest()
    print(f"{EDITS} edits: {(after[0] - before[0]) / 1e6:+.1f} MB", file=sys.stderr)
    assert after[0] - before[0] <= ALLOWED_BYTES
    assert after[1] == before[1]
