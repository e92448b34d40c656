"""Films beneath and masks from sequences: from the scene's text to films and pictures."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from clips import EXACT, TONE, Pixels, decoded, ffmpeg, noise_frames, write_film
from conftest import ROOT, TINY, Smd
from PIL import Image

from smd_cli.output.targets import plan_targets
from smd_cli.scene.paint.moving import painted_at, picture_at
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import Source
from smd_cli.work.request import Order
from smd_cli.work.sound import sound_notes, sound_of

COUNT = 4
FRAMES = noise_frames(COUNT, 64, 64)
HEAD = "model: tiny\nsampler: {steps: 2}\n"
FOX = "brushes:\n  - {name: fox, prompt: a fox, blur: 0, mask: {rect: [40, 40, 20, 20]}}\n"
FILM = f"{HEAD}frames: auto\noutput: {{fps: auto}}\nbackground: {{image: clip.mp4}}\n{FOX}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").symlink_to(TINY)


def scene(text: str) -> None:
    Path("s.yaml").write_text(text, encoding="utf-8")


def film(name: str = "clip.mp4", fps: str = "12", sound: bool = True) -> None:
    write_film(name, FRAMES, *EXACT, fps=fps, sound=TONE if sound else ())


def masks(count: int = COUNT) -> None:
    Path("m").mkdir()
    for number in range(count):
        levels = np.zeros((64, 64), np.uint8)
        levels[16:48, 8 * number : 8 * number + 28] = 255
        Image.fromarray(levels).save(f"m/m-{number:03d}.png")


def pixels(name: str) -> Pixels:
    return np.asarray(Image.open(name).convert("RGB"))


def rendered(smd: Smd, *options: str) -> None:
    told = smd(["render", "s.yaml", "--schedule", "single", *options])
    assert told.code == 0, told.err


def heard(name: str) -> list[str]:
    """The packets of a file's sound: their lengths and sums."""
    ffmpeg("-i", name, "-map", "0:a", "-c", "copy", "-f", "framecrc", "sums.txt")
    lines = Path("sums.txt").read_text(encoding="ascii").splitlines()
    return [line.split(",", 4)[4] for line in lines if not line.startswith("#")]


def test_film_in_film_out(smd: Smd) -> None:
    film(fps="30000/1001")
    scene(FILM)
    rendered(smd, "-o", "out.mp4", "-o", "out.webm", "-q")
    said = {name: ffmpeg("-i", name, "-f", "null", "-") for name in ("out.mp4", "out.webm")}
    for name, text in said.items():
        assert len(decoded(name, 64, 64)) == COUNT
        assert re.search(r"Video: .* 64x64.* 29\.97 fps", text), text
    assert re.search(r"Audio: aac", said["out.mp4"])
    assert re.search(r"Audio: opus", said["out.webm"])
    kept, own = heard("out.mp4"), heard("clip.mp4")
    assert len(kept) > 3
    assert kept == own[: len(kept)], "the sound is copied, not coded again"


def test_the_film_is_kept_where_nothing_is_painted_and_a_frame_stands_for_itself(smd: Smd) -> None:
    film(sound=False)
    scene(FILM)
    rendered(smd, "-o", "f/", "-q")
    for number, frame in enumerate(FRAMES):
        made = pixels(f"f/s-{number:04d}.png")
        np.testing.assert_array_equal(made[:, :36], frame[:, :36])
        assert np.abs(made[44:56, 44:56].astype(int) - frame[44:56, 44:56]).mean() > 5
    rendered(smd, "--frame", "2", "-o", "f/one.png", "-q")
    assert Path("f/one.png").read_bytes() == Path("f/s-0002.png").read_bytes()


def test_masks_and_pictures_of_a_film_are_those_of_its_single_pictures(smd: Smd) -> None:
    """Video to video, with a mask that is a sequence: each frame against a scene of stills."""
    film(sound=False)
    masks()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(f"b-{number}.png")
    brush = "  - {name: fox, prompt: a fox, blur: 0, mask: m/m-%03d.png}\n"
    below = "background: {image: clip.mp4, prompt: sea, repaint: 0.9}\n"
    scene(f"{HEAD}frames: {COUNT}\n{below}brushes:\n{brush}")
    rendered(smd, "-o", "f/", "-q")
    assert smd(["render", "s.yaml", "--schedule", "stream", "-o", "g/", "-q"]).code == 0
    for number in (0, 3):
        made = pixels(f"f/s-{number:04d}.png")
        still = [f"background.image=b-{number}.png", f"brushes.fox.mask=m/m-{number:03d}.png"]
        sets = [word for one in still for word in ("--set", one)]
        rendered(smd, "--frame", str(number), "-o", "one.png", "-q", *sets)
        np.testing.assert_array_equal(pixels("one.png"), made)
        assert np.abs(pixels(f"g/s-{number:04d}.png").astype(int) - made).max() <= 1


@pytest.mark.parametrize(("repeat", "last"), [("loop", 1), ("hold", 3)])
def test_a_film_that_is_shorter_goes_on(repeat: str, last: int) -> None:
    film(sound=False)
    masks()
    brush = f"brushes: [{{prompt: a, mask: {{image: m/m-%03d.png, repeat: {repeat}}}}}]\n"
    text = f"{HEAD}frames: 6\nbackground: {{image: clip.mp4, repeat: {repeat}}}\n{brush}"
    painted = paint_scene(load_scene(Source("s.yaml", "s", Path(), text)))
    for frame, number in ((1, 1), (5, last), (0, 0), (3, 3)):
        picture = picture_at(painted, frame)
        assert picture is not None
        np.testing.assert_array_equal(picture.levels, FRAMES[number])
        columns = painted_at(painted.brushes[0], frame).paint.window[1]
        assert (columns.start, columns.stop) == (8 * number, 8 * number + 28)
    same = [painted_at(painted.brushes[0], frame).paint for frame in (3, 3)]
    assert same[0] is same[1]


def test_a_layer_that_is_opaque_in_one_frame_keeps_the_rule_of_the_first() -> None:
    """The first says alpha; a later one without transparency is painted all over."""
    Path("m").mkdir()
    first = Image.new("RGBA", (64, 64), (9, 9, 9, 0))
    first.paste((200, 9, 9, 255), (0, 0, 20, 64))
    first.save("m/1.png")
    Image.new("RGB", (64, 64), (9, 9, 9)).save("m/2.png")
    text = f"{HEAD}frames: 2\nbackground: sea\nbrushes: [{{prompt: a, mask: m}}]\n"
    painted = paint_scene(load_scene(Source("s.yaml", "s", Path(), text)))
    assert painted.brushes[0].channels == ("alpha",)
    shares = [painted_at(painted.brushes[0], frame).paint.share for frame in (0, 1)]
    assert shares == pytest.approx([20 / 64, 1])


def test_a_colour_of_a_sequence_has_to_be_in_its_first_picture_alone() -> None:
    Path("m").mkdir()
    first = Image.new("RGB", (64, 64), "blue")
    first.paste((255, 0, 0), (0, 0, 16, 64))
    first.save("m/1.png")
    Image.new("RGB", (64, 64), "blue").save("m/2.png")
    mask = "{image: m, color: red}"
    text = f"{HEAD}frames: 2\nbackground: sea\nbrushes: [{{prompt: a, mask: {mask}}}]\n"
    painted = paint_scene(load_scene(Source("s.yaml", "s", Path(), text)))
    shares = [painted_at(painted.brushes[0], frame).paint.share for frame in (0, 1)]
    assert shares == [0.25, 0]


def test_check_tells_what_a_film_is(smd: Smd) -> None:
    film()
    masks()
    brush = "  - {name: fox, prompt: a fox, mask: {image: m/m-%03d.png, repeat: hold}}\n"
    scene(FILM.replace(FOX, f"brushes:\n{brush}"))
    told = smd(["check", "s.yaml"])
    assert (told.code, told.err) == (0, "")
    assert (
        "  background shows clip.mp4: 4 frames of 64x64 px at 12 a second, with sound\n" in told.out
    )
    assert "  fox shows m/m-%03d.png: 4 frames of 64x64 px, then the last one stays\n" in told.out


WRONG = [
    ("frames: auto", "frames: 5", "5:21", "'clip.mp4' has 4 frames, and the scene has 5"),
    ("clip.mp4", "other.mp4", "5:21", "there is no file 'other.mp4'"),
    ("clip.mp4", "still.png", "3:9", "frames: auto takes the length of the film beneath: 's"),
    ("{image: clip.mp4}", "sea", "3:9", "frames: auto takes the length of the film beneath, and t"),
    ("clip.mp4", "m", "4:15", "fps: auto has no rate to take: 'm' tells none"),
    ("clip.mp4}", "clip.mp4, repeat: twice}", "5:39", "repeat must be one of loop, hold"),
    ("image: clip.mp4", "repeat: loop", "5:14", "repeat needs pictures that it goes on with"),
    ("rect: [40, 40, 20, 20]", "image: g-%d.png", "7:41", "'g-2.png' is missing: 'g-%d.png' goes "),
    ("rect: [40, 40, 20, 20]", "image: m", "7:41", "'m' has 3 frames, and the scene has 4"),
    ("rect: [40, 40, 20, 20]", "image: m, layer: fox", "7:65", "'m' has no layers"),
    ("rect: [40, 40, 20, 20]", "image: u", "7:41", "'u/4.png' measures 32x64, and the first of "),
    ("fps: auto", "audio: loud", "4:17", "audio must be one of keep, drop"),
    ("clip.mp4", "broken.mp4", "5:21", "'broken.mp4' is damaged, or no film"),
]


@pytest.mark.parametrize(("old", "new", "at", "message"), WRONG)
def test_what_is_wrong_is_told_at_its_place(
    smd: Smd, old: str, new: str, at: str, message: str
) -> None:
    film()
    masks(3)
    Image.fromarray(FRAMES[0]).save("still.png")
    Path("broken.mp4").write_bytes(Path("clip.mp4").read_bytes()[:900])
    Path("u").mkdir()
    for number in (1, 3):
        Image.fromarray(FRAMES[0]).save(f"g-{number}.png")
    for number in (1, 2, 3, 4):
        Image.fromarray(FRAMES[0][:, : 64 if number < 4 else 32]).save(f"u/{number}.png")
    scene(FILM.replace(old, new))
    told = smd(["check", "s.yaml"])
    assert told.code == 2
    assert f"s.yaml:{at}: error: {message}" in told.err
    assert "hint: " in told.err or " must be one of " in told.err


def test_an_animation_lies_beneath_as_a_film_does() -> None:
    first, *rest = [Image.fromarray(frame) for frame in FRAMES]
    first.save("a.png", save_all=True, append_images=rest, duration=80)
    text = FILM.replace("clip.mp4", "a.png")
    scene_file = load_scene(Source("s.yaml", "s", Path(), text))
    assert (scene_file.scene.frames, scene_file.scene.output.fps) == (COUNT, 12.5)
    painted = paint_scene(scene_file)
    assert painted.warnings == ()
    for frame in (0, 3, 1):
        picture = picture_at(painted, frame)
        assert picture is not None
        np.testing.assert_array_equal(picture.levels, FRAMES[frame])
    still = load_scene(Source("s.yaml", "s", Path(), text.replace("frames: auto", "frames: 1")))
    [told] = paint_scene(still).warnings
    assert told.message == "'a.png' holds several frames: the first is used"


def test_options_say_auto_too(smd: Smd) -> None:
    film()
    scene(FILM.replace("frames: auto\noutput: {fps: auto}\n", ""))
    told = smd(["check", "s.yaml"])
    assert "'clip.mp4' has 4 frames: the first is used\n" in told.err
    assert "hint: a scene of one frame shows its first; frames: 4 shows all" in told.err
    rendered(smd, "-n", "auto", "--fps", "auto", "-o", "out.mp4", "-q")
    assert len(decoded("out.mp4", 64, 64)) == COUNT
    assert "12 fps" in ffmpeg("-i", "out.mp4", "-f", "null", "-")


@pytest.mark.parametrize(
    ("old", "new", "span", "told"),
    [
        ("", "", "0:1", "it has 4 frames, and this has 2"),
        ("frames: auto", "frames: 3", None, "it has 4 frames, and this has 3"),
        ("fps: auto", "fps: 24", None, "it has 12 frames a second, and this has 24 (fps: auto kee"),
        ("fps: auto", "fps: 12, audio: drop", None, ""),
    ],
)
def test_sound_that_cannot_go_with_it_is_told(
    old: str, new: str, span: str | None, told: str
) -> None:
    film()
    scene_file = load_scene(Source("s.yaml", "s", Path(), FILM.replace(old, new)))
    painted, order = paint_scene(scene_file), Order.of("auto", None, span)
    targets = plan_targets(["out.mp4", "out.gif"], scene_name="s", seed=0, frames=2)
    notes = sound_notes(scene_file.scene, painted, order, targets)
    assert sound_of(scene_file.scene, painted, order) is None
    assert len(notes) == bool(told)
    assert all(f"out.mp4: the sound of 'clip.mp4' is left out: {told}" in note for note in notes)


def test_keys_that_cannot_act_are_told(smd: Smd) -> None:
    masks(1)
    scene(
        f"{HEAD}output: {{audio: drop}}\nbackground: sea\n"
        + FOX.replace("{rect: [40, 40, 20, 20]}", "{image: m/m-000.png, repeat: loop}")
    )
    told = smd(["check", "s.yaml"])
    assert "s.yaml:3:17: warning: output.audio has no effect" in told.err
    assert "warning: 'm/m-000.png' is a single picture: repeat has no effect" in told.err


def test_no_result_replaces_a_picture_of_a_sequence(smd: Smd) -> None:
    masks()
    scene(f"{HEAD}frames: 4\nbackground: sea\nbrushes: [{{prompt: a, mask: m/}}]\n")
    told = smd(["render", "s.yaml", "-o", "m/m-%03d.png"])
    assert told.code == 2
    assert "would replace m/m-00" in told.err


def test_a_film_that_breaks_off_is_told_at_its_place_and_leaves_no_half_result(smd: Smd) -> None:
    write_film("clip.mov", noise_frames(6, 64, 64), "-c:v", "png")
    data = bytearray(Path("clip.mov").read_bytes())
    at = len(data) // 2
    data[at : at + 400] = bytes(400)
    Path("clip.mov").write_bytes(data)
    scene(FILM.replace("clip.mp4", "clip.mov"))
    told = smd(["render", "s.yaml", "--schedule", "single", "-o", "out.mp4"])
    assert told.code == 2
    what = r"s.yaml:5:21: error: 'clip.mov' is damaged: its frame \d of 6 frames cannot be decoded"
    assert re.search(what, told.err)
    assert not Path("out.mp4").exists()


def test_memory_does_not_grow_with_a_films_length() -> None:
    frames = noise_frames(20, 160, 120)
    write_film("clip.mp4", frames * 6, *EXACT, "-g", "20")
    peaks = []
    for count in (12, 120):
        text = f"{HEAD}frames: {count}\nbackground: {{image: clip.mp4}}\n{FOX}"
        painted = paint_scene(load_scene(Source("s.yaml", "s", Path(), text)))
        tracemalloc.start()
        for frame in range(count):
            assert picture_at(painted, frame) is not None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1 + 10_000


def test_the_shipped_film_is_what_the_code_paints() -> None:
    from clips import flames, sea

    shown = decoded(ROOT / "scenes" / "films" / "sea.mp4", 256, 256)
    assert len(shown) == 24
    for number, frame in enumerate(sea()):
        if number % 8 == 0:
            assert np.abs(shown[number].astype(int) - frame).mean() < 5
    stored = sorted((ROOT / "scenes" / "masks" / "fire").glob("*.png"))
    assert len(stored) == 12
    for path, mask in zip(stored, flames(), strict=True):
        assert np.abs(np.asarray(Image.open(path)).astype(int) - mask).max() <= 1
