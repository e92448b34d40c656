"""Results beside what is there already: files that a command reads, and pictures of older runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from smd_cli.errors import UsageError
from smd_cli.output import conflicts
from smd_cli.output.conflicts import leftovers, refuse_inputs, refuse_same_file, standing
from smd_cli.output.places import Identity, identity
from smd_cli.output.targets import Target, plan_targets


def plan(*outs: str, frames: int = 1, scene: str = "meadow") -> tuple[Target, ...]:
    return plan_targets(outs, scene_name=scene, seed=7, frames=frames)


def link(name: str) -> None:
    Path(name).symlink_to(Path("mask.png").resolve())


def hard_link(name: str) -> None:
    os.link("mask.png", name)


def itself(name: str) -> None:
    Path("mask.png").rename(name)
    Path("mask.png").symlink_to(name)


@pytest.mark.skipif(os.name == "nt", reason="links")
@pytest.mark.parametrize("stands", [link, hard_link, itself])
@pytest.mark.parametrize(
    ("out", "frames", "name"),
    [
        ("out.png", 1, "out.png"),
        ("./out.png", 1, "out.png"),
        ("{scene}-{seed}.jpg", 1, "meadow-7.jpg"),
        ("out.gif", 3, "out.gif"),
        ("out-%04d.png", 3, "out-0002.png"),
        ("out-%d-%d.png", 3, "out-1-1.png"),
        ("there/", 3, "there/meadow-0001.png"),
    ],
)
def test_no_result_replaces_an_input_by_whatever_name(
    stands: object, out: str, frames: int, name: str
) -> None:
    Path("there").mkdir()
    Path("mask.png").write_bytes(b"painted by hand")
    assert callable(stands)
    stands(name)
    with pytest.raises(UsageError, match=r"would replace mask\.png, which the scene is made of"):
        refuse_inputs(plan(out, frames=frames), [Path("mask.png")])


def test_a_sequence_may_end_before_an_input_but_not_where_it_has_no_end() -> None:
    Path("out-0004.png").touch()
    targets = plan("out-%04d.png", frames=4)
    refuse_inputs(targets, [Path("out-0004.png")])
    with pytest.raises(UsageError, match=r"out-%04d\.png \(out-0004\.png\) would replace"):
        refuse_inputs(targets, [Path("out-0004.png")], endless=True)


def test_other_names_are_no_inputs() -> None:
    for name in ("out-1.png", "out-0001.jpg", "xout-0001.png", "out-0001.png.png", "OUT-0001.PNG"):
        Path(name).touch()
    alike = Path("out-0001.png").exists()  # where the case of letters does not count
    if not alike:
        refuse_inputs(plan("out-%04d.png", frames=9), list(Path().iterdir()))
    assert [index for index, _ in standing(plan("out-%04d.png")[0])] == ([1] if alike else [])


def test_inputs_that_are_gone_are_in_nobodys_way() -> None:
    refuse_inputs(plan("out.png"), [Path("gone.png"), Path("mask.png")])


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_large_sequence_reads_its_folder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mask.png").touch()
    asked: list[str] = []

    def counted(path: Path | str) -> Identity | None:
        asked.append(str(path))
        return identity(path)

    monkeypatch.setattr(conflicts, "identity", counted)
    Path("out-000007.png").touch()
    refuse_inputs(plan("out-%06d.png", frames=1_000_000), [Path("mask.png")])
    assert asked == ["mask.png", "out-000007.png"]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (6, None),
        (5, "seq/: left from an older run, beside 5 frames of this one: seq/meadow-0005.png"),
        (
            1,
            "seq/: left from an older run, beside 1 frame of this one: "
            "seq/meadow-0001.png, seq/meadow-0002.png, seq/meadow-0003.png and 2 more",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the texts show slashes")
def test_pictures_of_a_longer_run_are_told(frames: int, told: str | None) -> None:
    Path("seq").mkdir()
    for k in range(6):
        Path(f"seq/meadow-{k:04d}.png").touch()
    Path("seq/sea-0009.png").touch()
    [target] = plan("seq/", frames=frames)
    assert leftovers(target) == told


def test_a_single_picture_has_no_leftovers() -> None:
    Path("meadow.png").touch()
    assert leftovers(plan("{scene}.png")[0]) is None
    assert leftovers(Target("stdout", "PNG", "-", "-")) is None


def of(target: Target, scene_file: str) -> Target:
    return replace(target, scene_file=scene_file)


@pytest.mark.parametrize(
    ("two", "hint"),
    [
        ("sea.yaml", "hint: {scene} in the name tells them apart: -o '{scene}.png'"),
        (
            "b/meadow.yaml",
            "hint: the scenes have one name: render each by a command of its own, with its own -o",
        ),
    ],
)
def test_two_scenes_with_one_result_are_told_what_helps(two: str, hint: str) -> None:
    [target] = plan("meadow.png")
    with pytest.raises(UsageError) as caught:
        refuse_same_file([of(target, "a/meadow.yaml"), of(target, two)])
    message = f"error: a/meadow.yaml and {two} would both become meadow.png"
    assert str(caught.value) == f"{message}\n{hint}"
