"""Large canvases and many brushes: what they take of memory and time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="how much a process held is not told here"
    ),
]

CHECK = """
import re, pathlib
from smd_cli.scene.parse import load_scene
from smd_cli.work.check import check_scene
report = check_scene(load_scene("s.yaml"))
status = pathlib.Path("/proc/self/status").read_text()
print(len(report.brushes), int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024)
"""

RENDER = """
import re, pathlib
from smd_cli.__main__ import run
code = run(["render", "s.yaml", "-o", "s.png", "-q"])
status = pathlib.Path("/proc/self/status").read_text()
print(code, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024)
"""


def checked(folder: Path, text: str) -> int:
    """The most bytes that checking a scene held."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=folder, capture_output=True, text=True, check=True
    )
    brushes, peak = map(int, done.stdout.split())
    assert brushes == text.count("prompt:")
    return peak


def test_sixteen_brushes_on_the_largest_canvas(tmp_path: Path) -> None:
    shapes = [
        "{rect: [0, 10%, 100%, 90%]}",
        "{ellipse: [10%, 30%, 80%, 60%], invert: true}",
        "{ellipse: [2%, 2%, 96%, 96%]}",
        "{polygon: [[5%, 5%], [95%, 20%], [80%, 95%], [10%, 80%]]}",
    ]
    for number, mode in enumerate(["L", "LA", "1", "L"]):
        mask = Image.new("L", (8192, 8192))
        left = 1000 * number
        ImageDraw.Draw(mask).ellipse((left, left, left + 5000, left + 4000), fill=255)
        picture = Image.new("L", mask.size, 255)
        picture.putalpha(mask)
        whole = picture if mode == "LA" else mask.convert(mode)
        whole.save(tmp_path / f"{number}.png", compress_level=1)
    masks = [*shapes, *(f"{number}.png" for number in range(4))] * 2
    brushes = "".join(f"  - {{prompt: a fox, mask: {mask}}}\n" for mask in masks)
    peak = checked(tmp_path, f"size: 8192x8192\nbrushes:\n{brushes}")
    assert peak < 1e9


def test_many_brushes_over_most_of_the_canvas(tmp_path: Path) -> None:
    brushes = "".join(
        f"  - {{prompt: a fox, mask: {{{('ellipse', 'rect')[n % 2]}: "
        f"[{n % 23 - 10}%, {n % 17 - 8}%, {80 + n % 31}%, {85 + n % 29}%]}}}}\n"
        for n in range(70)
    )
    peak = checked(tmp_path, f"size: 2048x2048\nbrushes:\n{brushes}")
    assert peak < 3.4e8


def test_painting_a_large_canvas_takes_memory_for_the_canvas(tmp_path: Path) -> None:
    """Of 6 megapixels: neither 16 whole masks nor a decoder that sees all at once."""
    brushes = "".join(
        f"  - {{prompt: a fox, mask: {{rect: [{180 * n}, {977 * n % 1900}, 128, 128]}}}}\n"
        for n in range(16)
    )
    text = f"size: 3072x2048\nsampler: {{steps: 1}}\nbrushes:\n{brushes}"
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RENDER], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    code, peak = map(int, done.stdout.split()[-2:])
    assert code == 0
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size == (3072, 2048)
    assert peak < 9.5e8
