from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smd_cli.errors import ExitCode, UsageError
from smd_cli.output.conflicts import refuse_existing, refuse_same_file
from smd_cli.output.targets import Target, plan_targets


def plan(*outs: str, frames: int = 1, scene: str = "meadow") -> tuple[Target, ...]:
    return plan_targets(outs, scene_name=scene, seed=7, frames=frames)


def failure(*outs: str, frames: int = 1) -> str:
    with pytest.raises(UsageError) as caught:
        plan(*outs, frames=frames)
    assert caught.value.exit_code is ExitCode.USAGE
    return str(caught.value)


@pytest.mark.parametrize(
    ("out", "frames", "kind", "third"),
    [
        ("a.png", 1, "still", "a.png"),
        ("A.PNG", 1, "still", "A.PNG"),
        ("a.jpeg", 1, "still", "a.jpeg"),
        ("a.webp", 1, "still", "a.webp"),
        ("a.webp", 3, "webp", "a.webp"),
        ("a.gif", 1, "gif", "a.gif"),
        ("a.apng", 3, "apng", "a.apng"),
        ("a.mp4", 3, "mp4", "a.mp4"),
        ("a.webm", 3, "webm", "a.webm"),
        ("-", 1, "stdout", "-"),
        ("a-%04d.png", 3, "sequence", "a-0002.png"),
        ("a-%04d.png", 1, "sequence", "a-0002.png"),
        ("a-%d.jpg", 3, "sequence", "a-2.jpg"),
        ("%03d.webp", 3, "sequence", "002.webp"),
        ("a%3d.png", 3, "sequence", "a002.png"),
        ("{scene}-{seed}-{frame}.png", 3, "sequence", "meadow-7-0002.png"),
        ("{scene}.gif", 3, "gif", "meadow.gif"),
        ("100%%.png", 1, "still", "100%.png"),
        ("a{{b}}.png", 1, "still", "a{b}.png"),
        ("{{frame}}.png", 1, "still", "{frame}.png"),
        ("new/", 3, "sequence", "new/meadow-0002.png"),
        ("new/deep/{seed}/", 3, "sequence", "new/deep/7/meadow-0002.png"),
        ("there", 3, "sequence", "there/meadow-0002.png"),
        ("run.v2", 1, "sequence", "run.v2/meadow-0002.png"),
        (".", 3, "sequence", "meadow-0002.png"),
        ("pics.png/", 3, "sequence", "pics.png/meadow-0002.png"),
    ],
)
def test_names(out: str, frames: int, kind: str, third: str) -> None:
    for folder in ("there", "run.v2", "pics.png"):
        Path(folder).mkdir()
    (target,) = plan(out, frames=frames)
    assert (target.kind, target.path(2)) == (kind, Path(third))


def test_without_names() -> None:
    assert plan()[0].path() == Path("meadow.png")
    assert plan(frames=2)[0].path() == Path("meadow.gif")


def test_a_scene_name_is_taken_as_it_is() -> None:
    odd = "50%d{frame}{x}"
    assert plan(scene=odd)[0].path() == Path(odd + ".png")
    assert plan("new/", frames=2, scene=odd)[0].path(1) == Path(f"new/{odd}-0001.png")


def test_paths() -> None:
    assert plan("-")[0].paths == []
    assert plan("a-%d.png", frames=2)[0].paths == [Path("a-0.png"), Path("a-1.png")]
    assert plan("a.gif", frames=2)[0].paths == [Path("a.gif")]


@pytest.mark.parametrize(
    ("out", "frames", "text"),
    [
        ("", 1, "error: -o has an empty name\nhint: write -o out.png, or -o out/ for a folder"),
        (
            "out.png",
            12,
            "error: out.png holds one picture, but 12 frames are asked for\n"
            "hint: write out-%04d.png for a sequence, or out.gif",
        ),
        (
            "out.jpg",
            2,
            "error: out.jpg holds one picture, but 2 frames are asked for\n"
            "hint: write out-%04d.jpg for a sequence, or out.gif",
        ),
        (
            "-",
            2,
            "error: stdout holds one picture, but 2 frames are asked for\n"
            "hint: write meadow-%04d.png for a sequence, or meadow.gif",
        ),
        (
            "out.pngg",
            1,
            "error: out.pngg: .pngg is not a format that smd writes\nhint: did you mean out.png?",
        ),
        (
            "out.psd",
            1,
            "error: out.psd: .psd is not a format that smd writes\n"
            "hint: formats: .png .jpg .webp .gif .apng .mp4 .webm",
        ),
        *[
            (
                name,
                frames,
                f"error: {name}: {Path(name).suffix} is not a format that smd writes\n"
                f"hint: did you mean {better}?",
            )
            for name, frames, better in [
                ("x.bmp", 1, "x.png"),
                ("x.BMP", 1, "x.png"),
                ("x.tif", 1, "x.png"),
                ("x.avif", 1, "x.png"),
                ("x.bmp", 4, "x-%04d.png"),
                ("x-%d.tiff", 4, "x-%d.png"),
                ("x.mov", 4, "x.mp4"),
                ("x.mpeg", 1, "x.mp4"),
                ("x.jgp", 1, "x.jpg"),
                ("x.jfif", 1, "x.jpg"),
                ("x.eps", 1, "x.png"),
            ]
        ],
        (
            "out",
            1,
            "error: out has no extension, so its format is unknown\n"
            "hint: write out.png, or out/ for a folder of pictures",
        ),
        (
            "out",
            2,
            "error: out has no extension, so its format is unknown\n"
            "hint: write out.gif, or out/ for a folder of pictures",
        ),
        (
            "o-%04d.gif",
            2,
            "error: o-%04d.gif: one .gif file holds all frames, so its name takes no frame number\n"
            "hint: write o-%04d.png for a sequence, or a name without the number",
        ),
        ("{sead}.png", 1, "error: {sead}.png: unknown token {sead}\nhint: did you mean {seed}?"),
        (
            "{q}.png",
            1,
            "error: {q}.png: unknown token {q}\nhint: tokens are {scene} {seed} {frame}",
        ),
        (
            "50%.png",
            1,
            "error: 50%.png: a % that is no frame number\n"
            "hint: write %04d for the frame's number, %% for a plain percent sign",
        ),
        (
            "a}.png",
            1,
            "error: a}.png: a } without its partner\n"
            "hint: tokens are {scene} {seed} {frame}; write {{ or }} for a plain brace",
        ),
        (
            "f%d/a.png",
            2,
            "error: f%d/a.png: a folder's name takes no frame number\n"
            "hint: write the number in the file's name",
        ),
        (
            "f%d/",
            2,
            "error: f%d/: a folder's name takes no frame number\n"
            "hint: write the number in the file's name",
        ),
        (
            "no/way/a.png",
            1,
            "error: no/way/a.png: there is no folder no/way\n"
            "hint: create it first; no/way/ (a slash at the end) is created and filled with "
            "pictures",
        ),
        ("file/a.png", 1, "error: file/a.png: file is a file, not a folder"),
        ("file/", 1, "error: file/: file is a file, not a folder"),
        ("file/new/", 1, "error: file/new/: file is a file, not a folder"),
        (
            "pics.png",
            1,
            "error: pics.png is a folder\nhint: write pics.png/ to fill it with pictures",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the texts show slashes")
def test_what_cannot_work(out: str, frames: int, text: str) -> None:
    Path("file").touch()
    Path("pics.png").mkdir()
    assert failure(out, frames=frames) == text


def test_a_name_too_long_for_the_file_system() -> None:
    assert failure("x" * 300 + ".png").startswith("error: xxx")


@pytest.mark.skipif(os.name == "nt", reason="no permission bits")
def test_a_folder_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shut").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != Path("shut"))
    said = "error: {}: no permission to write in the folder shut"
    assert failure("shut/a.png") == said.format("shut/a.png")
    assert failure("shut/new/") == said.format("shut/new/")


SAME_HINT = "\nhint: give each result a name of its own; {scene} and {seed} may help"


@pytest.mark.parametrize(
    ("outs", "frames", "text"),
    [
        (["a.png", "a.png"], 1, "error: a.png is asked for twice"),
        (["-", "-"], 1, "error: - is asked for twice"),
        (["a.png", "./a.png"], 1, "error: a.png and ./a.png are the same file"),
        (["meadow.gif", "{scene}.gif"], 2, "error: meadow.gif and {scene}.gif are the same file"),
        (["a-%d.png", "a-{frame}.png", "a-%04d.png"], 2, "a-%04d.png are the same file"),
        (["new/", "new/{scene}-%04d.png"], 2, "there is no folder new"),
        (["new/", "./new/../new/"], 2, "are the same file"),
        (["links/a.png", "there/a.png"], 1, "links/a.png and there/a.png are the same file"),
        (["link.png", "real.png"], 1, "error: link.png and real.png are the same file"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="links")
def test_two_names_of_one_file(outs: list[str], frames: int, text: str) -> None:
    Path("link.png").symlink_to("real.png")
    Path("there").mkdir()
    Path("links").symlink_to("there")
    said = failure(*outs, frames=frames)
    assert text in said
    assert "folder new" in said or said.endswith(SAME_HINT)


def test_two_scenes_of_one_name() -> None:
    both = plan("a.png") + plan("a.png", scene="sea")
    with pytest.raises(UsageError, match=r"a\.png is asked for twice"):
        refuse_same_file(both)
    refuse_same_file(plan("{scene}.png") + plan("{scene}.png", scene="sea"))


def test_no_clobber_names_the_first_result_that_exists() -> None:
    targets = plan("a-%d.png", "a.gif", frames=3)
    refuse_existing(targets)
    Path("a-1.png").touch()
    Path("a.gif").touch()
    with pytest.raises(UsageError) as caught:
        refuse_existing(targets)
    assert str(caught.value) == (
        "error: a-1.png exists already, and --no-clobber keeps it\n"
        "hint: choose another name, or leave --no-clobber out"
    )


def test_planning_imports_nothing_heavy() -> None:
    code = "import sys, smd_cli.output.targets; print({'numpy', 'PIL'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert said.stdout.strip() == b"set()"
