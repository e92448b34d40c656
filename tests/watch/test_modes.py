"""Endless frames, previews, and what keys and buttons ask for."""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Smd
from dense import dense
from PIL import Image
from torch import Tensor

from smd_cli.backbone.families.sd import StableDiffusion
from smd_cli.engine import flight, stream
from smd_cli.engine.contract import Backbone, Rows
from smd_cli.engine.flight import Flight
from smd_cli.errors import UsageError
from smd_cli.scene.overrides import parse_override
from smd_cli.scene.types import Background
from smd_cli.watch.board import Command
from smd_cli.watch.live import Studio, WatchOptions
from smd_cli.watch.sources import SceneReader
from smd_cli.watch.tell import background_lines
from smd_cli.work.job import Job
from smd_cli.work.motion import FramePlans
from smd_cli.work.request import Request

from .follow import Following, disc, save, text_of

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
seed: 5
brushes:
  - {{name: fox, prompt: a fox, mask: fox.png}}
  - {{name: owl, prompt: an owl, mask: {{ellipse: [30, 24, 30, 30]}}}}
defaults: {{blur: 0}}
sampler: {{steps: 3}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENE, encoding="utf-8")
    disc(20).save("fox.png")
    return tmp_path


def pixels(path: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def render(smd: Smd, *options: str) -> None:
    """What `smd render` makes of the files as they are now."""
    result = smd(["render", "s.yaml", "-q", *options])
    assert result.code == 0, result.err


ENDLESS = WatchOptions(endless=True)


def test_endless_frames_are_those_of_render(smd: Smd) -> None:
    with Following(ENDLESS, ("live-%02d.png",)) as live:
        live.until(lambda s: s.frame >= 5)
    render(smd, "-n", "6", "--schedule", "stream", "-o", "again-%02d.png")
    for frame in range(6):
        theirs = pixels(f"again-{frame:02d}.png").astype(int)
        assert np.abs(pixels(f"live-{frame:02d}.png") - theirs).max() <= 1


@pytest.mark.slow
def test_an_edit_shows_in_the_next_frame_of_the_stream(smd: Smd) -> None:
    with Following(ENDLESS, ("live-%03d.png",)) as live:
        live.until(lambda s: s.frame >= 3)
        save(disc(44), Path("fox.png"))
        state = live.fresh(2)
        live.ask(Command.PLAY)
        state = live.until(lambda s: not s.playing)
        first = state.frame
    assert state.change == "fox.png"
    render(smd, "-n", str(first + 1), "-o", "again-%03d.png")
    shown = pixels(f"live-{first:03d}.png").astype(int)
    assert np.abs(shown - pixels(f"again-{first:03d}.png")).max() <= 1
    assert sorted(int(p.stem[5:]) for p in Path().glob("live-*")) == list(range(first + 1))


@pytest.mark.slow
def test_an_edit_does_not_wait_for_the_end_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a step of nine calls the first one takes long enough for somebody to save a mask."""
    told: list[str] = []
    advance, predict, plans = flight.advance, StableDiffusion.predict, Studio.plans

    def step(backbone: Backbone, flights: Sequence[Flight]) -> list[Flight]:
        told.append("begin")
        after = advance(backbone, flights)
        told.append("end")
        return after

    def call(model: StableDiffusion, rows: Rows) -> Tensor:
        if told.count("end") == 4 and told[-1] == "begin":
            save(disc(44), Path("fox.png"))
            told.append("saved")
        if told[-1] == "saved":
            time.sleep(0.5)
        return predict(model, rows)

    def planned(studio: Studio, job: Job) -> tuple[FramePlans, Backbone]:
        told.append("plan")
        return plans(studio, job)

    monkeypatch.setattr(flight, "MOST_CELLS", 1)
    monkeypatch.setattr(stream, "advance", step)
    monkeypatch.setattr(StableDiffusion, "predict", call)
    monkeypatch.setattr(Studio, "plans", planned)
    with Following(ENDLESS) as live:
        live.fresh(2)
    assert told[told.index("saved") + 1] == "plan"


@pytest.mark.slow
def test_blended_frames_are_never_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that began under the old scene are stale; the first fresh one began under the new."""
    told = []
    with Following(WatchOptions(endless=True, blend=True)) as live:
        tell = live.board.tell

        def recorded(**facts: object) -> None:
            told.append((facts.get("shown"), facts.get("fresh"), "pixels" in facts))
            tell(**facts)  # type: ignore[arg-type]

        monkeypatch.setattr(live.board, "tell", recorded)
        live.until(lambda s: s.frame >= 4)
        save(disc(44), Path("fox.png"))
        live.fresh(2)
    of_new = [fresh for shown, fresh, picture in told if picture and shown == 2]
    assert of_new[:3] == [False, False, True]


def test_endless_frames_of_a_walk_move() -> None:
    """Of a still too: they are the first of the round that it walks."""
    walking = SCENE.replace("{steps: 3}", "{steps: 2, noise: walk}")
    Path("s.yaml").write_text(walking, encoding="utf-8")
    with Following(ENDLESS, ("live-%02d.png",)) as live:
        live.until(lambda s: s.frame >= 4)
    shown = [pixels(f"live-{frame:02d}.png").astype(int) for frame in range(4)]
    moves = [np.abs(a - b).mean() for a, b in pairwise(shown)]
    assert all(move > 0 for move in moves)
    assert max(moves) < np.abs(shown[0] - shown[3]).mean()  # on along a path, not to and fro


@pytest.mark.slow
def test_pause_step_and_play() -> None:
    with Following(ENDLESS) as live:
        live.until(lambda s: s.frame >= 2)
        live.ask(Command.PLAY)
        paused = live.until(lambda s: not s.playing)
        time.sleep(0.5)
        at = live.board.state.frame
        assert at <= paused.frame + 1
        time.sleep(0.5)
        assert live.board.state.frame == at
        live.ask(Command.STEP)
        live.until(lambda s: s.frame == at + 1)
        time.sleep(0.4)
        assert live.board.state.frame == at + 1
        save(disc(40), Path("fox.png"))
        live.until(lambda s: s.wanted == 2 and not s.fresh)
        time.sleep(0.4)
        assert live.board.state.shown == 1
        live.ask(Command.STEP)
        live.fresh(2)
        live.ask(Command.PLAY)
        live.until(lambda s: s.playing and s.frame > at + 3)


@pytest.mark.slow
def test_paused_edits_wait_and_play_paints_the_last(smd: Smd) -> None:
    with Following(WatchOptions()) as live:
        live.fresh(1)
        live.ask(Command.PLAY)
        live.until(lambda s: not s.playing)
        for x in (30, 40):
            save(disc(x), Path("fox.png"))
            time.sleep(0.4)
        assert live.board.state.shown == 1
        assert not live.board.state.fresh
        live.ask(Command.PLAY)
        live.fresh(live.board.state.wanted)
    render(smd, "-o", "again.png")
    assert Path("live.png").read_bytes() == Path("again.png").read_bytes()


def test_a_step_paints_the_next_frame(smd: Smd) -> None:
    with Following(WatchOptions(), ("live.png", "film.gif")) as live:
        live.fresh(1)
        while not Path("film.gif").exists():
            time.sleep(0.02)
        film = Path("film.gif").read_bytes()
        live.ask(Command.STEP)
        live.until(lambda s: s.frame == 1)
    assert Path("film.gif").read_bytes() == film
    render(smd, "-n", "2", "--schedule", "single", "-o", "again-%d.png")
    assert (pixels("live.png") == pixels("again-1.png")).all()


def test_another_seed_is_told_and_painted(smd: Smd) -> None:
    with Following(WatchOptions()) as live:
        first = live.fresh(1)
        live.ask(Command.SEED)
        second = live.fresh(2)
    assert first.seed == 5 != second.seed
    render(smd, "--seed", str(second.seed), "-o", "again.png")
    assert (pixels("live.png") == pixels("again.png")).all()
    assert text_of(Path("live.png"))["smd:overrides"] == f"seed={second.seed}"


def test_while_paused_the_figures_are_the_shown_pictures() -> None:
    """Another seed waits until it is painted, and only a saved picture has seconds of its own."""
    with Following(WatchOptions()) as live:
        live.fresh(1)
        save(disc(44), Path("fox.png"))
        assert live.fresh(2).seconds is not None
        live.ask(Command.PLAY)
        live.ask(Command.SEED)
        waiting = live.until(lambda s: s.wanted == 3)
        assert (waiting.shown, waiting.seed, waiting.fresh) == (2, 5, False)
        assert waiting.seconds is not None
        assert waiting.notice == f"New seed {waiting.next_seed}: play or step paints it."
        live.ask(Command.STEP)
        painted = live.fresh(3)
        assert painted.seed == painted.next_seed == waiting.next_seed
        assert painted.seconds is None
        live.ask(Command.PLAY)
        live.ask(Command.SEED)
        assert live.until(lambda s: s.notices == 2).notice.endswith(": it is on its way.")
        live.fresh(4)


def test_warnings_and_the_background_are_told() -> None:
    odd = SCENE.replace("background: a meadow", "background: {prompt: a meadow, negative: fog}")
    Path("s.yaml").write_text(odd, encoding="utf-8")
    with Following(WatchOptions()) as live:
        state = live.fresh(1)
        [warning] = [w for w in state.warnings if "negative" in w.message]
        assert warning.place.startswith("s.yaml:3:")
        assert "guidance" in warning.hint
        assert state.background == ("a meadow",)
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        state = live.fresh(2)
        assert not [w for w in state.warnings if "negative" in w.message]


@pytest.mark.parametrize(
    ("background", "lines"),
    [
        (Background("a meadow"), ("a meadow",)),
        (Background("a meadow", color=(16, 32, 48)), ("a meadow", "#102030")),
        (Background(None, image=Path("p/q.jpg"), image_written="q.jpg"), ("q.jpg",)),
        (Background(), ("white",)),
    ],
)
def test_the_legend_says_what_the_brushes_lie_on(
    background: Background, lines: tuple[str, ...]
) -> None:
    assert background_lines(background) == lines


@pytest.mark.slow
def test_a_random_seed_is_drawn_once() -> None:
    """An edit changes what was edited, not everything; but for a seed that the scene names."""
    random = SCENE.replace("seed: 5", "seed: random")
    Path("s.yaml").write_text(random, encoding="utf-8")
    with Following(WatchOptions()) as live:
        first = live.fresh(1).seed
        save(disc(44), Path("fox.png"))
        assert live.fresh(2).seed == first
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        assert live.fresh(3).seed == 5
        Path("s.yaml").write_text(random, encoding="utf-8")
        assert live.fresh(4).seed == first


def test_previews_are_marked_until_the_picture_is_whole() -> None:
    seen = []
    with Following(WatchOptions(previews=True)) as live:
        tell = live.board.tell

        def recorded(**facts: object) -> None:
            if "pixels" in facts:
                seen.append((facts["preview"], text_of(Path("live.png")).get("smd:preview")))
            tell(**facts)  # type: ignore[arg-type]

        live.board.tell = recorded  # type: ignore[method-assign]
        live.fresh(1)
    assert [preview for preview, _ in seen] == [True, True, False]
    assert [text for _, text in seen[:2]] == ["slot 1 of 3", "slot 2 of 3"]
    assert "smd:preview" not in text_of(Path("live.png"))


def test_a_mask_edit_encodes_nothing_and_a_prompt_edit_one_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[list[str]] = []
    encode = StableDiffusion.encode_prompts

    def counted(self: StableDiffusion, prompts: list[str], length: int = 0) -> object:
        encoded.append(list(prompts))
        return encode(self, prompts, length)

    monkeypatch.setattr(StableDiffusion, "encode_prompts", counted)
    with Following(WatchOptions()) as live:
        live.fresh(1)
        assert sorted(prompt for call in encoded for prompt in call) == [
            "a fox",
            "a meadow",
            "an owl",
        ]
        encoded.clear()
        save(disc(44), Path("fox.png"))
        live.fresh(2)
        assert encoded == []
        Path("s.yaml").write_text(SCENE.replace("a fox", "a red fox"), encoding="utf-8")
        live.fresh(3)
        assert encoded == [["a red fox"]]


def test_a_mask_keeps_the_rule_of_its_first_load() -> None:
    """A layer whose last stroke was erased is empty, and not read by brightness instead."""
    layer = np.zeros((64, 64, 4), np.uint8)
    layer[..., :3] = 255
    layer[10:40, 10:40, 3] = 255
    Image.fromarray(layer).save("fox.png")
    with Following(WatchOptions()) as live:
        live.fresh(1)
        layer[..., 3] = 0
        save(Image.fromarray(layer), Path("fox.png"))
        live.fresh(2)
        _, painted = live.board.painted()
    assert painted
    assert not dense(painted.brushes[0].paint).any()


def stroke(shade: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A layer with one stroke of a grey on a ground that is transparent black."""
    layer = np.zeros((64, 64, 4), np.uint8)
    layer[10:40, 10:40] = (shade, shade, shade, 255)
    return layer


PARTS = "[fox.png, {image: owl.png, invert: true}, {rect: [0, 0, 5, 5]}, {image: cat.png}]"


def save_all(*layers: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    for name, layer in zip(("fox", "owl", "cat"), layers, strict=True):
        save(Image.fromarray(layer), Path(f"{name}.png"))


@pytest.mark.parametrize(
    "options", [[], pytest.param([f"brushes.fox.mask={PARTS}"], marks=pytest.mark.slow)]
)
def test_every_part_of_a_mask_keeps_its_rule_and_a_picture_tells_it(
    options: list[str], smd: Smd
) -> None:
    text = SCENE if options else SCENE.replace("mask: fox.png", f"mask: {PARTS}")
    Path("s.yaml").write_text(text, encoding="utf-8")
    save_all(stroke(255), stroke(200), stroke(100))
    erased, full = stroke(255), stroke(200)
    erased[..., 3] = 0
    full[..., 3] = 255
    request = Request(["s.yaml"], ["live.png"], [parse_override(o) for o in options])
    with Following(WatchOptions(keep="kept"), request=request) as live:
        live.fresh(1)
        save_all(erased, full, stroke(100))
        live.until(lambda s: s.fresh and len(list(Path().glob("kept/*"))) > 1)
        _, painted = live.board.painted()
    assert painted
    assert painted.brushes[0].channels == ("alpha", "alpha", None, "alpha")
    told = text_of(Path("live.png"))
    keys = [f"brushes.1.mask.{number}.channel=alpha" for number in (1, 2)]  # 4 reads so by itself
    assert told["smd:overrides"].splitlines()[-2:] == keys
    kept = max(Path("kept").iterdir())
    for picture in (kept, Path("live.png")):
        unpacked = smd(["unpack", str(picture), "-o", f"from {picture.stem}"])
        assert unpacked.code == 0
        command = shlex.split(unpacked.err.splitlines()[-1].partition("with: ")[2])
        if picture is not kept:  # which holds no masks
            for mask in Path().glob("*.png"):
                shutil.copy(mask, f"from {picture.stem}")
        assert smd(command[1:]).code == 0
        with Image.open("again.png") as one, Image.open(picture) as other:
            assert (np.array(one) == np.array(other)).all(), picture


def test_a_mask_without_its_channel_takes_no_other_ones_rule_away() -> None:
    text = SCENE.replace("mask: fox.png", "mask: [fox.png, owl.png]")
    Path("s.yaml").write_text(text, encoding="utf-8")
    reader, request = SceneReader(), Request(["s.yaml"], ["live.png"])
    channels = []
    erased = stroke(255)
    erased[..., 3] = 0
    for layers in ((stroke(9), stroke(9)), (erased, stroke(9)[..., :3])):
        save_all(*layers, stroke(9))
        job = reader.read(request).job
        assert job
        channels.append(job.painted.brushes[0].channels)
    assert channels == [("alpha", "alpha"), ("alpha", "luma")]


def test_the_rule_of_a_mask_is_a_warning_with_its_name_when_it_would_change() -> None:
    layer = np.zeros((64, 64, 4), np.uint8)
    layer[10:40, 10:40] = 255
    reader, request = SceneReader(), Request(["s.yaml"], ["live.png"])

    def warned(picture: Image.Image) -> list[str]:
        picture.save("fox.png")
        job = reader.read(request).job
        assert job
        return [str(w) for w in job.warnings if "fox.png" in str(w)]

    assert warned(Image.fromarray(layer)) == []
    opaque = Image.fromarray(layer[..., :3]).convert("RGBA")
    [held] = warned(opaque)
    assert held.startswith("s.yaml:6:")
    assert "fox.png: its transparency varies no longer; it is still read by alpha" in held
    [changed] = warned(disc(20))
    assert "fox.png is read by luma from now on" in changed
    assert warned(disc(30)) == []


@pytest.mark.slow
def test_another_model_takes_over(tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "other")
    for options in (WatchOptions(), ENDLESS):
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        with Following(options) as live:
            live.fresh(1)
            other = SCENE.replace(str(TINY), "./other").replace("64x64", "80x80")
            Path("s.yaml").write_text(other, encoding="utf-8")
            live.fresh(2)
            _, shown = live.board.picture()
            assert shown is not None
            assert shown.shape == (80, 80, 3)


@pytest.mark.slow
def test_a_broken_model_stops_nothing() -> None:
    for options in (WatchOptions(), ENDLESS):
        Path("s.yaml").write_text(SCENE, encoding="utf-8")
        with Following(options) as live:
            live.fresh(1)
            Path("empty").mkdir(exist_ok=True)
            Path("s.yaml").write_text(SCENE.replace(str(TINY), "./empty"), encoding="utf-8")
            state = live.until(lambda s: bool(s.trouble))
            assert "no model folder" in state.trouble
            assert not state.fresh
            Path("s.yaml").write_text(SCENE, encoding="utf-8")
            state = live.until(lambda s: s.fresh)
            assert state.trouble == ""


@pytest.mark.parametrize("options", [WatchOptions(), ENDLESS], ids=["frames", "endless"])
@pytest.mark.slow
def test_a_folder_that_comes_back_gets_its_picture(options: WatchOptions) -> None:
    Path("out").mkdir()
    with Following(options, ("out/live.png",)) as live:
        live.fresh(1)
        if options.endless:
            live.ask(Command.PLAY)
            live.until(lambda s: not s.playing)
        for path in Path("out").iterdir():
            path.unlink()
        Path("out").rmdir()
        live.ask(Command.PLAY)
        if not options.endless:
            live.ask(Command.PLAY)
            save(disc(44), Path("fox.png"))
        live.until(lambda s: "out" in s.trouble)
        Path("out").mkdir()
        live.until(lambda s: s.fresh and not s.trouble)
        assert Path("out/live.png").exists()


def test_a_film_of_endless_frames_is_refused() -> None:
    with (
        pytest.raises(UsageError, match=r"--record live\.gif"),
        Following(ENDLESS, ("live.gif",)) as live,
    ):
        live.fresh(1)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with Following(WatchOptions()) as live:
        live.fresh(1)
    assert threading.active_count() == before
