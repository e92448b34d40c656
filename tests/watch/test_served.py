"""`smd watch --serve` as people use it: a process, a browser, and saves by an editor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY

from .browser import Browser, Tab
from .follow import disc, save

pytestmark = pytest.mark.browser

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""
PICTURE = "document.getElementById('picture')"
SUM = f"""(() => {{
  const c = document.createElement('canvas');
  [c.width, c.height] = [{PICTURE}.naturalWidth, {PICTURE}.naturalHeight];
  const g = c.getContext('2d');
  g.drawImage({PICTURE}, 0, 0);
  return g.getImageData(0, 0, c.width, c.height).data.reduce((a, b, i) => (a * 31 + b) % 65521, 0);
}})()"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """The address of the page of an endless run; Ctrl-C ends it."""
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save(tmp_path / "fox.png")
    command = ["watch", "s.yaml", "-o", "live.png", "--serve", "--stream", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "smd_cli", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    try:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        assert told["type"] == "serving"
        while json.loads(process.stdout.readline())["type"] != "picture":
            pass  # the page is there before the libraries and the model
        yield told["url"]
    finally:
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert time.monotonic() - began < 5
    assert process.returncode == 130


def fresh(tab: Tab) -> None:
    tab.until("document.title.startsWith('FRESH')")


def test_the_page_follows_what_is_saved(page: str, browser: Browser, tmp_path: Path) -> None:
    tab = browser.open(page)
    fresh(tab)
    tab.until(f"{PICTURE}.naturalWidth === 64")
    tab.click("[data-ask=play]")
    tab.until("document.body.innerText.includes('Play')")
    time.sleep(0.5)
    before = tab.evaluate(SUM)
    time.sleep(1)
    assert tab.evaluate(SUM) == before  # paused: nothing moves
    save(disc(48), tmp_path / "fox.png")
    tab.until("document.title.startsWith('STALE')")
    assert tab.evaluate(SUM) == before
    tab.click("[data-ask=step]")
    fresh(tab)
    tab.until(f"{SUM} !== {before}")
    assert tab.evaluate("document.getElementById('overlay').hidden")
    tab.press("o")
    tab.until("!document.getElementById('overlay').hidden")
    assert tab.complaints() == []
    tab.close()
