"""The check's numbers against hand values, and every warning with its exact text."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Smd
from PIL import Image

from smd_cli.errors import SceneError
from smd_cli.models.facts import ModelDefaults
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.work.check import Report, check_scene

HEAD = "model: hub:a/b\nsize: 128x128\nbackground: {prompt: a meadow}\nbrushes:\n"
LATE = "hint: a brush acts where its mask is stronger than the slot's noise; one that comes late "
LATE += "hardly shows its thing: "


def write(folder: Path, text: str) -> str:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return str(folder / "s.yaml")


def check(folder: Path, text: str) -> Report:
    return check_scene(load_scene(write(folder, text)))


def warned(folder: Path, text: str) -> list[str]:
    """Every warning's text without the folder."""
    report = check(folder, text)
    return [str(w).replace(f"{folder / 's.yaml'}", "s.yaml") for w in report.warnings]


def brush(mask: str, *more: str, prompt: str = "a fox") -> str:
    return "".join([f"  - prompt: {prompt}\n    mask: {mask}\n", *(f"    {m}\n" for m in more)])


# Numbers


def test_coverage_boxes_slots_and_what_is_uncovered(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        HEAD
        + brush("{rect: [0, 0, 64, 64]}", "name: fox", "blur: 0")
        + brush("{rect: [32, 32, 64, 64]}", "blur: 0", "alpha: 0.95"),
    )
    fox, other = report.brushes
    assert (fox.label, fox.prompt, fox.sources) == ("fox", "a fox", ("rect 0,0 64x64",))
    assert (fox.coverage, fox.box, fox.slots) == (0.25, (0, 0, 64, 64), 5)
    # 0.95 lies above σ = 0.850 and 0.584, and continuous masks act from the σ after their own on
    assert (other.label, other.box, other.slots) == ("brush 2", (32, 32, 64, 64), 3)
    assert report.uncovered == pytest.approx(1 - (2 * 0.25 - 0.0625))
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("mask_type", "alpha", "slots"),  # σ of the 5 slots: .998, .994, .974, .850, .584
    [
        ("discrete", 1, 5),
        ("discrete", 0.98, 3),
        ("discrete", 0.58, 0),
        ("continuous", 0.98, 4),
        ("continuous", 0.9, 3),
        ("continuous", 0.6, 2),
        ("continuous", 0.01, 1),
        ("semi-continuous", 0.98, 3),
        ("semi-continuous", 0.1, 1),
    ],
)
def test_slots_by_hand(tmp_path: Path, mask_type: str, alpha: float, slots: int) -> None:
    sampler = f"sampler: {{mask_type: {mask_type}}}\n"
    more = ("blur: 0", f"alpha: {alpha}")
    report = check(tmp_path, sampler + HEAD + brush("{rect: [0, 0, 64, 64]}", *more))
    assert report.brushes[0].slots == slots


def test_a_canvas_that_no_latent_grid_divides(tmp_path: Path) -> None:
    text = HEAD.replace("128x128", "67x65") + brush("{rect: [66, 64, 1, 1]}", "blur: 0")
    report = check(tmp_path, text)
    assert report.brushes[0].box == (66, 64, 1, 1)
    assert report.uncovered == pytest.approx(1 - 1 / (67 * 65))


def test_muted_brushes_are_named_and_left_out(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        HEAD
        + brush("no.png", "name: owl", "enabled: false", "negative: x")
        + brush("{rect: [0, 0, 64, 64]}"),
    )
    assert report.muted == ("owl",)
    assert [b.number for b in report.brushes] == [2]
    assert report.warnings == ()


def test_a_scene_of_background_alone(tmp_path: Path) -> None:
    report = check(tmp_path, HEAD.replace("brushes:\n", ""))
    assert (report.brushes, report.uncovered) == ((), 1.0)


def seconds_of(folder: Path, count: int) -> float:
    """How long the processor works on a check of so many small brushes at 1024², at best."""
    text = HEAD.replace("128x128", "1024x1024") + "".join(
        brush(f"{{rect: [{n * 7 % 900}, {n * 13 % 900}, 64, 64]}}") for n in range(count)
    )
    taken = []
    for _ in range(3):
        began = time.process_time()
        check(folder, text)
        taken.append(time.process_time() - began)
    return min(taken)


def test_work_grows_with_the_brushes_and_not_with_their_square(tmp_path: Path) -> None:
    few, many = seconds_of(tmp_path, 20), seconds_of(tmp_path, 80)
    assert many < 6.5 * few  # 4 with four times the brushes, 16 where each looks at all others


def test_small_brushes_on_a_large_canvas_take_little_memory(tmp_path: Path) -> None:
    text = HEAD.replace("128x128", "1024x1024")
    text += "".join(brush(f"{{rect: [{n * 7}, {n * 13}, 64, 64]}}") for n in range(60))
    scene_file = load_scene(write(tmp_path, text))
    painted = paint_scene(scene_file)
    tracemalloc.start()
    check_scene(scene_file, painted)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024 * 4  # a few canvases of float32, not one a brush


# Text


def test_the_report_as_text(tmp_path: Path) -> None:
    soft = np.zeros((256, 256, 4), dtype=np.uint8)
    soft[64:128, 32:96] = 255
    Image.fromarray(soft).save(tmp_path / "fox.png")
    long = "an owl on a bough of a very old oak by the lake"
    report = check(
        tmp_path,
        HEAD
        + brush("fox.png", "name: fox")
        + brush("[{ellipse: [60, 60, 40, 40]}, {rect: [0, 0, 10, 10]}]", prompt=long)
        + brush("{rect: [100, 100, 1, 1]}", "name: 狐")
        + brush("{rect: [0, 0, 1, 1]}", "name: muted", "enabled: false"),
    )
    lines = report.lines()
    assert lines[0] == (
        f"{tmp_path / 's.yaml'}: 128x128 px, model a/b, 5 slots as for SD 1.5, "
        "its files are not here "
        "(noise 0.998 0.994 0.974 0.850 0.584)"
    )
    shown = long[:39] + "…"
    assert lines[1:] == (
        "  brush        painted  box             acts in  prompt                                    mask",  # noqa: E501
        "  fox            6.2 %  32x32 at 16,32  3 of 5   a fox                                     fox.png (alpha: opaque = painted, scaled from 256x256)",  # noqa: E501
        f"  brush 2        8.3 %  100x100 at 0,0  3 of 5   {shown}  ellipse 60,60 40x40 + rect 0,0 10x10",  # noqa: E501
        "  狐           < 0.1 %  1x1 at 100,100  1 of 5   a fox                                     rect 100,100 1x1",  # noqa: E501
        "  (uncovered)   85.5 %                           a meadow",
        "  muted: muted",
        "  work: 12 rows a frame, each of the whole canvas",
    )  # the fox: a blur of 8 px leaves erf(16/8/√2)² = 0.911 of 32x32 px, more than σ = 0.850


def test_the_report_as_json(tmp_path: Path) -> None:
    report = check(tmp_path, HEAD + brush("{rect: [0, 0, 64, 64]}", "negative: dark"))
    told = json.loads(json.dumps(report.as_json()))
    assert told["size"] == [128, 128]
    assert told["noise_as_for"] == "SD 1.5"
    assert told["brushes"] == [
        {
            "number": 1,
            "label": "brush 1",
            "prompt": "a fox",
            "sources": ["rect 0,0 64x64"],
            "coverage": 0.25,
            "box": [0, 0, 64, 64],
            "slots": 5,
            "repaint": 1.0,
        }
    ]
    assert told["repainted"] is None
    assert told["work"] == {"rows": 10, "windows_px": [128], "share": 1.0}
    assert [(w["line"], w["severity"]) for w in told["warnings"]] == [(7, "warning")]


def test_what_is_repainted_tells_from_which_slot_on(tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "b.png")
    below = "{image: b.png, prompt: a meadow, repaint: 0.98}"
    text = HEAD.replace("{prompt: a meadow}", below)
    report = check(
        tmp_path,
        text
        + brush("{rect: [0, 0, 100, 100]}", "name: fox")
        + brush("{rect: [0, 0, 100, 100]}", "name: owl", "repaint: 0.85"),
    )
    assert (report.repainted, [b.slots for b in report.brushes]) == (3, [4, 2])
    told = report.lines()[2:-1]
    assert [" ".join(line.split()) for line in told] == [
        "fox 61.0 % 100x100 at 0,0 4 of 5 a fox rect 0,0 100x100",
        "owl 61.0 % 100x100 at 0,0 2 of 5, repaint 0.85 a fox rect 0,0 100x100",
        "(uncovered) 39.0 % 3 of 5 b.png, repaint 0.98: a meadow",
    ]
    assert report.warnings == ()
    assert report.as_json()["repainted"] == 3


# Sides that go on at their other end


def test_what_is_refined_tells_its_two_sizes(tmp_path: Path) -> None:
    report = check(tmp_path, "size: 513x300\nsampler: {refine: 2}\nbackground: grass\n")
    told = "refined: all slots at 257x150 first, then at full size those of 0.465 0.344 0.220"
    assert report.lines()[1] == f"  {told}"
    assert report.as_json()["draft"] == [(257, 150), 2]
    assert report.warnings == ()
    plain = check(tmp_path, "size: 513x300\nsampler: {refine: 1}\nbackground: grass\n")
    assert plain.as_json()["draft"] is None
    [warned] = check(tmp_path, "sampler: {refine: 2}\nbackground: grass\n").warnings
    assert warned.message.startswith("refine paints 128x128 first, though the model starter ")
    assert warned.place.line == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wrap: x", "refine does not go with wrap"),
        (
            "background: {prompt: sea, image: s.png, repaint: 0.5}",
            "refine does not go with background.image",
        ),
        ("sampler: {method: multidiffusion}", "refine does not go with method: multidiffusion"),
        (
            "sampler: {timesteps: [420, 280]}",
            "refine needs a slot with noise of at most 0.6: the last here has 0.613",
        ),
    ],
)
def test_what_cannot_be_refined(tmp_path: Path, text: str, told: str) -> None:
    Image.new("RGB", (512, 512), "blue").save(tmp_path / "s.png")
    text = f"size: 512x512\n{text}\n" + ("" if "background" in text else "background: sea\n")
    own = "sampler: {refine: 2}\n" if "sampler" not in text else ""
    with pytest.raises(SceneError) as wrong:
        check(tmp_path, text.replace("sampler: {", "sampler: {refine: 2, ") + own)
    [problem] = wrong.value.problems
    assert problem.message == told
    assert problem.place.source.startswith("sampler: {refine: 2")
    assert problem.hint


@pytest.mark.parametrize(
    ("wrap", "said"), [("x", "left to right"), ("y", "top to bottom"), ("both", "both ways")]
)
def test_which_sides_wrap_is_told(wrap: str, said: str, tmp_path: Path) -> None:
    report = check(tmp_path, f"size: 128x96\nwrap: {wrap}\nbackground: grass\n")
    assert f"s.yaml: 128x96 px, wraps {said}, model starter, " in report.lines()[0]
    assert report.as_json()["wrap"] == wrap
    plain = check(tmp_path, "size: 128x96\nbackground: grass\n")
    assert "wraps" not in plain.lines()[0]
    assert plain.as_json()["wrap"] == "none"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (
            "size: 128x100\nwrap: y\nbackground: grass\n",
            2,
            "a height of 100 cannot wrap: the model starter takes multiples of 32",
            "a height of 96 or 128 can",
        ),
        (
            "size: 129x96\nwrap: both\nbackground: grass\n",
            2,
            "a width of 129 cannot wrap: the model starter takes multiples of 32",
            "a width of 128 or 160 can",
        ),
        (
            "wrap: x\nbackground: grass\nsampler: {guidance: {type: initialize}}\n",
            1,
            "wrap does not go with guidance: initialize, whose rows see the whole canvas",
            "guidance: self and full go with it",
        ),
    ],
)
def test_what_cannot_wrap(text: str, line: int, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError) as caught:
        check(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.place.line, problem.message, problem.hint) == (line, message, hint)


def test_sides_that_do_not_wrap_take_any_size(tmp_path: Path) -> None:
    check(tmp_path, "size: 129x96\nwrap: y\nbackground: grass\n")
    check(tmp_path, "size: 128x97\nwrap: x\nbackground: grass\n")


def test_what_does_not_print_cannot_reach_the_terminal(tmp_path: Path) -> None:
    text = HEAD + brush("{rect: [0, 0, 64, 64]}", prompt='"a \\e[31mred\\n  fox"')
    assert "a ?[31mred fox" in check(tmp_path, text).lines()[2]


@pytest.mark.parametrize(
    ("background", "shown"),
    [("{color: [1, 2, 3]}", "rgb(1,2,3)"), ("{color: white}", "white"), ("{prompt: sea}", "sea")],
)
def test_what_lies_below(tmp_path: Path, background: str, shown: str) -> None:
    text = HEAD.replace("{prompt: a meadow}", background) + brush("{rect: [0, 0, 64, 64]}")
    assert check(tmp_path, text).background == shown


# Warnings


def test_an_empty_mask(tmp_path: Path) -> None:
    Image.new("L", (128, 128)).save(tmp_path / "m.png")
    assert warned(tmp_path, HEAD + brush("m.png", "name: fox")) == [
        "s.yaml:6:11: warning: the mask of 'fox' is empty\n"
        "      mask: m.png\n            ^\n"
        "hint: invert: true swaps painted and unpainted"
    ]


def test_a_fully_covered_brush(tmp_path: Path) -> None:
    text = HEAD + brush("{ellipse: [10, 10, 60, 60]}") + brush("{ellipse: [10, 10, 60, 60]}")
    assert warned(tmp_path, text) == [
        "s.yaml:6:5: warning: 'brush 1' is fully covered by later brushes: 'brush 2'\n"
        "      mask: {ellipse: [10, 10, 60, 60]}\n      ^\n"
        "hint: later brushes lie on top: move it down the list"
    ]


def test_two_later_brushes_may_cover_one_together_and_a_muted_one_may_not(tmp_path: Path) -> None:
    lower = HEAD + brush("{rect: [10, 10, 60, 60]}") + brush("{rect: [0, 0, 40, 128]}")
    upper = brush("{rect: [40, 0, 88, 128]}")
    assert "fully covered" in warned(tmp_path, lower + upper)[0]
    assert warned(tmp_path, lower + upper + "    enabled: false\n") == []


def test_a_brush_that_shows_a_little_is_not_covered(tmp_path: Path) -> None:
    text = HEAD + brush("{rect: [0, 0, 64, 64]}", "blur: 0") + brush("{rect: [0, 0, 64, 50]}")
    assert warned(tmp_path, text) == []


def test_a_brush_under_a_faint_one_is_not_covered(tmp_path: Path) -> None:
    Image.new("L", (128, 128), 100).save(tmp_path / "m.png")
    text = HEAD + brush("m.png") + brush("m.png")
    assert not any("covered" in warning for warning in warned(tmp_path, text))


def test_a_brush_of_few_latent_cells(tmp_path: Path) -> None:
    text = HEAD + brush("{rect: [0, 0, 16, 15]}", "blur: 0")
    assert warned(tmp_path, text) == [
        "s.yaml:6:5: warning: 'brush 1' paints 240 px, less than 4 latent cells of 8x8 px\n"
        "      mask: {rect: [0, 0, 16, 15]}\n      ^\n"
        "hint: so small a brush can hardly show what it means"
    ]
    assert warned(tmp_path, text.replace("15]", "16]")) == []


def test_alpha_so_low_that_the_brush_acts_in_few_slots(tmp_path: Path) -> None:
    text = HEAD + brush("{rect: [0, 0, 64, 64]}", "name: fox", "alpha: 0.8")
    assert warned(tmp_path, text) == [
        "s.yaml:8:12: warning: 'fox' acts in only 2 of 5 slots: its alpha is 0.8\n"
        f"      alpha: 0.8\n             ^\n{LATE}"
        "alpha: 1 lets it act in all slots; strength: says how much of its prompt shows"
    ]


def test_a_single_slot_is_one_slot(tmp_path: Path) -> None:
    sampler = "sampler: {steps: 1, mask_type: discrete}\n"
    text = sampler + HEAD + brush("{rect: [0, 0, 64, 64]}", "alpha: 0.8")
    assert "acts in only 0 of 1 slot: its alpha is 0.8" in warned(tmp_path, text)[0]


def test_cover_so_low_that_the_brush_acts_in_few_slots(tmp_path: Path) -> None:
    Image.new("L", (128, 128), 128).save(tmp_path / "m.png")
    text = HEAD + brush("{rect: [0, 0, 64, 64]}", "blur: 0") + brush("m.png")
    told = warned(tmp_path, text.replace("brushes", "sampler: {mask_type: discrete}\nbrushes"))
    assert told[0] == (
        "s.yaml:7:5: warning: 'brush 1' acts in only 1 of 5 slots: later brushes cover it\n"
        f"      mask: {{rect: [0, 0, 64, 64]}}\n      ^\n{LATE}"
        "move it down the list, or let the later brushes leave it free; "
        "mask_type: continuous lets faint paint act earlier"
    )


def test_a_blur_that_thins_a_brush(tmp_path: Path) -> None:
    text = HEAD + brush("{rect: [32, 32, 20, 20]}", "blur: 16")
    assert warned(tmp_path, text) == [
        "s.yaml:7:11: warning: 'brush 1' acts in only 1 of 5 slots: "
        "a blur of 16 px thins so small a brush\n"
        f"      blur: 16\n            ^\n{LATE}"
        "a smaller blur or a larger mask lets it act in more slots"
    ]


def test_a_mask_too_weak_for_most_slots(tmp_path: Path) -> None:
    Image.new("L", (128, 128), 153).save(tmp_path / "m.png")
    assert warned(tmp_path, HEAD + brush("m.png")) == [
        "s.yaml:6:11: warning: 'brush 1' acts in only 2 of 5 slots: its mask reaches 0.60 at most\n"
        f"      mask: m.png\n            ^\n{LATE}"
        "paint the mask with full opacity; strength: says how much of its prompt shows"
    ]


@pytest.mark.parametrize(
    ("guidance", "reason"),
    [
        ("none", "guidance is none"),
        ("{type: self, scale: 2}", "guidance is self"),
        ("{type: full, scale: 1}", "the guidance scale is 1"),
    ],
)
def test_a_negative_that_cannot_act(tmp_path: Path, guidance: str, reason: str) -> None:
    sampler = f"sampler: {{guidance: {guidance}}}\n"
    if guidance == "none":
        sampler = "sampler: {guidance: {type: none}}\n"
    text = sampler + HEAD + brush("{rect: [0, 0, 64, 64]}", "negative: dark")
    assert [w for w in warned(tmp_path, text) if "negative" in w] == [
        f"s.yaml:8:15: warning: negative has no effect: {reason}\n"
        "      negative: dark\n                ^\n"
        "hint: sampler.guidance: {type: full, scale: 3} makes it act"
    ]


def test_a_negative_for_all_is_told_once(tmp_path: Path) -> None:
    text = "defaults: {negative: dark}\n" + HEAD + brush("{rect: [0, 0, 64, 64]}") * 2
    (warning,) = [w for w in warned(tmp_path, text) if "negative" in w]
    assert warning.startswith("s.yaml:1:22: warning: negative has no effect: guidance is none\n")
    acting = "sampler: {guidance: {type: full, scale: 3}}\n" + text
    assert not [w for w in warned(tmp_path, acting) if "negative" in w]


def test_strength_without_a_background_prompt(tmp_path: Path) -> None:
    text = HEAD.replace("{prompt: a meadow}", "{color: white}")
    text += brush("{rect: [0, 0, 64, 64]}", "strength: 0.9")
    assert warned(tmp_path, text) == [
        "s.yaml:7:15: warning: strength has no effect: the background has no prompt to mix with\n"
        "      strength: 0.9\n                ^\nhint: give the background a prompt"
    ]
    assert warned(tmp_path, text.replace("{color: white}", "{prompt: sea}")) == []


def test_guidance_numbers_that_cannot_act(tmp_path: Path) -> None:
    sampler = "sampler: {guidance: {type: none, scale: 3}}\n"
    text = sampler + HEAD + brush("{rect: [0, 0, 64, 64]}")
    assert warned(tmp_path, text) == [
        "s.yaml:1:41: warning: guidance.scale has no effect: guidance is none\n"
        f"  {sampler.rstrip()}\n  {' ' * 40}^"
    ]


def test_a_prompt_without_a_word_that_a_small_model_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ModelDefaults(objects=("fox", "pine tree"), materials=("night sky",))
    monkeypatch.setattr("smd_cli.work.check.read_defaults", lambda _: few)
    below = HEAD.replace("a meadow", "the Night Sky")
    text = below + brush("{rect: [0, 0, 64, 64]}", prompt="two foxs") + "\n"
    assert warned(tmp_path, text) == [
        "s.yaml:5:13: warning: the model a/b knows no word of 'two foxs'\n"
        "    - prompt: two foxs\n              ^\nhint: did you mean 'fox'?"
    ]
    text = text.replace("two foxs", "a wolf")
    assert warned(tmp_path, text)[0].endswith(
        "\nhint: it knows 3 words, such as fox, pine tree, night sky; smd models a/b lists them"
    )
    assert warned(tmp_path, text.replace("a wolf", "a pine tree")) == []


def test_all_errors_of_all_pictures_are_told_at_once(tmp_path: Path) -> None:
    text = HEAD + brush("foks.png") + brush("[fox.txt, {rect: [0, 0, 9, 9]}]")
    (tmp_path / "fox.txt").write_text("no picture")
    with pytest.raises(SceneError) as caught:
        check(tmp_path, text)
    assert [(p.place.line, p.message) for p in caught.value.problems] == [
        (6, "there is no file 'foks.png'"),
        (8, "'fox.txt' is not an image that can be read"),
    ]


EVERYTHING_WRONG = """\
background: {image: sea.jpg}
brushes:
  - {promt: a fox, mask: fox.png}
  - {prompt: an owl, mask: {image: owl.png, chanel: alpha}}
  - {prompt: a cat, mask: [cat.png, {rect: [0, 0, 9]}]}
  - {prompt: a dog, mask: dog.png, enabled: false}
  - {prompt: a cow, mask: "https://example.org/cow.png"}
"""


@pytest.mark.parametrize("command", ["check", "render"])
def test_wrong_keys_and_missing_files_are_told_at_once(
    command: str, tmp_path: Path, smd: Smd
) -> None:
    told = smd([command, write(tmp_path, EVERYTHING_WRONG)])
    assert told.code == 2
    found = [line.split("s.yaml:")[1] for line in told.err.splitlines() if ": error: " in line]
    assert found == [
        "1:21: error: there is no file 'sea.jpg'",
        "3:6: error: unknown key 'promt'",
        "3:26: error: there is no file 'fox.png'",
        "4:22: error: there is no file 'owl.png'",
        "4:45: error: unknown key 'chanel'",
        "5:28: error: there is no file 'cat.png'",
        "5:44: error: rect must be [x, y, width, height], not a list of 3",
        "7:27: error: mask cannot be read from the address 'https://example.org/cow.png'",
    ]


def test_a_missing_background_hides_no_missing_mask(tmp_path: Path) -> None:
    with pytest.raises(SceneError) as caught:
        check(tmp_path, "background: {image: sea.jpg}\nbrushes:\n" + brush("fox.png"))
    assert [p.message for p in caught.value.problems] == [
        "there is no file 'sea.jpg'",
        "there is no file 'fox.png'",
    ]


def test_a_wrong_model_hides_no_missing_mask(tmp_path: Path, smd: Smd) -> None:
    (tmp_path / "m").mkdir()
    told = smd(["check", write(tmp_path, "model: ./m\nbrushes:\n" + brush("fox.png"))])
    assert "s.yaml:1:8: error: " in told.err
    assert "s.yaml:4:11: error: there is no file 'fox.png'" in told.err


def large_picture(folder: Path, brushes: str, *more: str) -> str:
    """A scene that paints into a picture of 2400x1800 px, for a model of 512."""
    from PIL import Image

    Image.new("RGB", (2400, 1800), (90, 120, 60)).save(folder / "b.png")
    return write(
        folder,
        "\n".join(["model: sd15", "background: {image: b.png}", *more, f"brushes: [{brushes}]"]),
    )


def test_what_is_generated_of_a_large_picture_is_told(tmp_path: Path, smd: Smd) -> None:
    one = "{prompt: a fox, mask: {rect: [800, 600, 800, 800]}, blur: 0}"
    told = smd(["check", large_picture(tmp_path, one)])
    line = "  generated: 1200x1200 at 600,400, the rest is kept; painted as 512x512"
    assert told.out.splitlines()[1] == line
    assert "800x800 at 800,600" in told.out  # the canvas' own pixels
    assert " 14.8 %" in told.out
    assert " 85.2 %" in told.out
    assert told.err == ""
    wide = smd(["check", large_picture(tmp_path, one, "sampler: {windows: 512}")])
    assert wide.out.splitlines()[1] == "  generated: 1200x1200 at 600,400, the rest is kept"


def test_a_brush_that_is_small_where_it_is_painted_is_told(tmp_path: Path, smd: Smd) -> None:
    two = "{prompt: a, mask: {rect: [0, 0, 160, 160]}}, {prompt: b, mask: {rect: [2000, 1500, 400, "
    told = smd(["check", large_picture(tmp_path, two + "300]}}")])
    head = "  generated: the whole picture; painted as 591x443"  # √(4/3) of 512, and √(3/4)
    assert told.out.splitlines()[1] == head
    assert "'brush 1' spans 40x40 px: at 64 px the model sd15 draws a thing just so" in told.err
    assert "(the picture is painted at a scale of 0.25)" in told.err
    assert "hint: sampler: {windows: 512} paints at full scale" in told.err


def test_checking_imports_no_model_library() -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'scipy'}"
    code = f"import sys, smd_cli.work.check; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_model_that_does_not_say_how_it_is_sampled(tmp_path: Path) -> None:
    """Few steps are a guess then, unless the scene, a LoRA or the scheduler's config says them."""
    folder = Path(shutil.copytree(TINY, tmp_path / "m"))
    text = "model: m\nbackground: sea\n"
    assert warned(tmp_path, text) == [
        "s.yaml:1:8: warning: the model m does not say how few steps it was made for: taking "
        "5 steps of LCM\n  model: m\n         ^\n"
        "hint: a lora that makes it fast, or sampler: {steps: ...}, settles it"
    ]
    assert not warned(tmp_path, text + "sampler: {steps: 5}\n")
    assert not warned(tmp_path, text + "sampler: {method: multidiffusion}\n")
    assert not warned(tmp_path, "model: {name: m, lora: a/b}\nbackground: sea\n")
    config = folder / "scheduler" / "scheduler_config.json"
    for told in ({"timestep_spacing": "trailing"}, {"_class_name": "LCMScheduler"}):
        config.write_text(json.dumps(told))
        assert not warned(tmp_path, text)


def test_a_negative_for_a_model_that_takes_guidance_itself(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "m"))
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "time_cond_proj_dim": 8}))
    text = "model: m\nbackground: {prompt: sea, negative: ugly}\nsampler: {steps: 4}\n"
    [told] = warned(tmp_path, text)
    assert "negative has no effect: the model m takes guidance itself" in told
