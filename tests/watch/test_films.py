"""Films and sequences under `smd watch`: a save of any of their files is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import Pixels, noise_frames, write_film
from conftest import TINY, Smd
from PIL import Image

from smd_cli.watch.live import WatchOptions

from .follow import Following, disc, save

SCENE = f"""\
model: {TINY}
frames: 3
background: {{image: clip.mp4}}
brushes: [{{name: fox, prompt: a fox, mask: m/%d.png, blur: 0}}]
sampler: {{steps: 2}}
"""
FRAMES = noise_frames(3, 64, 64)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    for number in range(3):
        disc(20 + 6 * number).save(f"m/{number}.png")
    write_film("clip.mp4", FRAMES)


def pixels(name: str) -> Pixels:
    with Image.open(name) as picture:
        return np.array(picture.convert("RGB"))


def test_a_save_of_any_file_is_followed(smd: Smd) -> None:
    """A mask of the last frame, one that was missing, and the film."""
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    Path("m/1.png").rename("away.png")
    with Following(WatchOptions(), ("live-%d.png",)) as live:
        live.until(lambda s: "'1.png' is missing" in s.trouble)
        Path("away.png").rename("m/1.png")
        live.until(lambda s: s.fresh and s.shown == 1 and s.frame == 2)
        first = pixels("live-2.png")
        save(disc(50), Path("m/2.png"))
        live.until(lambda s: s.fresh and s.shown == 2 and s.frame == 2)
        assert live.board.state.change == "%d.png"
        second = pixels("live-2.png")
        write_film("new.mp4", FRAMES[::-1])
        Path("new.mp4").replace("clip.mp4")
        live.until(lambda s: s.fresh and s.shown == 3 and s.frame == 2)
    assert smd(["render", "s.yaml", "-q", "--schedule", "single", "-o", "again/"]).code == 0
    for number in range(3):
        live_one, again = pixels(f"live-{number}.png"), pixels(f"again/s-{number:04d}.png")
        np.testing.assert_array_equal(live_one, again)
    assert np.abs(second.astype(int) - first).mean() > 1
    np.testing.assert_array_equal(second[:8], FRAMES[2][:8])
    np.testing.assert_array_equal(live_one[:8], FRAMES[0][:8])
