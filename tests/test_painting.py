"""Painting into pictures by the command line: files in, files out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import TINY, Smd
from PIL import Image, ImageCms, features

SIZE = (333, 251)
Values = npt.NDArray[Any]
needs_cms = pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without profiles")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").symlink_to(TINY)


def picture(mode: str = "RGB") -> Image.Image:
    """Noise on slopes, of no two pixels alike; its transparency is 0 in places."""
    draw = np.random.default_rng(11)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    planes = [x * 0.5, y * 0.6, 200 - x * 0.4, 60 + 3 * (y - 125.0)]
    pixels = np.stack(planes, axis=2) + draw.normal(0, 4, (*y.shape, 4))
    whole = Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))
    return whole if mode == "RGBA" else whole.convert("RGB").convert(mode)


def scene(image: str, *more: str, blur: float = 6) -> str:
    text = [
        "model: tiny",
        "sampler: {steps: 1, bootstrap: {steps: 0}}",
        f"background: {{image: {image}, color: red}}",
        f"defaults: {{blur: {blur}}}",
        *more,
        "brushes:",
        "  - {prompt: a fox, mask: {rect: [0, 40, 50, 60]}}",
        "  - {prompt: a cat, mask: {rect: [290, 210, 43, 41]}}",
    ]
    Path("s.yaml").write_text("\n".join(text) + "\n", encoding="utf-8")
    return "s.yaml"


def outside(blur: float = 6) -> Values:
    """Where a pixel is farther than three blurs and one pixel from both brushes."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    first = np.hypot(np.maximum(0, x - 49), np.maximum(0, np.maximum(40 - y, y - 99)))
    second = np.hypot(np.maximum(0, 290 - x), np.maximum(0, 210 - y))
    return np.asarray(np.minimum(first, second) > 3 * blur + 1)


def read(path: str, mode: str) -> Values:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", pytest.param("L", marks=pytest.mark.slow), "P"])
def test_files_keep_what_is_not_painted(mode: str, smd: Smd) -> None:
    picture(mode).save("b.png")
    outs = ["-o", "out.png", "-o", "out.webp", "-o", "out.jpg"]
    told = smd(["render", scene("b.png"), *outs, "--set", "output.quality=100"])
    assert told.code == 0, told.err
    seen = "RGBA" if mode == "RGBA" else "RGB"
    own = read("b.png", seen)
    for out in ("out.png", "out.webp"):
        assert np.array_equal(read(out, seen)[outside()], own[outside()])
        assert not np.array_equal(read(out, seen), own)
    if mode == "RGBA":
        assert "out.jpg holds no transparency: the background's colour shows" in told.err
        clear = (own[..., 3] == 0) & outside()
        assert np.abs(read("out.jpg", "RGB")[clear].astype(int) - (255, 0, 0)).mean() < 12


@needs_cms
def test_profiles_and_turns(smd: Smd) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[274] = 6
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    turned.save("b.png", exif=exif, icc_profile=profile)
    outs = ["-o", "out.png", "-o", "out.webp", "-o", "out.jpg"]
    told = smd(["render", scene("b.png"), *outs])
    assert told.code == 0, told.err
    assert np.array_equal(read("out.png", "RGB")[outside()], np.asarray(picture())[outside()])
    for out in ("out.png", "out.webp", "out.jpg"):
        with Image.open(out) as image:
            assert image.size == SIZE
            assert image.info["icc_profile"] == profile


def test_another_size_is_the_scaled_picture(smd: Smd) -> None:
    wide = picture().resize((500, 251))
    wide.save("b.png")
    told = smd(["render", scene("b.png"), "--size", "333x251", "--set", "background.fit=cover"])
    assert told.code == 0, told.err
    left = (500 - 333) / 2
    box = (left, 0.0, left + 333, 251.0)
    expected = np.asarray(wide.resize(SIZE, Image.Resampling.LANCZOS, box=box))
    assert np.array_equal(read("s.png", "RGB")[outside()], expected[outside()])


def test_a_photo_beyond_the_models_size_keeps_its_own(smd: Smd) -> None:
    size = (1200, 900)
    draw = np.random.default_rng(12)
    own = draw.integers(0, 256, (900, 1200, 3)).astype(np.uint8)
    Image.fromarray(own).save("b.png")
    mask = "brushes: [{prompt: a fox, mask: {rect: [500, 400, 300, 250]}, blur: 5}]\n"
    Path("s.yaml").write_text(
        f"model: tiny\nsampler: {{steps: 1}}\nbackground: {{image: b.png}}\n{mask}"
    )
    checked = smd(["check", "s.yaml"])
    line = checked.out.splitlines()[1]
    match = re.fullmatch(r"  generated: (\d+)x(\d+) at \d+,\d+, the rest is kept; .*", line)
    assert match is not None
    assert int(match[1]) < 600
    told = smd(["render", "s.yaml"])
    assert told.code == 0, told.err
    made = read("s.png", "RGB")
    assert made.shape == own.shape
    y, x = np.mgrid[: size[1], : size[0]]
    down, across = np.maximum(400 - y, y - 649), np.maximum(500 - x, x - 799)
    far = np.hypot(np.maximum(0, down), np.maximum(0, across)) > 16
    assert np.array_equal(made[far], own[far])
    assert (made != own)[450:600, 550:750].any(axis=2).mean() > 0.9


def test_the_leak_into_pictures_is_recorded(smd: Smd) -> None:
    picture().save("b.png")
    text = scene("b.png")
    Path(text).write_text(Path(text).read_text().replace(", bootstrap: {steps: 0}", ""))
    assert smd(["render", text]).code == 0
    with Image.open("s.png") as image:
        assert image.text["smd:overrides"] == "sampler.bootstrap.leak=0.1"
    told = smd(["render", text, "--set", "sampler.bootstrap.leak=0.1", "-o", "again.png"])
    assert told.code == 0
    assert np.array_equal(read("again.png", "RGB"), read("s.png", "RGB"))
    other = smd(["render", text, "--set", "sampler.bootstrap.leak=1000", "-o", "other.png"])
    assert other.code == 0
    assert not np.array_equal(read("other.png", "RGB"), read("s.png", "RGB"))
