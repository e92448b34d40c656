"""Scenes that change from frame to frame: from their text to their pictures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import TINY, Smd
from engine.fake import FakeBackbone
from engine.test_flights import Ragged
from PIL import Image

from smd_cli.engine.contract import Backbone
from smd_cli.engine.noise import gaussian
from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import stream
from smd_cli.errors import SceneError
from smd_cli.scene.files import read_pictures
from smd_cli.scene.motion import scene_at
from smd_cli.scene.paint.boxes import full_window
from smd_cli.scene.paint.moving import painted_at
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import Source
from smd_cli.scene.types import Fade, Scene, SceneFile
from smd_cli.work.motion import FramePlans
from smd_cli.work.render import frames_of
from smd_cli.work.request import Order

HEAD = "model: tiny\nsize: 64x64\nframes: 6\nsampler: {steps: 3}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").symlink_to(TINY)


def read(text: str) -> SceneFile:
    return load_scene(Source("s.yaml", "s", Path(), text))


def brush(keys: str, frames: int = 11) -> SceneFile:
    head = f"model: tiny\nframes: {frames}\nbackground: {{prompt: a meadow}}\nbrushes:\n"
    mask = "" if "mask: " in keys else "mask: {rect: [8, 8, 40, 40]}, "
    return read(f"{head}  - {{prompt: a, {mask}{keys}}}\n")


def naive(keys: list[tuple[float, float]], frame: float) -> float:
    """A number by looking for the two keys around a frame, one after the other."""
    for (start, a), (end, b) in pairwise(keys):
        if start <= frame <= end:
            return a * (end - frame) / (end - start) + b * (frame - start) / (end - start)
    return keys[0][1] if frame < keys[0][0] else keys[-1][1]


def test_numbers_go_straight_from_key_to_key_and_hold_around_them() -> None:
    scene = brush("alpha: {2: 0.25, 4: 0.75, 9: 0.5}, blur: {0: 3, '50%': 8, '100%': 4}").scene
    for frame in range(11):
        now = scene_at(scene, frame).brushes[0]
        assert now.alpha == pytest.approx(naive([(2, 0.25), (4, 0.75), (9, 0.5)], frame), abs=1e-12)
        assert now.blur_px == pytest.approx(naive([(0, 3), (5, 8), (10, 4)], frame), abs=1e-12)
    exact = [scene_at(scene, frame).brushes[0].alpha for frame in (0, 2, 4, 9, 10)]
    assert exact == [0.25, 0.25, 0.75, 0.5, 0.5]


def test_an_eased_track_starts_and_ends_softly() -> None:
    scene = brush("strength: {0: 0, 8: 1, ease: in-out}").scene
    values = [scene_at(scene, frame).brushes[0].strength for frame in (0, 2, 4, 6, 8)]
    assert values == [0, 0.15625, 0.5, 0.84375, 1]


def test_prompts_and_seeds_fade_and_switches_switch() -> None:
    scene = brush("negative: {0: x, 4: y}, seed: {0: 7, 5: 9}, enabled: {0: false, 3: true}").scene
    assert scene.active == scene.brushes
    seen = [scene_at(scene, frame) for frame in range(6)]
    assert [len(one.active) for one in seen] == [0, 0, 0, 1, 1, 1]
    assert [one.brushes[0].negative for one in seen] == ["x", "x", "x", "x", "y", "y"]
    fades = [one.brushes[0].negative_fade for one in seen]
    assert fades == [None, *(Fade("y", share) for share in (0.25, 0.5, 0.75)), None, None]
    assert [one.brushes[0].seed_fade for one in seen[::5]] == [None, None]
    assert seen[2].brushes[0].seed_fade == Fade(9, 0.4)
    assert [seen[0].brushes[0].seed, seen[5].brushes[0].seed] == [7, 9]


def test_what_does_not_change_is_the_same_object() -> None:
    still = brush("alpha: 0.5").scene
    assert scene_at(still, 3) is still
    scene = brush("alpha: {0: 1, 4: 0.5}").scene
    assert scene_at(scene, 3).background is scene.background
    assert scene_at(scene, 4) == scene_at(scene, 9) != scene_at(scene, 3)
    assert scene_at(scene, 14) == scene_at(scene, 3), "an endless stream goes round"
    assert not scene_at(scene, 3).moves


@pytest.mark.parametrize(
    ("keys", "at", "message"),
    [
        ("alpha: {3: 1, 2: 0}", "2: 0}", "frame 2 is written after frame 3"),
        ("alpha: {0: 1, 0%: 0}", "0%: 0", "frame 0 is written after frame 0"),
        ("alpha: {0: 1, x: 0}", "x: 0", "must be a frame from 0 to 999999"),
        ("alpha: {0: 1, 4.5: 0}", "4.5: 0", "must be a frame from 0 to 999999"),
        ("alpha: {0: 1, 101%: 0}", "101%: 0", "or a share of all such as 50%, not '101%'"),
        ("alpha: {0: 1, 4: 2}", "2}", "alpha at 4 must be a number from 0 to 1, not 2"),
        ("seed: {0: 1, 4: 2.5}", "2.5}", "seed at 4 must be a whole number"),
        ("enabled: {0: no}", "no}", "enabled at 0 must be true or false"),
        ("alpha: {0: 1, ease: out}", "out}", "ease must be one of linear, in-out"),
        ("alpha: {ease: in-out}", "alpha: {", "alpha has no frames"),
        ("alpha: {a: 1}", "alpha: {", "alpha must be a number from 0 to 1"),
        ("mask: {rect: {0: [0, 0, 9, 9], 4: [0, 0, 9]}}", "[0, 0, 9]}", "rect at 4 must be [x, y"),
        ("mask: {rect: {0: [0, 0, 9, 9], 4: [0, 0, 0, 9]}}", "[0, 0, 0", "rect at 4 has no area"),
        ("mask: {rect: {0: [0, 0, 9, 9], 4: [0, 0, 9, 9%]}}", "[0, 0, 9, 9%", "other units than"),
        ("mask: {rect: [0, 0, 9, 9], move: {0: [0, 0], 4: a}}", "a}", "must be a point [x, y]"),
        (
            "mask: {polygon: {0: [[0, 0], [9, 0], [9, 9]], 4: [[0, 0], [9, 0], [9, 9], [0, 9]]}}",
            "[[0, 0], [9, 0], [9, 9], [0",
            "polygon at 4 has 4 points, and 3 at the key before",
        ),
    ],
)
def test_wrong_keyframes_are_told_at_their_place(keys: str, at: str, message: str) -> None:
    with pytest.raises(SceneError) as told:
        brush(keys)
    [problem] = told.value.problems
    assert message in problem.message
    assert problem.place.line == 5
    assert problem.place.source[problem.place.column - 1 :].startswith(at)


def test_check_shows_a_timeline_and_warns_of_keys_past_the_end(smd: Smd) -> None:
    text = HEAD + "background: {prompt: {0: a meadow, 5: a lake}}\nbrushes:\n"
    text += "  - {name: fox, prompt: a fox, alpha: {0: 1, 24: 0.5, ease: in-out},\n"
    text += "     enabled: {0: true, 3: false}, mask: {rect: [8, 8, 40, 40]}}\n"
    Path("s.yaml").write_text(text, encoding="utf-8")
    told = smd(["check", "s.yaml"])
    assert told.code == 0
    assert "  background changes: prompt “a meadow” at 0, “a lake” at 5\n" in told.out
    line = "  fox changes: alpha 1 at 0, 0.5 at 24 (in-out); enabled true at 0, false at 3\n"
    assert line in told.out
    assert "s.yaml:7:50: warning: alpha has a key at frame 24, and the scene has 6 fr" in told.err
    assert "hint: frames: 25 reaches it" in told.err


EVERY_KEY = """\
model: tiny
size: 64x64
frames: 6
sampler: {steps: 3, guidance: {type: full, scale: 2}}
background: {prompt: {0: a lake, 5: sand}, negative: {0: x, 5: y}}
brushes:
  - name: fox
    prompt: {0: a fox, 5: an owl}
    negative: {0: dark, 5: pale}
    strength: {0: 0.5, 5: 1}
    alpha: {0: 0.9, 5: 1}
    blur: {0: 2, 50%: 3}
    seed: {0: 1, 5: 9223372036854775807}
    repaint: {0: 1, 5: 0.97}
    enabled: {0: true, 5: false}
    mask:
      rect: {0: [8, 8, 40, 40], 5: [9, 8, 40, 40]}
      move: {0: [0%, 1], 5: [10%, 2]}
      scale: {0: 1, 5: 0.5}
      turn: {0: 0, 5: -9}
  - name: owl
    prompt: a
    mask: {polygon: {0: [[8, 8], [40, 8], [9, 40]], 5: [[8, 8], [40, 8], [9, 41]]}}
  - {name: cat, prompt: a, mask: {ellipse: {0: [8, 8, 40, 40], 5: [9, 8, 40, 40]}}}
"""


def test_the_timeline_has_every_key(smd: Smd) -> None:
    Path("s.yaml").write_text(EVERY_KEY, encoding="utf-8")
    told = smd(["check", "s.yaml"])
    assert told.code == 0, told.err
    lines = [line.strip() for line in told.out.splitlines() if " changes: " in line]
    assert lines == [
        "background changes: prompt “a lake” at 0, “sand” at 5; negative “x” at 0, “y” at 5",
        "fox changes: prompt “a fox” at 0, “an owl” at 5; negative “dark” at 0, “pale” at 5; "
        "alpha 0.9 at 0, 1 at 5; blur 2 at 0, 3 at 2.5; strength 0.5 at 0, 1 at 5; "
        "repaint 1 at 0, 0.97 at 5; seed 1 at 0, 9223372036854775807 at 5; "
        "enabled true at 0, false at 5; move [0%, 1] at 0, [10%, 2] at 5; scale 1 at 0, 0.5 at 5; "
        "turn 0 at 0, -9 at 5; rect [8, 8, 40, 40] at 0, [9, 8, 40, 40] at 5",
        "owl changes: polygon 3 points at 0, 3 points at 5",
        "cat changes: ellipse [8, 8, 40, 40] at 0, [9, 8, 40, 40] at 5",
    ]


@pytest.mark.parametrize(
    ("alpha", "output", "line"),
    [
        ("{0: 1, 3: 0.5, 5: 1}", "", "loops without a jump: all that changes ends where it began"),
        ("{0: 1, 3: 0.5}", "", "jumps where it loops, by fox's alpha; output.loop: ping-pong goes"),
        ("{0: 1, 3: 0.5}", "output: {loop: ping-pong}\n", "loops there and back in 10 frames, of"),
        ("{0: 1, 3: 0.5}", "output: {loop: false}\n", ""),
        ("0.5", "", ""),
    ],
)
def test_check_tells_whether_a_film_loops(alpha: str, output: str, line: str, smd: Smd) -> None:
    text = f"{HEAD}{output}background: {{prompt: a meadow}}\nbrushes:\n"
    text += f"  - {{name: fox, prompt: a fox, mask: {{rect: [8, 8, 40, 40]}}, alpha: {alpha}}}\n"
    Path("s.yaml").write_text(text, encoding="utf-8")
    told = smd(["check", "s.yaml"])
    assert told.code == 0
    assert f"\n  {line}" in told.out if line else "loop" not in told.out


def test_prompts_between_keys_are_the_rows_between(tiny: Backbone) -> None:
    file = brush("prompt: {0: a fox, 10: an owl}".replace("prompt", "negative"))
    guided = replace(file.scene.sampler.guidance, type="full", scale=3.0)
    scene = replace(file.scene, sampler=replace(file.scene.sampler, guidance=guided))
    painted = read_pictures(file)
    row = FramePlans(Planner(tiny), scene, painted)(3).negative
    ends = [tiny.encode_prompts([text], 0)["tokens"] for text in ("a fox", "an owl", "")]
    wanted = ends[0] * 0.7 + ends[1] * 0.3
    strength = scene.brushes[0].strength
    assert row
    torch.testing.assert_close(row[1]["tokens"], ends[2] + (wanted - ends[2]) * strength)


def test_prompts_of_other_lengths_change_half_way() -> None:
    """Where a model cannot fill them up; those of one length fade."""
    fake, file = Ragged(), brush("strength: 1", frames=21)
    keyed = file.text.replace("prompt: a,", "prompt: {0: fox, 10: owl, 20: a long-eared owl},")
    file = read(keyed)
    plans = FramePlans(Planner(fake), file.scene, read_pictures(file))
    rows = [plans(frame).conditioning[1]["tokens"] for frame in (5, 14, 15)]
    ends = [fake.encode_prompts([text])["tokens"] for text in ("fox", "owl", "a long-eared owl")]
    torch.testing.assert_close(rows[0], (ends[0] + ends[1]) / 2)
    assert torch.equal(rows[1], ends[1])
    assert torch.equal(rows[2], ends[2])


def test_seeds_between_keys_are_noise_between(tiny: Backbone) -> None:
    file = brush("seed: {0: 7, 10: 9}, blur: 0")
    plans = FramePlans(Planner(tiny), file.scene, read_pictures(file))
    shape = plans.first.background.shape
    ends = [gaussian(shape, seed, "start", 5) for seed in (7, 9)]
    middle = plans(5).start_noise(5)
    inside = (slice(None), slice(2, 5), slice(2, 5))
    torch.testing.assert_close(middle[inside], ((ends[0] + ends[1]) / 2**0.5)[inside])
    for frame, seed in ((0, 7), (10, 9)):
        own = gaussian(shape, seed, "start", frame)
        assert torch.equal(plans(frame).start_noise(frame)[inside], own[inside])


def test_equal_frames_share_a_plan_and_few_are_kept(tiny: Backbone) -> None:
    file = brush("alpha: {0: 1, 4: 0.5}", frames=40)
    plans = FramePlans(Planner(tiny), file.scene, read_pictures(file))
    assert plans(4) is plans(39)
    slots = plans.first.table.slots
    for first in range(20):
        flying = [plans(frame) for frame in range(first, first + slots)]
        assert all(plans(first + n) is plan for n, plan in enumerate(flying))
    assert len(plans._plans) <= slots + 1


def test_frames_that_are_refined_are_planned_once_each(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "model: tiny\nsize: 64x64\nframes: 12\nbackground: {prompt: a meadow}\nsampler:\n"
    text += "  {timesteps: [999, 759, 400, 259, 180, 120, 60], refine: 2}\nbrushes:\n"
    text += "  - {prompt: a, alpha: {0: 1, 11: 0.5}, mask: {rect: [8, 8, 40, 40]}}\n"
    file = read(text)
    planned: list[object] = []
    plan = Planner.plan

    def counting(self: Planner, scene: Scene, *painted: Any) -> Plan:
        planned.append(scene)
        return plan(self, scene, *painted)

    monkeypatch.setattr(Planner, "plan", counting)
    plans = FramePlans(Planner(tiny), file.scene, read_pictures(file))
    assert plans.first.passes == 7 + 4, "noise is at most 0.6 in the last four"
    assert [frame.index for frame in stream(plans, tiny, 12)] == [*range(12)]
    assert len(planned) == 12


def paint_at(file: SceneFile, frame: int) -> npt.NDArray[np.uint8]:
    """The paint (H, W) of the scene's only brush."""
    [painted] = read_pictures(file).brushes
    return painted_at(painted, frame).paint.read(full_window(painted.paint.size))


def drawn(mask: str) -> npt.NDArray[np.uint8]:
    """The paint of a mask that does not move."""
    [painted] = read_pictures(brush(f"mask: {mask}")).brushes
    return painted.paint.read(full_window(painted.paint.size))


def test_shapes_change_and_travel_as_drawn_by_hand() -> None:
    rect = brush("mask: {rect: {2: [0, 8, 16, 16], 6: [8, 8, 32, 20]}}")
    for frame, box in ((0, [0, 8, 16, 16]), (3, [2, 8, 20, 17]), (6, [8, 8, 32, 20])):
        assert np.array_equal(paint_at(rect, frame), drawn(f"{{rect: {box}}}"))
    walk = brush("mask: {ellipse: [-30, 4, 20, 20], move: {0: [0, 0], 10: [60, 10]}}")
    assert not paint_at(walk, 0).any()
    assert np.array_equal(paint_at(walk, 5), drawn("{ellipse: [0, 9, 20, 20]}"))
    turn = "mask: {polygon: {0: [[0, 0], [9, 0], [9, 9]], 4: [[0, 4], [5, 0], [9, 9]]}}"
    wanted = drawn("{polygon: [[0, 2], [7, 0], [9, 9]]}")
    assert np.array_equal(paint_at(brush(turn), 2), wanted)


@pytest.mark.parametrize("invert", [False, True])
def test_an_image_travels_by_whole_pixels(*, invert: bool) -> None:
    levels = np.random.default_rng(4).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(levels).save("m.png")
    keys = "{0: [0, 0], 10: [-30, 50]}"
    mask = f"mask: {{image: m.png, channel: luma, invert: {str(invert).lower()}, move: {keys}}}"
    file = brush(mask)
    file = replace(file, scene=replace(file.scene, size=(64, 64)))
    moved = np.zeros_like(levels)
    moved[25:, :-15] = levels[:-25, 15:]
    assert np.array_equal(paint_at(file, 5), 255 - moved if invert else moved)
    assert np.array_equal(paint_at(file, 0), 255 - levels if invert else levels)


def test_shapes_turn_and_grow_about_their_own_middle() -> None:
    turned = "mask: {rect: [10, 20, 20, 8], turn: {0: 0, 4: 90}, scale: {0: 1, 4: 2}}"
    assert np.array_equal(paint_at(brush(turned), 0), drawn("{rect: [10, 20, 20, 8]}"))
    assert np.array_equal(paint_at(brush(turned), 4), drawn("{rect: [12, 4, 16, 40]}"))
    grown = drawn("{ellipse: [10, 20, 20, 8], scale: 1.5, move: [3, 0]}")
    assert np.array_equal(grown, drawn("{ellipse: [8, 18, 30, 12]}"))
    round_again = drawn("{ellipse: [8, 8, 40, 40], turn: 30}").astype(int)
    assert np.abs(round_again - drawn("{ellipse: [8, 8, 40, 40]}")).max() <= 4
    corner = "{polygon: [[8, 8], [24, 8], [24, 40]], turn: -180}"
    assert np.array_equal(drawn(corner), drawn("{polygon: [[24, 40], [8, 40], [8, 8]]}"))


@pytest.mark.parametrize(("turn", "quarters"), [(90, -1), (180, 2), (-90, 1), (450, -1)])
def test_an_image_turns_about_the_middle_of_its_paint(turn: int, quarters: int) -> None:
    levels = np.zeros((64, 64), dtype=np.uint8)
    levels[10:22, 20:32] = np.random.default_rng(4).integers(1, 256, (12, 12))
    Image.fromarray(levels).save("m.png")
    wanted = np.zeros_like(levels)
    wanted[15:27, 20:32] = np.rot90(levels[10:22, 20:32], quarters)
    size = "size: 64x64\n"
    text = f"{size}model: tiny\nbrushes:\n  - prompt: a\n    mask: {{image: m.png, channel: luma, "
    assert np.array_equal(paint_at(read(f"{text}turn: {turn}, move: [0, 5]}}\n"), 0), wanted)


@pytest.mark.parametrize("scale", [0.5, 1.5, 2])
def test_an_image_grows_about_the_middle_of_its_paint(scale: float) -> None:
    levels = np.zeros((64, 64), dtype=np.uint8)
    levels[20:36, 24:40] = 255
    Image.fromarray(levels).save("m.png")
    text = (
        "size: 64x64\nmodel: tiny\nbrushes:\n  - prompt: a\n    mask: {image: m.png, channel: luma"
    )
    paint = paint_at(read(f"{text}, scale: {scale}}}\n"), 0).astype(float) / 255
    assert paint.sum() == pytest.approx((16 * scale) ** 2, rel=0.03)
    rows, columns = np.mgrid[:64, :64] + 0.5
    middle = [(paint * along).sum() / paint.sum() for along in (rows, columns)]
    assert middle == pytest.approx([28, 32], abs=0.02)
    assert paint[28, 32] == 1


@pytest.mark.parametrize("schedule", ["single", "stream"])
def test_moving_masks_are_those_of_stills(schedule: str, smd: Smd) -> None:
    levels = np.zeros((64, 64), dtype=np.uint8)
    levels[20:44, 4:28] = 255
    Image.fromarray(levels).save("m.png")

    def scene(move: str, rect: str) -> None:
        text = f"{HEAD}background: {{prompt: a meadow}}\nbrushes:\n"
        text += f"  - {{prompt: a fox, blur: 2, mask: {{image: m.png, move: {move}}}}}\n"
        text += f"  - {{prompt: an owl, blur: 2, mask: {{rect: {rect}}}}}\n"
        Path("s.yaml").write_text(text, encoding="utf-8")

    scene("{0: [0, 0], 4: [32, 8]}", "{0: [0, 0, 20, 20], 5: [40, 0, 20, 20]}")
    assert smd(["render", "s.yaml", "-o", "film-%d.png", "--schedule", schedule]).code == 0
    for frame in (0, 2, 5):
        way = min(frame, 4)
        scene(f"[{8 * way}, {2 * way}]", f"[{8 * frame}, 0, 20, 20]")
        one = ["render", "s.yaml", f"--frame={frame}", "--schedule=single", "-o", "one.png"]
        assert smd(one).code == 0
        pictures = [Image.open(name).convert("RGB") for name in ("one.png", f"film-{frame}.png")]
        still, film = (np.asarray(picture).astype(int) for picture in pictures)
        assert np.abs(still - film).max() <= 1


def keyed_scene(number: int) -> str:
    """A scene whose keys change by chance."""
    draw = random.Random(number)

    def track(value: Callable[[], object], key: str) -> str:
        frames = sorted(draw.sample(range(6), draw.randint(2, 4)))
        eased = ", ease: in-out" if draw.random() < 0.3 else ""
        pairs = ", ".join(f"{frame}: {value()}" for frame in frames)
        return f"    {key}: {{{pairs}{eased}}}\n"

    def words() -> str:
        return draw.choice(["a fox", "an owl", "a red castle", "trees"])

    def share() -> str:
        return f"{draw.random():.3f}"

    text = HEAD + "background:\n" + track(words, "prompt") + "brushes:\n"
    for left in (4, 20):
        move = "{0: [0, 0], 5: [8, -8]}" if number % 2 else "[0, 0]"
        text += f"  - mask: {{rect: [{left}, 8, 40, 40], move: {move}}}\n" + track(words, "prompt")
        chosen = draw.sample(["alpha", "strength", "blur", "seed", "repaint", "enabled"], 3)
        makers: dict[str, Callable[[], object]] = {
            "blur": lambda: draw.randint(0, 9),
            "seed": lambda: draw.randint(0, 99),
            "enabled": lambda: draw.choice(["true", "true", "false"]),
        }
        for key in chosen:
            text += track(makers.get(key, share), key)
    return text


@pytest.mark.parametrize("schedule", ["single", "stream"])
@pytest.mark.parametrize("number", range(2))  # together they change every key
def test_a_frame_alone_is_that_of_the_film(number: int, schedule: str, smd: Smd) -> None:
    Path("s.yaml").write_text(keyed_scene(number), encoding="utf-8")
    film = smd(["render", "s.yaml", "-o", "film-%04d.png", "--schedule", schedule])
    assert film.code == 0, film.err
    pictures = [Path(f"film-{frame:04d}.png").read_bytes() for frame in range(6)]
    assert len(set(pictures)) == 6
    spanned = smd(
        ["render", "s.yaml", "-o", "span-%d.png", "--frames=2:4", f"--schedule={schedule}"]
    )
    assert spanned.out.split() == ["span-2.png", "span-3.png", "span-4.png"]
    assert [Path(name).read_bytes() for name in spanned.out.split()] == pictures[2:5]
    for frame in (5, 2):
        options = [f"--frame={frame}", f"--schedule={schedule}"]
        told = smd(["render", "s.yaml", "-o", "one.png", *options])
        assert told.code == 0, told.err
        assert Path("one.png").read_bytes() == pictures[frame]


@pytest.mark.parametrize("schedule", ["single", "stream"])
@pytest.mark.parametrize("number", range(3, 13))
def test_frames_alone_are_those_of_the_film_in_ten_scenes(number: int, schedule: str) -> None:
    """By a model without weights, whose output depends on all that it is told, to the last bit."""
    file, fake = read(keyed_scene(number)), FakeBackbone()
    painted = read_pictures(file)

    def latents(order: Order) -> list[bytes]:
        plans = FramePlans(Planner(fake), file.scene, painted)
        frames = frames_of(plans, fake, schedule, order, 6, None)
        return [frame.latents.numpy().tobytes() for frame in frames]

    film = latents(Order(schedule))
    assert len({*film}) == 6
    assert [latents(Order(schedule, frame)) for frame in range(6)] == [[one] for one in film]


# Noise from frame to frame


def noises(text: str, backbone: Backbone) -> list[torch.Tensor]:
    """Start and slots' noise of every frame, (T + 1, C, h, w)."""
    file = read(text)
    plans = FramePlans(Planner(backbone), file.scene, read_pictures(file))
    found = []
    for frame in range(file.scene.frames):
        plan = plans(frame)
        found.append(torch.cat([plan.start_noise(frame)[None], plan.slot_noise]))
    return found


KEYED = "alpha: {0: 1, 12: 0.7}, blur: {0: 0, 23: 8}, strength: {0: 1, 9: 0.5, 12: 1}"


@pytest.mark.parametrize("kind", ["fixed", "walk", "flow"])
@pytest.mark.parametrize("seed", ["", ", seed: {0: 7, 12: 9, 23: 7}"])
def test_noise_does_not_pop_under_keyframes(kind: str, seed: str) -> None:
    """Independent noises are sqrt(2) apart; here no step is more than half of that."""
    text = f"model: tiny\nsize: 128x128\nframes: 24\nsampler: {{steps: 3, noise: {kind}}}\n"
    text += "background: {prompt: {0: a meadow, 23: sand}}\nbrushes:\n"
    text += f"  - {{prompt: a fox, {KEYED}{seed}, mask: {{rect: [8, 8, 56, 56], "
    text += "move: {0: [0, 0], 23: [9, 4]}}}\n"
    film = noises(text, FakeBackbone())
    steps = [float((a - b).pow(2).mean().sqrt()) for a, b in pairwise(film)]
    assert max(steps) < 0.5 * 2**0.5
    apart = torch.stack([b - a for a, b in pairwise(film)])
    assert (kind == "fixed" and not seed) == (not apart.any())
    assert all(abs(float(one.var()) - 1) < 0.05 for one in film)


@pytest.mark.parametrize("mask", ["{rect: [8, 8, 24, 24], MOVE}", "m.png", "shape"])
def test_flowing_noise_goes_with_the_mask_and_the_rest_is_fixed(mask: str) -> None:
    """By 2 px a cell: what lies within a mask that goes 4 px is what lay two cells before."""
    levels = np.zeros((64, 64), dtype=np.uint8)
    levels[8:32, 8:32] = 255
    Image.fromarray(levels).save("m.png")
    move = "move: {0: [0, 0], 5: [20, -10]}"
    masks = {
        "m.png": f"{{image: m.png, {move}}}",
        "shape": "{rect: {0: [8, 8, 24, 24], 5: [28, -2, 24, 24]}}",
    }
    text = "model: tiny\nsize: 64x64\nframes: 6\nbackground: {prompt: a}\nsampler: {noise: flow}\n"
    text += f"brushes:\n  - {{prompt: a, mask: {masks.get(mask, mask.replace('MOVE', move))}}}\n"
    text += "  - {prompt: b, mask: {rect: [0, 40, 64, 24]}, seed: 5}\n"
    film, still = (noises(one, FakeBackbone()) for one in (text, text.replace("flow", "fixed")))
    assert torch.equal(film[0], still[0])
    for frame in (2, 4):
        right, up = 2 * frame, frame
        here = film[frame][..., 4 - up : 16 - up, 4 + right : 16 + right]
        assert torch.equal(here, film[0][..., 4:16, 4:16])
        assert torch.equal(film[frame][..., 20:, :], still[0][..., 20:, :]), "it has a seed"
    half = film[1][..., 4:15, 7:17]  # one cell to the left, and half a cell up
    assert not torch.isclose(half, film[0][..., 4:15, 5:15]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--frames=4:6"], "--frames 4:6 goes past frame 5, the last"),
        (["--frames=4:3"], "--frames takes a number, or FIRST:LAST, not '4:3'"),
        (["--frames=:3"], "--frames takes a number, or FIRST:LAST, not ':3'"),
        (["--frames=1:3", "--frame=2"], "--frame 2 and --frames 1:3 exclude each other"),
    ],
)
def test_spans_of_frames_that_cannot_be(options: list[str], message: str, smd: Smd) -> None:
    Path("s.yaml").write_text(keyed_scene(0), encoding="utf-8")
    told = smd(["render", "s.yaml", *options])
    assert told.code == 2
    assert message in told.err


def test_a_frame_past_the_last_is_told_where_anything_moves(smd: Smd) -> None:
    text = keyed_scene(0)
    frames = int(text.partition("frames: ")[2].split()[0])
    still = "size: 64x64\nbackground: a\nframes: 6\n"
    for scene, frame, told in ((text, frames, True), (text, frames - 1, False), (still, 6, False)):
        Path("s.yaml").write_text(scene, encoding="utf-8")
        done = smd(["render", "s.yaml", "--frame", str(frame), "-o", "one.png"])
        assert done.code == 0, done.err
        note = f"--frame {frame} is past frame {frame - 1}, the last: what changes goes round"
        assert (note in done.err) == told
        assert told <= ("and is as in frame 0;" in done.err)
