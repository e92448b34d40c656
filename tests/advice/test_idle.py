"""Keys that cannot act: told at their place; the same key where it acts is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .scenes import said, scene

SEA = "background: {prompt: sea}"
FULL = "sampler: {guidance: {type: full, scale: 3}}"
TWO = (
    "model: hub:a/b\nbackground: {prompt: sea}\nsampler: {cover: 0.5}\nbrushes:\n"
    "  - {prompt: a fox, mask: {rect: [0, 0, 200, 200]}}\n"
    "  - {prompt: an owl, mask: {rect: [X, 0, 200, 200]}}\n"
)
FLOWING = (
    "model: hub:a/b\nframes: 3\nsampler: {noise: flow}\nbrushes:\n"
    "  - {prompt: a fox, mask: {rect: [0, 0, 300, 300], move: {0: [0, 0], 2: [9, 0]}}}\n"
)
# (what is idle, its place and the message's beginning, the same made to act)
IDLE = [
    (
        scene(SEA, brush="prompt: a fox, strength: 0"),
        "3:37 at strength 0 a brush paints the background's prompt alone",
        scene(SEA, brush="prompt: a fox, strength: 0.1"),
    ),
    (
        scene(SEA, "defaults: {strength: 0}"),
        "3:22 at strength 0 a brush paints",
        scene(SEA, "defaults: {strength: 0.2}"),
    ),
    (
        scene("defaults: {blur: 3}", brush="prompt: a fox, blur: 4"),
        "2:18 defaults.blur has no effect: every brush has its own",
        scene("defaults: {blur: 3}"),
    ),
    (
        "model: hub:a/b\nbackground: sea\ndefaults: {alpha: 0.99}\n",
        "3:19 defaults.alpha has no effect: there are no brushes",
        scene("defaults: {alpha: 0.99}"),
    ),
    (
        scene("background: {negative: dark}", FULL),
        "2:24 negative has no effect: the background has no prompt",
        scene("background: {prompt: sea, negative: dark}", FULL),
    ),
    (
        scene("background: {prompt: sea, color: red}"),
        "2:34 color has no effect: the background's prompt paints over it",
        scene("background: {prompt: sea, color: red}", "sampler: {bootstrap: {steps: 2}}"),
    ),
    (
        scene("seed: 7", brush="prompt: a fox, seed: 7"),
        "3:33 seed has no effect: the scene's own is 7 as well",
        scene("seed: 7", brush="prompt: a fox, seed: 8"),
    ),
    (
        scene("model: {name: hub:a/b, lora: {path: c/d, weight: 0}}"),
        "1:50 the lora c/d has no effect: its weight is 0",
        scene("model: {name: hub:a/b, lora: {path: c/d, weight: 0.1}}"),
    ),
    (
        scene("model: {name: hub:a/b, lora: [c/d, {path: e/f, weight: 0}]}"),
        "1:56 the lora e/f has no effect: its weight is 0",
        scene("model: {name: hub:a/b, lora: [c/d, {path: e/f, weight: 1}]}"),
    ),
    (
        scene("frames: 3", "sampler: {noise: fixed}"),
        "3:18 with fixed noise all 3 frames are the same picture",
        scene("sampler: {noise: fixed}"),
    ),
    (
        scene("sampler: {noise: walk}"),
        "2:18 noise: walk goes nowhere in a single frame",
        scene("sampler: {noise: walk}", "frames: 2"),
    ),
    (
        scene("sampler: {noise: flow}"),
        "2:18 noise: flow goes nowhere in a single frame",
        FLOWING,
    ),
    (
        scene("frames: 3", "sampler: {noise: flow}"),
        "3:18 with flow noise all 3 frames are the same picture",
        FLOWING,
    ),
    (
        FLOWING.replace("move: {0: [0, 0], 2: [9, 0]}", "turn: {0: 0, 2: 9}"),
        "3:18 noise: flow is as fixed here: no mask goes anywhere for it to go along",
        FLOWING,
    ),
    (
        scene("output: {fps: 5}"),
        "2:15 output.fps has no effect on a single frame",
        scene("output: {fps: 5}", "frames: 2"),
    ),
    (
        scene("output: {loop: false}"),
        "2:16 output.loop has no effect on a single frame",
        scene("output: {loop: false}", "frames: 2"),
    ),
    (
        scene("frames: 2", "output: {loop: ping-pong}"),
        "3:16 loop: ping-pong has no way back: between the ends of 2 frames lies none",
        scene("output: {loop: ping-pong}", "frames: 3"),
    ),
    (
        TWO.replace("X", "200"),
        "3:18 cover has no effect: no brush lies under another",
        TWO.replace("X", "190"),
    ),
    (
        scene("sampler: {method: multidiffusion, preaverage: true}"),
        "2:47 preaverage has no effect: multidiffusion averages its own way",
        scene("sampler: {preaverage: false}"),
    ),
    (
        scene("sampler: {guidance: {type: full}}"),
        "2:28 guidance: full has no effect at scale 1",
        scene(FULL),
    ),
    (
        scene("sampler: {guidance: {type: self, scale: 1}}"),
        "2:41 guidance: self has no effect at scale 1",
        scene("sampler: {guidance: {type: self, scale: 2}}"),
    ),
    (
        scene("sampler: {guidance: {type: full, scale: 0}}"),
        "2:41 a guidance scale of 0 leads away from the prompts",
        scene("sampler: {guidance: {type: none, scale: 1}}"),
    ),
    (
        scene("sampler: {bootstrap: {steps: 0, mix: 0.5}}"),
        "2:38 bootstrap.mix has no effect: bootstrap.steps is 0",
        scene("sampler: {bootstrap: {steps: 1, mix: 0.5}}"),
    ),
    (
        scene("sampler: {bootstrap: {steps: 0, leak: 0.5}}"),
        "2:39 bootstrap.leak has no effect: bootstrap.steps is 0",
        scene("sampler: {bootstrap: {leak: 0.5}}"),
    ),
    (
        scene("sampler: {steps: 3, bootstrap: {steps: 3}}"),
        "2:40 bootstrap.steps 3 takes all of 3 slots: no brush ever sees what is around it",
        scene("sampler: {steps: 3, bootstrap: {steps: 2}}"),
    ),
    (
        scene(SEA, "sampler: {preset: paper, blend_after: bootstrap}"),
        "3:39 blend_after has no effect: preset: paper paints every brush by itself",
        scene(SEA, "sampler: {blend_after: bootstrap}"),
    ),
    (
        scene("sampler: {blend_after: bootstrap}"),
        "2:24 blend_after has no effect: there is no second prompt to blend with",
        scene("sampler: {blend_after: never}"),
    ),
    (
        scene(SEA, "sampler: {steps: 4, blend_after: 4}"),
        "3:34 blend_after has no effect: the last of 4 slots is 3, counted from 0",
        scene(SEA, "sampler: {steps: 4, blend_after: 3}"),
    ),
    (
        scene(SEA, brush="prompt: a fox, repaint: 0.5"),
        "3:36 'brush 1' paints nothing: repaint 0.5 is below the noise of every slot, 0.584 at",
        scene(SEA, brush="prompt: a fox, repaint: 0.585"),
    ),
    (
        scene(SEA, brush="prompt: a fox, repaint: 0"),
        "3:36 'brush 1' paints nothing: repaint 0 keeps what lies under it",
        scene(SEA, brush="prompt: a fox, repaint: 0.9"),
    ),
    (
        scene(SEA, brush="prompt: a fox, repaint: 0.999"),
        "3:36 repaint has no effect: the first slot, at noise 0.998, is within 0.999 already",
        scene(SEA, brush="prompt: a fox, repaint: 1"),
    ),
    (
        scene(brush="prompt: a fox, repaint: 0.9"),
        "2:36 'brush 1' repaints a plain colour: nothing else lies under it",
        scene(SEA, "defaults: {repaint: 0.9}"),
    ),
    (
        TWO.replace("background: {prompt: sea}\nsampler: {cover: 0.5}", "defaults: {blur: 8}")
        .replace("an owl, ", "an owl, repaint: 0.9, ")
        .replace("X", "200"),
        "5:31 'brush 2' repaints a plain colour: nothing else lies under it",
        TWO.replace("background: {prompt: sea}\nsampler: {cover: 0.5}", "defaults: {blur: 8}")
        .replace("an owl, ", "an owl, repaint: 0.9, ")
        .replace("X", "199"),
    ),
]


@pytest.mark.parametrize(("idle", "told", "acting"), IDLE, ids=[told for _, told, _ in IDLE])
def test_a_key_is_told_where_it_cannot_act(
    tmp_path: Path, idle: str, told: str, acting: str
) -> None:
    [warning] = said(tmp_path, idle)
    assert warning.startswith(told)
    assert said(tmp_path, acting) == []


def test_a_prompt_beside_a_picture_that_nothing_mixes_with(tmp_path: Path) -> None:
    Image.new("RGB", (512, 512)).save(tmp_path / "b.png")
    below = "background: {image: b.png, prompt: sea}"
    [told] = said(tmp_path, scene(below, brush="prompt: a fox, strength: 1"))
    assert told.startswith("2:36 the background's prompt has no effect: the picture is kept")
    assert said(tmp_path, scene(below)) == []
    anew = "background: {image: b.png, prompt: sea, repaint: 0.9}"
    assert said(tmp_path, scene(anew, brush="prompt: a fox, strength: 1")) == []


def test_the_prompt_of_a_repainted_picture_is_one_to_blend_with(tmp_path: Path) -> None:
    Image.new("RGB", (512, 512)).save(tmp_path / "b.png")
    text = scene("background: {image: b.png, prompt: sea}", "sampler: {blend_after: bootstrap}")
    [told] = said(tmp_path, text)
    assert told.startswith("3:24 blend_after has no effect: there is no second prompt")
    assert said(tmp_path, text.replace("sea}", "sea, repaint: 0.9}")) == []


def test_a_picture_that_is_not_painted_anew_or_all_of_it(tmp_path: Path) -> None:
    Image.new("RGB", (512, 512)).save(tmp_path / "b.png")
    below = "background: {image: b.png, prompt: sea, repaint: X}"
    [told] = said(tmp_path, scene(below.replace("X", "0.5")))
    assert told.startswith("2:50 the background's prompt paints nothing: repaint 0.5 is below the")
    [told] = said(tmp_path, scene(below.replace("X", "0.999")))
    assert told.startswith("2:50 the picture leaves no trace: the first slot, at noise 0.998, is")
    for fine in ("0", "0.585", "1"):
        assert said(tmp_path, scene(below.replace("X", fine))) == []


def test_what_is_repainted_is_not_covered(tmp_path: Path) -> None:
    """A brush under one that starts from it is told neither hidden nor late."""
    over = TWO.replace("sampler: {cover: 0.5}\n", "").replace("X, 0, 200", "0, 0, 200")
    assert any("covered" in line for line in said(tmp_path, over))
    assert said(tmp_path, over.replace("an owl,", "an owl, repaint: 0.9,")) == []


@pytest.mark.parametrize(
    ("mode", "idle", "told", "acting"),
    [
        (
            "RGB",
            "fit: cover",
            "2:33 fit has no effect: the canvas takes the picture's own size",
            "",
        ),
        ("RGB", "color: red", "2:35 color has no effect: the picture is opaque and fills the", ""),
        ("RGB", "color: red, fit: cover", "2:35 color has no effect", "fit: contain, color: red"),
    ],
)
def test_keys_around_a_picture(
    tmp_path: Path, mode: str, idle: str, told: str, acting: str
) -> None:
    Image.new(mode, (512, 512)).save(tmp_path / "b.png")
    size = "size: 512x480\n" if "," in idle else ""
    text = scene("background: {image: b.png, " + idle + "}") + size
    [warning] = said(tmp_path, text)
    assert warning.startswith(told)
    if acting:
        assert said(tmp_path, text.replace(idle, acting)) == []


def test_a_colour_that_shows_through_a_picture(tmp_path: Path) -> None:
    Image.new("RGBA", (512, 512), (0, 0, 0, 90)).save(tmp_path / "b.png")
    assert said(tmp_path, scene("background: {image: b.png, color: red}")) == []


def test_a_fit_of_no_picture(tmp_path: Path) -> None:
    [told] = said(tmp_path, scene("background: {prompt: sea, fit: cover}"))
    assert told.startswith("2:32 fit has no effect: the background has no image")


def test_a_seed_of_a_brush_that_is_nowhere_half_opaque(tmp_path: Path) -> None:
    def with_peak(level: int) -> list[str]:
        Image.fromarray(np.full((512, 512), level, dtype=np.uint8)).save(tmp_path / "m.png")
        text = "model: hub:a/b\nbrushes: [{prompt: a fox, seed: 3, mask: m.png}]\n"
        return [line for line in said(tmp_path, text) if "seed" in line]

    assert with_peak(128) == []
    [told] = with_peak(127)
    assert "2:33 seed has no effect: the mask of 'brush 1' reaches 0.498 at most" in told


def test_a_revision_of_a_model_that_lies_here(tmp_path: Path) -> None:
    text = "model: {name: starter, revision: main}\nbackground: blue sky\nsize: 256x256\n"
    [told] = said(tmp_path, text)
    assert told.startswith("1:34 revision has no effect: the model starter lies here")
    assert said(tmp_path, scene("model: {name: a/b, revision: main}")) == []
