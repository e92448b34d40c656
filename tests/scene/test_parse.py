"""Scenes that are right: every key, every default, every layer of defaults, every option."""

from __future__ import annotations

import io
import json
import random
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smd_cli.errors import Place, Problem, SceneError, UsageError
from smd_cli.models.facts import STARTER, ModelDefaults, read_defaults
from smd_cli.models.presets import PRESETS
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.scene.overrides import Override, parse_override
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import (
    Background,
    Bootstrap,
    Brush,
    EllipseMask,
    Guidance,
    ImageMask,
    Length,
    Output,
    PolygonMask,
    RectMask,
    Sampler,
    Scene,
    SceneFile,
)

FULL = """\
model: starter              # preset, folder or hub id
size: 512x512               # or [width, height]
seed: 2024                  # 0 … 2^63-1, or random
frames: 12                  # -n on the command line wins
defaults: {negative: "blurry, cropped", blur: 8}   # for every brush
prompt: {suffix: ", watercolour"}                  # joined to every prompt
background:
  prompt: a meadow under a blue sky
  image: photo.jpg          # optional: paint into a picture
brushes:                    # painter's order: later brushes lie on top
  - name: fox               # optional, unique
    prompt: a red fox       # required
    mask: masks/fox.png     # required
    alpha: 1.0
    blur: 8
    strength: 0.95
    seed: 7                 # optional: re-rolls this brush alone
    enabled: true           # false mutes the layer
sampler:
  preset: auto
  steps: 5                  # or timesteps: [999, …]
  mask_type: continuous     # discrete | continuous | semi-continuous
  cover: 0.3
  bootstrap: {steps: 1, mix: 1.0, leak: 0}
  guidance: {type: none, scale: 1.0, delta: 1.0}   # none | full | self | initialize
  noise: independent        # independent | fixed | walk
output: {fps: 12, loop: true, quality: 90}
"""
ROOT = Path(__file__).parents[2]
TWO = """\
background: a meadow
brushes:
  - {name: fox, prompt: a fox, mask: fox.png}
  - {prompt: an owl, mask: {rect: [0, 0, 9, 9]}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, and a starter model that states no defaults of its own."""

    def stated(model: ModelRef) -> ModelDefaults:
        return ModelDefaults() if model.folder == STARTER else read_defaults(model)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("smd_cli.scene.parse.read_defaults", stated)


def load(text: str, *sets: str, **options: Any) -> SceneFile:
    Path("scene.yaml").write_text(text, encoding="utf-8")
    return load_scene("scene.yaml", [parse_override(s) for s in sets], **options)


def scene(text: str, *sets: str, **options: Any) -> Scene:
    return load(text, *sets, **options).scene


def brush(keys: str) -> Brush:
    return scene(f"brushes:\n  - {{prompt: a fox, mask: m.png, {keys}}}\n").brushes[0]


def mask_of(mask: str) -> Any:
    return scene(f"brushes: [{{prompt: a fox, mask: {mask}}}]").brushes[0].mask


def model_folder(name: str, **stated: object) -> None:
    Path(name).mkdir()
    (Path(name) / "model_index.json").write_text("{}")
    (Path(name) / "smd.json").write_text(json.dumps(stated))


def weights_file(name: str) -> None:
    """A safetensors file without any weight."""
    Path(name).write_bytes(b"\2" + bytes(7) + b"{}")


def test_the_example_of_the_format_gives_exactly_this_scene() -> None:
    loaded = load(FULL)
    assert loaded.scene == Scene(
        model=ModelRef("starter", STARTER),
        size=(512, 512),
        seed=2024,
        frames=12,
        suffix=", watercolour",
        background=Background(
            prompt="a meadow under a blue sky, watercolour",
            negative="blurry, cropped",
            image=Path("photo.jpg"),
            image_written="photo.jpg",
            profile="srgb",
        ),
        brushes=(
            Brush(
                number=1,
                name="fox",
                prompt="a red fox, watercolour",
                negative="blurry, cropped",
                mask=(ImageMask(Path("masks/fox.png"), "masks/fox.png"),),
                alpha=1.0,
                blur_px=8.0,
                strength=0.95,
                seed=7,
                enabled=True,
            ),
        ),
        sampler=Sampler(
            preset="auto",
            steps=5,
            timesteps=None,
            mask_type="continuous",
            cover=0.3,
            bootstrap=Bootstrap(1, 1.0, 0.0),
            guidance=Guidance("none", 1.0, 1.0),
            noise="independent",
            preaverage=True,
        ),
        output=Output(fps=12.0, loop=True, quality=90),
    )
    assert (loaded.name, loaded.file, loaded.text) == ("scene", "scene.yaml", FULL)
    assert loaded.overrides == ()
    assert isinstance(hash(loaded.scene), int)


def test_a_scene_of_one_line_has_the_documented_defaults() -> None:
    assert scene("background: the sea") == Scene(
        model=ModelRef("starter", STARTER),
        background=Background("the sea", "", None, "", (255, 255, 255)),
        brushes=(),
        sampler=Sampler(
            "auto", 5, None, "continuous", 0.3, Bootstrap(1, 1, 0), Guidance("none", 1, 1)
        ),
        output=Output(12, True, 90),
        size=None,
        seed=0,
        frames=1,
    )


def test_a_brush_has_the_documented_defaults() -> None:
    made = scene("brushes: [{prompt: a fox, mask: m.png}]").brushes
    mask = (ImageMask(Path("m.png"), "m.png", None, False, None),)
    assert made == (Brush(1, "a fox", mask, None, "", 1.0, 8.0, 0.95, None, True),)


def test_places_tell_where_keys_stand() -> None:
    loaded = load(FULL, "brushes.fox.alpha=0.5")

    def at(*path: str | int) -> tuple[int, int]:
        place = loaded.place(*path)
        return place.line, place.column

    assert at("seed") == (3, 7)
    assert at("background") == (7, 1)
    assert at("background", "prompt") == (8, 11)
    assert at("brushes") == (10, 1)
    assert at("brushes", 0) == (11, 5)
    assert at("brushes", 0, "mask") == (13, 11)
    assert at("brushes", 0, "negative") == (11, 5)
    assert at("sampler", "guidance", "scale") == (25, 33)
    assert loaded.place("brushes", 0, "alpha") == Place("--set brushes.fox.alpha=0.5")


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512x384", (512, 384)),
        ("64X8192", (64, 8192)),
        ("'300 × 200'", (300, 200)),
        ("[300, 200]", (300, 200)),
    ],
)
def test_sizes(written: str, size: tuple[int, int]) -> None:
    assert scene(f"background: sea\nsize: {written}").size == size


def test_sides_that_wrap() -> None:
    """Of rows, from the top to the bottom, and of columns."""
    found = {w: scene(f"background: sea\nwrap: {w}").wraps for w in ("none", "x", "y", "both")}
    wanted = [(False, False), (False, True), (True, False), (True, True)]
    assert [*found.values()] == wanted
    assert scene("background: sea").wraps == (False, False)
    with pytest.raises(SceneError) as caught:
        scene("background: sea\nwrap: z")
    [problem] = caught.value.problems
    assert problem.place.line == 2
    assert problem.message == "wrap must be one of none, x, y, both, not the text 'z'"


@pytest.mark.parametrize(
    ("written", "color"),
    [
        ("white", (255, 255, 255)),
        ("RebeccaPurple", (102, 51, 153)),
        ("'#ff8000'", (255, 128, 0)),
        ("'#FF8000'", (255, 128, 0)),
        ("[1, 2, 255]", (1, 2, 255)),
    ],
)
def test_colours(written: str, color: tuple[int, int, int]) -> None:
    assert scene(f"background: {{prompt: sea, color: {written}}}").background.color == color


def test_seeds() -> None:
    assert scene("background: sea\nseed: 9223372036854775807").seed == 2**63 - 1
    assert scene("background: sea\nseed: 0x10").seed == 16
    drawn = [scene("background: sea\nseed: random") for _ in range(3)]
    assert all(0 <= s.seed < 2**63 and s.seed_was_random for s in drawn)
    assert len({s.seed for s in drawn}) > 1
    assert not scene("background: sea\nseed: 5").seed_was_random


def test_masks_of_every_kind() -> None:
    px = Length
    assert mask_of("a/b.png") == (ImageMask(Path("a/b.png"), "a/b.png"),)
    assert mask_of("{image: b.png, channel: red, invert: true, fit: cover}") == (
        ImageMask(Path("b.png"), "b.png", "red", True, "cover"),
    )
    assert mask_of("{rect: [1, -2.5, 30, 25%]}") == (
        RectMask(px(1), px(-2.5), px(30), Length(0.25, "share")),
    )
    assert mask_of("{ellipse: ['12.5 %', 0, 5, 6], invert: true}") == (
        EllipseMask(Length(0.125, "share"), px(0), px(5), px(6), True),
    )
    assert mask_of("{polygon: [[0, 0], [9, 0], [0, 9]]}") == (
        PolygonMask(((px(0), px(0)), (px(9), px(0)), (px(0), px(9)))),
    )
    assert mask_of("[a.png, {rect: [0, 0, 1, 1]}, {image: b.png}]") == (
        ImageMask(Path("a.png"), "a.png"),
        RectMask(px(0), px(0), px(1), px(1)),
        ImageMask(Path("b.png"), "b.png"),
    )


def test_a_shape_that_only_touches_the_canvas_is_fine() -> None:
    made = scene(
        "size: 100x100\nbrushes:\n"
        "  - {prompt: a, mask: {rect: [-50, 99, 51, 80]}}\n"
        "  - {prompt: b, mask: {polygon: [[-10, -10], [200, -10], [50, 300]]}}\n"
        "  - {prompt: c, mask: {ellipse: [99%, 0, 50%, 5]}}\n"
    )
    assert len(made.brushes) == 3


def test_words_are_joined_to_every_prompt_and_to_no_negative() -> None:
    made = scene(
        "prompt: {prefix: 'photo of ', suffix: ' 🦊'}\n"
        "defaults: {negative: blurry, alpha: 0.5, blur: 3, strength: 0}\n"
        "background: {prompt: sea, negative: dark}\n"
        "brushes:\n"
        "  - {prompt: a fox, mask: m.png}\n"
        "  - {prompt: an owl, mask: m.png, negative: '', alpha: 1, blur: 0, strength: 1}\n"
    )
    assert (made.background.prompt, made.background.negative) == ("photo of sea 🦊", "dark")
    fox, owl = made.brushes
    assert (fox.prompt, fox.negative) == ("photo of a fox 🦊", "blurry")
    assert (fox.alpha, fox.blur_px, fox.strength) == (0.5, 3.0, 0.0)
    assert (owl.prompt, owl.negative) == ("photo of an owl 🦊", "")
    assert (owl.alpha, owl.blur_px, owl.strength) == (1.0, 0.0, 1.0)


def test_the_default_negative_is_the_backgrounds_too() -> None:
    start = "defaults: {negative: blurry}\nbrushes: [{prompt: a fox, mask: m.png}]\n"
    for below in ("background: sea\n", "background: {prompt: sea}\n", ""):
        assert scene(start + below).background.negative == "blurry"
    assert scene(start + "background: {prompt: sea, negative: ''}").background.negative == ""


def test_brush_keys() -> None:
    assert brush("seed: 3").seed == 3
    assert brush("enabled: true, name: x, alpha: 1e-3").alpha == 0.001
    made = scene("background: sea\nbrushes: [{prompt: a, mask: m.png, enabled: false}]")
    assert (len(made.brushes), made.active) == (1, ())
    assert (brush("").repaint, brush("repaint: 0").repaint) == (1.0, 0.0)
    start = "defaults: {repaint: 0.9}\nbrushes: [{prompt: a, mask: m.png},"
    two = scene(start + " {prompt: b, mask: m.png, repaint: 1}]").brushes
    assert [each.repaint for each in two] == [0.9, 1.0]


def test_a_picture_is_kept_or_painted_anew() -> None:
    def background(keys: str, *options: str) -> Background:
        text = f"background: {{{keys}}}\nbrushes: [{{prompt: a, mask: m.png}}]"
        return scene(text, *options).background

    kept = background("prompt: sea, image: b.png, repaint: 0")
    assert kept == background("prompt: sea, image: b.png")
    assert (kept.repaint, kept.repainted, kept.generated) == (0.0, False, False)
    anew = background("prompt: sea, image: b.png, repaint: 0.4")
    assert (anew.repaint, anew.repainted, anew.generated) == (0.4, True, True)
    assert background("prompt: sea").generated
    assert not background("color: red").generated
    assert scene("background: {prompt: sea, image: b.png, repaint: 1}").brushes == ()


def test_sampler_keys() -> None:
    made = scene(
        "background: sea\n"
        "sampler:\n"
        "  timesteps: [999, 400, 0]\n"
        "  mask_type: semi-continuous\n"
        "  cover: 1\n"
        "  bootstrap: {steps: 2, mix: 1.5, leak: 0.2}\n"
        "  guidance: {type: self, scale: 1.4, delta: 0.5}\n"
        "  noise: walk\n"
        "  preaverage: false\n"
    )
    assert made.sampler == Sampler(
        "auto",
        None,
        (999, 400, 0),
        "semi-continuous",
        1.0,
        Bootstrap(2, 1.5, 0.2),
        Guidance("self", 1.4, 0.5),
        "walk",
        False,
    )


# --- Models and their own defaults ----------------------------------------------------------------


def test_models_by_preset_folder_and_hub_id() -> None:
    model_folder("tiny")
    Path("vae").mkdir()
    Path("vae/config.json").write_text("{}")
    assert scene("background: sea\nmodel: tiny").model == ModelRef("tiny", Path("tiny"))
    assert scene("background: sea\nmodel: hub:a/tiny").model == ModelRef("a/tiny")
    full = "model: {name: some/model, revision: fp16, vae: vae}"
    assert scene(f"background: sea\n{full}").model == ModelRef(
        "some/model", None, "fp16", ModelRef("vae", Path("vae"))
    )
    hub = scene("background: sea\nmodel: {name: tiny, vae: some/vae}").model
    assert hub.vae == ModelRef("some/vae")


def model(text: str) -> ModelRef:
    return scene(f"background: sea\nmodel: {text}").model


def test_all_that_belongs_to_a_model() -> None:
    weights_file("style.safetensors")
    Path("loras").mkdir()
    model_folder("tiny")
    listed = "[style.safetensors, {path: loras, weight: 0.5}, a/b, {path: a/b/c.d.safetensors}]"
    made = model(f"{{name: tiny, clip_skip: 1, lora: {listed}}}")
    assert made.clip_skip == 1
    assert made.loras == (
        LoraRef("style.safetensors", Path("style.safetensors")),
        LoraRef("loras", Path("loras"), weight=0.5),
        LoraRef("a/b"),
        LoraRef("a/b", file="c.d.safetensors"),
    )
    one = model("{name: tiny, lora: {path: a/b, weight: -1, revision: main}}")
    assert one.loras == (LoraRef("a/b", revision="main", weight=-1.0),)


def test_a_single_file_with_a_config_folder() -> None:
    model_folder("tiny")
    weights_file("one.safetensors")
    made = model("{name: one.safetensors, config: tiny}")
    assert (made.file, made.config) == (Path("one.safetensors"), Path("tiny"))
    assert made.folder is None


def test_every_preset_is_a_model() -> None:
    for name, preset in PRESETS.items():
        made = scene(f"background: sea\nmodel: {name}")
        assert made.model.name == name
        assert made.model.hub_id == (preset.repository or name)
        assert made.model.revision == preset.revision
        assert (made.model.folder is None) == (name != "starter")
        if name != "starter" and not preset.family:  # those of flow-matching models are not pinned
            assert preset.revision is not None
            assert re.fullmatch("[0-9a-f]{40}", preset.revision)
            assert made.model.vae is not None


def test_a_presets_sampler_lies_under_the_scene() -> None:
    text = "background: sea\nmodel: sdxl-lightning"
    assert scene(text).sampler.steps == 4
    assert scene(text, "sampler.steps=8").sampler.steps == 8
    own = read_defaults(scene(text).model)
    assert (own.native_size, own.consistency, own.known) == ((1024, 1024), False, False)
    assert own.scheduler["timestep_spacing"] == "trailing"
    assert own.samples_as_stated
    guided = scene("background: sea\nmodel: lcm-dreamshaper").sampler.guidance
    assert guided == Guidance("full", 8)


def test_what_is_said_beside_a_preset() -> None:
    """The LoRAs of the scene come after its own; autoencoder and revision take their place."""
    made = model("{name: sdxl, revision: main, vae: a/vae, lora: a/style}")
    assert [lora.name for lora in made.loras] == ["latent-consistency/lcm-lora-sdxl", "a/style"]
    assert (made.vae, made.revision) == (ModelRef("a/vae"), "main")
    assert made.hub_id == "stabilityai/stable-diffusion-xl-base-1.0"


def test_a_folder_that_is_part_of_a_model() -> None:
    Path("control").mkdir()
    Path("control/config.json").write_text('{"_class_name": "ControlNetModel"}')
    with pytest.raises(SceneError) as refused:
        scene("background: sea\nmodel: control")
    [problem] = refused.value.problems
    assert problem.message == "control is a ControlNetModel, which is no whole model"
    assert problem.hint.startswith("smd runs ")


def test_a_models_own_defaults_lie_under_the_scene() -> None:
    model_folder(
        "own",
        blur=3,
        sampler={"timesteps": [900, 300], "cover": 0.6, "guidance": {"type": "full", "scale": 3}},
    )
    text = "model: own\nbrushes: [{prompt: a fox, mask: m.png}]\n"
    made = scene(text)
    assert made.sampler == Sampler(
        steps=None, timesteps=(900, 300), cover=0.6, guidance=Guidance("full", 3.0, 1.0)
    )
    assert made.brushes[0].blur_px == 3.0

    made = scene(text + "sampler: {steps: 4, guidance: {delta: 0.5}}\ndefaults: {blur: 5}\n")
    assert made.sampler == Sampler(
        steps=None,
        timesteps=(900, 700, 500, 300),
        cover=0.6,
        guidance=Guidance("full", 3.0, 0.5),
        bootstrap=Bootstrap(2, 2.0),
    )
    assert made.brushes[0].blur_px == 5.0


def test_the_paper_preset_beats_the_model_and_the_scene_beats_the_preset() -> None:
    model_folder("own", blur=3, sampler={"timesteps": [900], "noise": "walk", "preaverage": False})
    text = "model: own\nbrushes: [{prompt: a fox, mask: m.png}]\n"
    made = scene(text + "sampler: {preset: paper}")
    assert made.sampler == Sampler("paper", 5, None, "continuous", 0.3)
    assert made.brushes[0].blur_px == 8.0
    made = scene(text + "sampler: {preset: paper, timesteps: [800], cover: 0}")
    assert made.sampler == Sampler("paper", None, (800,), "continuous", 0.0)


def test_timesteps_of_the_scene_beat_steps_of_the_model() -> None:
    model_folder("own", sampler={"steps": 8})
    made = scene("background: sea\nmodel: own\nsampler: {timesteps: [5]}")
    assert (made.sampler.steps, made.sampler.timesteps) == (None, (5,))


# --- Files and standard input ---------------------------------------------------------------------


def test_paths_start_from_the_scenes_folder() -> None:
    Path("deep").mkdir()
    model_folder("deep/tiny")
    text = "model: tiny\nbackground: {image: p.png}\nbrushes: [{prompt: a, mask: m/x.png}]"
    Path("deep/s.v2.yaml").write_text(text)
    loaded = load_scene("deep/s.v2.yaml")
    assert loaded.name == "s.v2"
    assert loaded.scene.model.folder == Path("deep/tiny")
    assert loaded.scene.background.image == Path("deep/p.png")
    assert loaded.scene.brushes[0].mask == (ImageMask(Path("deep/m/x.png"), "m/x.png"),)


def test_a_scene_from_standard_input() -> None:
    loaded = load_scene("-", stdin=io.BytesIO(TWO.encode()))
    assert (loaded.name, loaded.file) == ("stdin", "<stdin>")
    assert loaded.scene.brushes[0].mask == (ImageMask(Path("fox.png"), "fox.png"),)


@pytest.mark.parametrize("change", ["\ufeff{}", "---\n{}...\n", "%YAML 1.2\n---\n{}"])
def test_files_of_other_editors(change: str) -> None:
    assert scene(change.format(TWO)) == scene(TWO)
    Path("crlf.yaml").write_bytes(change.format(TWO).replace("\n", "\r\n").encode())
    assert load_scene("crlf.yaml").scene == scene(TWO)


# --- Options --------------------------------------------------------------------------------------


def test_options_change_any_key() -> None:
    loaded = load(
        TWO,
        "seed=7",
        "size=[300, 200]",
        "brushes.fox.prompt=a blue fox: running",
        "brushes.2.alpha=0.5",
        "brushes.2.name=owl",
        "brushes.owl.blur=1",
        "background.color=red",
        "sampler.guidance.scale=2",
        "prompt.suffix=",
    )
    made = loaded.scene
    fox, owl = made.brushes
    assert (made.seed, made.size, fox.prompt) == (7, (300, 200), "a blue fox: running")
    assert (owl.name, owl.alpha, owl.blur_px) == ("owl", 0.5, 1.0)
    assert made.background == Background("a meadow", color=(255, 0, 0))
    assert made.sampler.guidance == Guidance("none", 2.0, 1.0)
    assert loaded.overrides[2] == "brushes.fox.prompt=a blue fox: running"


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("1", "1"),
        ("no", "no"),
        ("true", "true"),
        ("[a fox", "[a fox"),
        ("[a, fox]", "[a, fox]"),
        ("# fox", "# fox"),
        ('"a # fox"', "a # fox"),
        ("a: b: c", "a: b: c"),
        ("!fox", "!fox"),
        ("*fox", "*fox"),
        ("Füchse 🦊", "Füchse 🦊"),
        ("a fox #1 of 3", "a fox #1 of 3"),
        ("&x a fox", "&x a fox"),
        ("!!str a fox", "!!str a fox"),
        ("! a fox", "! a fox"),
        ("--- a fox", "--- a fox"),
        ("a fox\n...\n", "a fox\n...\n"),
        ("  a fox ", "  a fox "),
        ("a\nfox\n\ttwo  ", "a\nfox\n\ttwo  "),
        ("a: b", "a: b"),
        ("{a}", "{a}"),
        ("[a]", "[a]"),
        ("null", "null"),
        ("~", "~"),
        ("# a", "# a"),
        ("| a", "| a"),
        ("|\n a\n b", "|\n a\n b"),
        ("> a", "> a"),
        ("%a", "%a"),
        ("@a", "@a"),
        ("`a`", "`a`"),
        ("- a", "- a"),
        ("? a", "? a"),
        ("0x1F", "0x1F"),
        ("a \x07 bell", "a \x07 bell"),
        ("'it''s'", "it's"),
        ('"a\\nb"', "a\nb"),
        ('"a" and "b"', '"a" and "b"'),
        ('"a" # "', '"a" # "'),
        (' "a"', ' "a"'),
        ("'a'b'", "'a'b'"),
        ('"a\nb"', '"a\nb"'),
    ],
)
def test_what_is_typed_is_a_text_where_a_text_is_wanted(typed: str, prompt: str) -> None:
    assert scene(TWO, f"brushes.fox.prompt={typed}").brushes[0].prompt == prompt


@pytest.mark.parametrize("typed", ["a fox: running", "1", "[a]", "a #1", "&a b", " null"])
def test_a_short_form_is_a_text_too(typed: str) -> None:
    assert scene(TWO, f"background={typed}").background.prompt == typed
    masks = scene(TWO, f"brushes.fox.mask={typed}.png").brushes[0].mask
    assert masks == (ImageMask(Path(f"{typed}.png"), f"{typed}.png"),)
    made = scene(TWO, f"background={typed}", "background.color=#ff0001").background
    assert (made.prompt, made.color) == (typed, (255, 0, 1))


@pytest.mark.parametrize(
    "typed", ["{prompt: x, color: red}", " {prompt: x, color: red}", "prompt: x\ncolor: red"]
)
def test_a_structure_is_read_where_one_is_wanted(typed: str) -> None:
    assert scene(TWO, f"background={typed}").background == Background("x", color=(255, 0, 0))
    shape = RectMask(Length(0), Length(0), Length(5), Length(5))
    assert scene(TWO, "brushes.2.mask={rect: [0, 0, 5, 5]}").brushes[1].mask == (shape,)
    assert scene(TWO, "brushes.2.mask=rect: [0, 0, 5, 5]").brushes[1].mask == (shape,)
    both = scene(TWO, "brushes.2.mask=[{rect: [0, 0, 5, 5]}, 'a #1.png']").brushes[1].mask
    assert both == (shape, ImageMask(Path("a #1.png"), "a #1.png"))
    assert scene(TWO, "sampler.guidance={type: full}").sampler.guidance.type == "full"


def test_names_of_models_and_brushes_are_texts() -> None:
    model_folder("my #1")
    assert scene(TWO, "model=my #1").model == ModelRef("my #1", Path("my #1"))
    named = scene(TWO, "brushes.2.name=owl #1", "brushes.owl #1.seed=3").brushes[1]
    assert (named.name, named.seed) == ("owl #1", 3)
    assert scene(TWO, "prompt.suffix= in the snow").brushes[0].prompt == "a fox in the snow"


def test_a_later_option_wins_and_takes_away_what_it_excludes() -> None:
    made = scene(TWO, "sampler.steps=4", "sampler.timesteps=[9, 8]")
    assert (made.sampler.steps, made.sampler.timesteps) == (None, (9, 8))
    made = scene(TWO, "brushes.2.mask.ellipse=[0, 0, 5, 5]")
    assert made.brushes[1].mask == (EllipseMask(Length(0), Length(0), Length(5), Length(5)),)
    assert scene(TWO, "seed=1", "seed=2").seed == 2


def test_an_option_takes_away_what_its_kind_of_mask_has_not() -> None:
    text = "brushes: [{prompt: a, mask: {image: a.png, fit: cover, channel: alpha}}]"
    [placed] = scene(text, "brushes.1.mask.at=[5, 6]").brushes[0].mask
    assert placed == ImageMask(Path("a.png"), "a.png", channel="alpha", at=(Length(5), Length(6)))
    [fitted] = scene(text, "brushes.1.mask.at=[5, 6]", "brushes.1.mask.fit=contain").brushes[0].mask
    assert fitted == ImageMask(Path("a.png"), "a.png", channel="alpha", fit="contain")
    [shape] = scene(text, "brushes.1.mask.rect=[0, 0, 5, 5]").brushes[0].mask
    assert shape == RectMask(Length(0), Length(0), Length(5), Length(5))
    [image] = scene(text, "brushes.1.mask.image=b.png").brushes[0].mask
    assert image == ImageMask(Path("b.png"), "b.png", channel="alpha", fit="cover")


@pytest.mark.parametrize("options", [["brushes.2.mask=[a.png, b.png]"], ["brushes.2.mask=[a.png]"]])
def test_a_list_of_masks_is_set_as_a_whole(options: list[str]) -> None:
    with pytest.raises(SceneError) as caught:
        scene(TWO, *options, "brushes.2.mask.invert=true")
    assert [p.message for p in caught.value.problems] == ["mask is a list: set it as a whole"]
    assert "mask.1.channel" in caught.value.problems[0].hint


def test_a_part_of_a_mask_is_named_by_its_number() -> None:
    parts = "[a.png, {image: b.png, fit: cover}, {rect: [0, 0, 9, 9]}, '3.png']"
    text = f"brushes: [{{prompt: a, name: x, mask: {parts}}}]"
    options = ["x.mask.1.channel=alpha", "x.mask.2.at=[1, 2]", "1.mask.3.invert=true"]
    options += ["1.mask.4=d.png", "1.mask.2.channel=luma"]
    assert scene(text, *(f"brushes.{option}" for option in options)).brushes[0].mask == (
        ImageMask(Path("a.png"), "a.png", channel="alpha"),
        ImageMask(Path("b.png"), "b.png", channel="luma", at=(Length(1), Length(2))),
        RectMask(Length(0), Length(0), Length(9), Length(9), invert=True),
        ImageMask(Path("d.png"), "d.png"),
    )
    for number in ("0", "5", "99999999999"):
        with pytest.raises(SceneError) as caught:
            scene(text, f"brushes.x.mask.{number}.channel=alpha")
        [problem] = caught.value.problems
        assert problem.message == f"mask has 4 parts: there is no part {int(number)}"


def test_short_forms_open_for_options() -> None:
    made = scene(TWO, "brushes.fox.mask.invert=true", "background.negative=dark")
    assert made.brushes[0].mask == (ImageMask(Path("fox.png"), "fox.png", invert=True),)
    assert made.background == Background("a meadow", "dark")


def test_an_option_mends_the_file() -> None:
    assert scene(TWO.replace("an owl", "''"), "brushes.2.prompt=an owl") == scene(TWO)


def test_paths_in_options_start_from_their_base() -> None:
    Path("deep").mkdir()
    Path("deep/scene.yaml").write_text(TWO)
    model_folder("tiny")
    loaded = load_scene(
        "deep/scene.yaml",
        [
            parse_override("model=tiny"),
            parse_override("background.image=p.png"),
            Override("brushes.fox.mask", "[{image: a.png}]", "--mask", base=Path("/x")),
            Override("brushes.2.mask", "b.png", "--mask"),
        ],
    )
    assert loaded.scene.model.folder == Path("tiny")
    assert loaded.scene.background.image == Path("p.png")
    assert loaded.scene.brushes[0].mask == (ImageMask(Path("/x/a.png"), "a.png"),)
    assert loaded.scene.brushes[1].mask == (ImageMask(Path("deep/b.png"), "b.png"),)


def test_a_path_of_an_option_that_only_the_scenes_folder_has() -> None:
    Path("deep").mkdir()
    Path("deep/scene.yaml").write_text(TWO)
    Path("deep/x.png").touch()
    with pytest.raises(SceneError) as caught:
        load_scene("deep/scene.yaml", [parse_override("brushes.fox.mask=x.png")])
    (problem,) = caught.value.problems
    beside = Path("deep/x.png")
    assert problem.hint == f"paths in options count from the current folder: {beside}"


def test_only_and_without_mute_brushes_and_are_recorded() -> None:
    loaded = load(TWO, only=["fox"])
    assert [b.enabled for b in loaded.scene.brushes] == [True, False]
    assert loaded.overrides == ("brushes.2.enabled=false",)
    loaded = load(TWO, without=["fox", "2"])
    assert [b.enabled for b in loaded.scene.brushes] == [False, False]
    assert loaded.overrides == ("brushes.fox.enabled=false", "brushes.2.enabled=false")
    assert loaded.place("brushes", 0, "enabled") == Place("--without fox")


def test_names_with_dots_are_found() -> None:
    text = TWO.replace("name: fox", "name: fox.v2")
    assert scene(text, "brushes.fox.v2.seed=3").brushes[0].seed == 3


def test_brushes_that_share_an_anchor_are_changed_alone() -> None:
    text = "brushes: [&a {prompt: a, mask: m.png}, *a]"
    assert [b.seed for b in scene(text, "brushes.2.seed=3").brushes] == [None, 3]


@pytest.mark.parametrize("text", ["seed", "=3", " =3", ""])
def test_a_set_without_key_or_value_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--set takes KEY=VALUE"):
        parse_override(text)


# --- Robustness -----------------------------------------------------------------------------------


def _mutated(text: str, rng: random.Random) -> str:
    """The text with up to three random injuries."""
    for _ in range(rng.randint(1, 3)):
        at, other = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        other = min(other, at + 12)
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:at] + text[other:]
        elif kind == 1:
            text = text[:at] + rng.choice(string.printable + "🦊\x00\x85\ufeff") + text[at:]
        elif kind == 2:
            text = text[:at] + text[at:other] * 2 + text[other:]
        elif kind == 3:
            text = text[:at]
        else:
            tokens = [".nan", "-1", "1e999", "{}", "[]", "&a ", "*a", "!!int ", "~", "'", "\t", "%"]
            text = text[:at] + rng.choice(tokens) + text[other:]
        text = text or "x"
    return text


def _outcome(text: str, *overrides: Override) -> SceneFile | tuple[Problem, ...]:
    try:
        return load_scene("-", overrides, stdin=io.BytesIO(text.encode()))
    except SceneError as error:
        return error.problems


def test_whatever_is_written_gives_a_scene_or_a_scene_error() -> None:
    rng = random.Random(20240501)
    outcomes = [_outcome(_mutated(FULL, rng)) for _ in range(250)]
    failures = [found for found in outcomes if isinstance(found, tuple)]
    assert 100 < len(failures) < 250
    assert all(failures)
    assert not any("\n" in p.message + p.hint for problems in failures for p in problems)


def test_whatever_is_typed_gives_a_scene_or_a_scene_error() -> None:
    rng = random.Random(7)
    keys = ["seed", "brushes.fox.mask", "brushes.1.prompt", "sampler", "a.b.c", "model", "brushes"]
    for _ in range(250):
        value = "".join(rng.choice("{}[]:,&*!%@'\"\\ -#.x0\ud800\0\n🦊") for _ in range(6))
        assert _outcome(TWO, parse_override(f"{rng.choice(keys)}={value}"))


def test_reading_a_scene_imports_nothing_heavy() -> None:
    code = (
        "import io, sys; from smd_cli.scene.parse import load_scene\n"
        "load_scene('-', stdin=io.BytesIO(b'background: sea'))\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy', 'imageio'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
