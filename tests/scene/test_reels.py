"""Reels: films, animations and numbered files, picture by picture, in whatever order."""

from __future__ import annotations

import gc
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from clips import EXACT, TONE, Pixels, decoded, ffmpeg, noise_frames, write_film
from PIL import Image

from smd_cli.scene.paint.film import film_facts, frame_rate
from smd_cli.scene.paint.pictures import PictureError
from smd_cli.scene.paint.reel import Reel
from smd_cli.scene.paint.reels import files_of, fingerprint, reel_of

FRAMES = noise_frames(7)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def reel(name: str) -> Reel:
    found = reel_of(Path(name), name)
    assert found is not None
    return found


def levels(found: Reel, number: int) -> Pixels:
    with found.opened(number) as source:
        return np.asarray(source.load(source.size).colours.convert("RGB"))


def save_all(name: str, numbers: range, frames: list[Pixels] = FRAMES) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    for number, frame in zip(numbers, frames, strict=False):
        Image.fromarray(frame).save(name % number)


def wrong(name: str) -> PictureError:
    with pytest.raises(PictureError) as told:
        reel_of(Path(name), name)
    return told.value


def animate(name: str, frames: list[Pixels] = FRAMES, **how: Any) -> None:
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(name, save_all=True, append_images=rest, duration=80, loop=0, **how)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("a-%04d.png", range(7)), ("in/%d.png", range(8, 15)), ("50%-%02d.png", range(97, 104))],
)
def test_numbered_files_are_counted_from_their_first(name: str, numbers: range) -> None:
    template = name.replace("50%-", "50%%-")
    save_all(template, numbers)
    Image.new("L", (9, 9)).save("a-7.png")  # of another number of digits
    found = reel(name)
    assert (found.count, found.size, found.rate) == (7, (64, 48), None)
    for number in (0, 6, 3):
        np.testing.assert_array_equal(levels(found, number), FRAMES[number])


def test_a_folder_is_its_pictures_by_name_and_number() -> None:
    save_all("in/x%d.png", range(8, 13))
    Path("in/notes.txt").write_text("no picture", encoding="utf-8")
    Path("in/.hidden.png").write_bytes(b"")
    found = reel("in/")
    assert found.count == 5
    assert [path.name for path in files_of(Path("in"))] == [f"x{n}.png" for n in range(8, 13)]
    for number in range(5):
        np.testing.assert_array_equal(levels(found, number), FRAMES[number])
    Path("in/x9.png").write_bytes(Path("in/x9.png").read_bytes()[:3000])
    with pytest.raises(PictureError, match=r"'in/x9[.]png' is damaged"):
        levels(found, 1)


def test_a_gap_names_the_missing_file() -> None:
    save_all("a-%04d.png", range(7))
    Path("a-0003.png").unlink()
    told = wrong("a-%04d.png")
    assert told.message == (
        "'a-0003.png' is missing: 'a-%04d.png' goes from 'a-0002.png' to 'a-0004.png'"
    )
    Path("a-0002.png").replace("a-0003.png")
    assert wrong(".").message.startswith("'a-0002.png' is missing: '.' goes from 'a-0001.png'")


def test_what_is_there_instead_is_told() -> None:
    save_all("a-%03d.png", range(3))
    told = wrong("a-%04d.png")
    assert told.message == "there is no file of the sequence 'a-%04d.png'"
    assert told.hint == "'a-000.png' is there: did you mean 'a-%03d.png'?"
    assert wrong("b-%d.png").hint == "as in 'b-0.png'"
    assert wrong("no/b-%d.png").hint == "there is no folder 'no'"
    Path("empty").mkdir()
    assert wrong("empty").message == "the folder 'empty' holds no pictures"


def test_a_file_of_that_very_name_is_a_picture() -> None:
    Image.fromarray(FRAMES[0]).save("a-%d.png")
    assert reel_of(Path("a-%d.png"), "a-%d.png") is None


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif"])
def test_an_animation_shows_its_pictures_in_any_order(name: str) -> None:
    frames = FRAMES
    if name == "a.gif":  # of few colours, so that nothing is lost
        frames = [np.repeat(f[..., :1] // 64 * 64, 3, axis=2) for f in FRAMES]
    animate(name, frames, **({"lossless": True} if name == "a.webp" else {}))
    found = reel(name)
    assert (found.count, found.size, found.rate) == (7, (64, 48), Fraction(25, 2))
    for number in (0, 4, 5, 1, 6):
        np.testing.assert_array_equal(levels(found, number), frames[number])
    whole = reel_of(Path("x"), "x", Path(name).read_bytes())
    assert whole is not None
    np.testing.assert_array_equal(levels(whole, 3), frames[3])


def test_a_picture_for_those_who_cannot_show_the_others_is_none_of_them() -> None:
    animate("a.png", FRAMES, default_image=True)
    found = reel("a.png")
    assert found.count == 6
    np.testing.assert_array_equal(levels(found, 0), FRAMES[1])


def test_single_pictures_are_no_reels() -> None:
    for name in ("a.png", "a.gif", "a.webp", "a.jpg", "a.tif"):
        Image.fromarray(FRAMES[0]).save(name)
        assert reel_of(Path(name), name) is None
    assert reel_of(Path("missing.gif"), "missing.gif") is None
    animate("pages.tiff")
    assert reel_of(Path("pages.tiff"), "pages.tiff") is None


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_film_shows_its_frames_in_any_order_to_the_last_level(name: str) -> None:
    frames = noise_frames(60)
    write_film(name, frames, *EXACT, "-g", "12", "-bf", "3", fps="24000/1001")
    found = reel(name)
    assert (found.count, found.size, found.sound) == (60, (64, 48), "")
    assert found.rate == Fraction(24000, 1001)
    for number in (0, 1, 2, 55, 3, 40, 41, 59, 0):
        np.testing.assert_array_equal(levels(found, number), frames[number])
    assert found.described == f"{name}: 60 frames of 64x48 px at 23.976 a second"


def test_a_film_of_odd_size_with_sound() -> None:
    frames = noise_frames(6, 33, 21)
    write_film("a.mp4", frames, sound=TONE)
    found = reel("a.mp4")
    assert (found.count, found.size, found.sound) == (6, (33, 21), "aac")
    np.testing.assert_array_equal(levels(found, 4), frames[4])


def test_lossy_colours_are_those_that_ffmpeg_shows() -> None:
    write_film("a.webm", FRAMES, "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p")
    found = reel("a.webm")
    assert found.rate == 12
    shown = decoded("a.webm", 64, 48)
    assert len(shown) == found.count == 7
    for number in range(7):
        assert np.abs(levels(found, number).astype(int) - shown[number]).mean() < 6


def test_a_turned_film_stands_upright() -> None:
    write_film("flat.mp4", FRAMES)
    ffmpeg("-display_rotation:v:0", "90", "-i", "flat.mp4", "-c", "copy", "a.mp4")
    found = reel("a.mp4")
    assert found.size == (48, 64)
    np.testing.assert_array_equal(levels(found, 2), np.rot90(FRAMES[2]))


@pytest.mark.parametrize(
    ("times", "tick", "rate"),
    [
        ([n * 512 for n in range(24)], Fraction(1, 12288), Fraction(24)),
        ([n * 3003 for n in range(90)], Fraction(1, 90000), Fraction(30000, 1001)),
        ([round(n * 1001 / 24) for n in range(500)], Fraction(1, 1000), Fraction(24000, 1001)),
        ([round(n * 1000 / 12.5) for n in range(40)], Fraction(1, 1000), Fraction(25, 2)),
        ([0, 417], Fraction(1, 1000), Fraction(12, 5)),
        ([5], Fraction(1, 1000), Fraction(25)),
    ],
)
def test_the_rate_is_the_plainest_that_the_times_allow(
    times: list[int], tick: Fraction, rate: Fraction
) -> None:
    assert frame_rate(times, 40, tick) == rate


def test_at_a_variable_rate_each_frame_shows_the_picture_of_its_time() -> None:
    """Ten pictures a second, and from the fourth on ten in three seconds."""
    late = "settb=1/1000,setpts='if(lt(N,4),N,N*3-6)*100'"
    write_film("a.mkv", FRAMES, "-vf", late, "-fps_mode", "passthrough", *EXACT, fps="10")
    found = reel("a.mkv")
    assert "variable frame rate" in found.note
    facts = film_facts(Path("a.mkv"), "a.mkv")
    starts = [0, 0.1, 0.2, 0.3, 0.6, 0.9, 1.2]
    seconds = [(n + 0.5) / float(facts.rate) for n in range(found.count)]
    expected = [max(k for k in range(7) if starts[k] <= at + 1e-9) for at in seconds]
    assert list(facts.pictures) == expected
    assert found.count / float(facts.rate) == pytest.approx(1.4, abs=0.2)
    np.testing.assert_array_equal(levels(found, found.count - 1), FRAMES[6])


def test_broken_films_are_sentences() -> None:
    Path("text.mp4").write_text("no film at all\n" * 50, encoding="utf-8")
    assert wrong("text.mp4").message == (
        "'text.mp4' is damaged, or no film: no picture in it can be decoded"
    )
    Path("empty.webm").write_bytes(b"")
    assert wrong("empty.webm").message == "'empty.webm' is empty"
    assert wrong("none.mp4").message == "there is no file 'none.mp4'"
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", "-c:a", "aac", "sound.mp4")
    assert wrong("sound.mp4").message == "'sound.mp4' holds no pictures"
    write_film("whole.mp4", noise_frames(20), *EXACT, "-g", "5", "-movflags", "+faststart")
    data = Path("whole.mp4").read_bytes()
    Path("cut.mp4").write_bytes(data[: len(data) // 2])
    assert re.fullmatch(
        r"'cut.mp4' is cut off: \d+ frames of it can be read", wrong("cut.mp4").message
    )


def test_a_damaged_picture_is_told_and_shifts_no_other() -> None:
    frames = noise_frames(12)
    write_film("a.mov", frames, "-c:v", "png")
    data = bytearray(Path("a.mov").read_bytes())
    at = len(data) // 2
    data[at : at + 400] = bytes(400)
    Path("a.mov").write_bytes(data)
    found = reel("a.mov")

    def compare() -> None:
        for number in range(found.count):
            np.testing.assert_array_equal(levels(found, number), frames[number])

    with pytest.raises(PictureError, match=r"'a.mov' is damaged: its frame \d of 12 frames cannot"):
        compare()


def test_no_process_outlives_its_reel() -> None:
    write_film("a.mp4", FRAMES)
    found = reel("a.mp4")
    before = {*psutil.Process().children()}
    levels(found, 2)
    assert len({*psutil.Process().children()} - before) == 1
    del found
    gc.collect()
    assert {*psutil.Process().children()} <= before


def test_a_fingerprint_follows_every_file() -> None:
    save_all("a-%d.png", range(3))
    path = Path("a-%d.png")
    seen = {fingerprint(path)}
    Image.fromarray(FRAMES[5][:, ::2]).save("a-1.png")
    seen.add(fingerprint(path))
    Image.fromarray(FRAMES[5]).save("a-3.png")
    seen.add(fingerprint(path))
    Path("other.png").write_bytes(b"")
    assert fingerprint(path) in seen
    assert len(seen) == 3
    assert fingerprint(Path("no.mp4")) is None
