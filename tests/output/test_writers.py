from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.stills import encode_still
from smd_cli.output.targets import Target, plan_targets
from smd_cli.output.writers import Outputs, notes, open_outputs
from smd_cli.scene.types import Output

from .frames import picture, write

MOVIES = ["a.gif", "a.apng", "a.webp", "a.mp4", "a.webm"]
SIZE = (65, 33)


def plan(*outs: str, frames: int = 3) -> tuple[Target, ...]:
    return plan_targets(outs, scene_name="meadow", seed=7, frames=frames)


def names(folder: str = ".") -> list[str]:
    return sorted(p.name for p in Path(folder).iterdir())


def add_and_fail(outputs: Outputs, error: type[BaseException]) -> None:
    outputs.add(0, picture(), {})
    raise error


def let_another_write(path: Path, outputs: Outputs) -> None:
    path.write_bytes(b"theirs")
    outputs.add(0, picture(), {})


def test_paths_come_as_files_become_whole() -> None:
    with open_outputs(plan("a.gif", "a-%d.png"), size=SIZE, output=Output()) as outputs:
        for k in range(3):
            assert outputs.add(k, picture(k), {}) == (f"a-{k}.png",)
            assert Path(f"a-{k}.png").exists()
        assert not Path("a.gif").exists()
        assert outputs.finish() == ("a.gif",)
        assert outputs.finish() == ()
    assert outputs.paths == ("a-0.png", "a-1.png", "a-2.png", "a.gif")
    assert names() == ["a-0.png", "a-1.png", "a-2.png", "a.gif"]


def test_without_names() -> None:
    assert write(frames=[picture()]) == ("meadow.png",)
    assert write(frames=[picture()] * 2) == ("meadow.gif",)


def test_a_folder_is_made_with_the_first_picture() -> None:
    with open_outputs(plan("new/deep/"), size=SIZE, output=Output()) as outputs:
        assert names() == []
        outputs.add(0, picture(), {})
        assert names("new/deep") == ["meadow-0000.png"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_keeps_whole_stills_and_old_movies(error: type[BaseException]) -> None:
    for name in MOVIES:
        Path(name).write_bytes(b"old")
    targets = plan(*MOVIES, "s-%d.jpg")
    with pytest.raises(error), open_outputs(targets, size=SIZE, output=Output()) as outputs:
        add_and_fail(outputs, error)
    assert names() == sorted([*MOVIES, "s-0.jpg"])
    assert {Path(name).read_bytes() for name in MOVIES} == {b"old"}
    with Image.open("s-0.jpg") as image:
        image.load()


def test_nothing_added_makes_no_file() -> None:
    with open_outputs(plan(*MOVIES, "new/"), size=SIZE, output=Output()) as outputs:
        pass
    assert outputs.paths == ()
    assert names() == []


def test_no_clobber_refuses_before_any_work() -> None:
    Path("a-2.png").write_bytes(b"old")
    with (
        pytest.raises(UsageError, match=r"a-2\.png exists already, and --no-clobber keeps it"),
        open_outputs(plan("a.gif", "a-%d.png"), size=SIZE, output=Output(), clobber=False),
    ):
        pytest.fail("no work was to begin")
    assert names() == ["a-2.png"]


@pytest.mark.parametrize("name", [*MOVIES, "a-%d.png"])
def test_no_clobber_keeps_what_came_in_between(name: str) -> None:
    path = Path(name.replace("%d", "0"))
    targets = plan(name)
    with (
        pytest.raises(UsageError, match="exists already"),
        open_outputs(targets, size=SIZE, output=Output(), clobber=False) as outputs,
    ):
        let_another_write(path, outputs)
    assert names() == [str(path)]
    assert path.read_bytes() == b"theirs"


def test_no_clobber_where_nothing_stands() -> None:
    outs = ("a.gif", "a-%d.png", "a.mp4")
    assert len(write(*outs, frames=[picture()] * 2, clobber=False)) == 4


def test_stdout_takes_one_png() -> None:
    stream = BytesIO()
    targets = plan("-", "a.png", frames=1)
    with open_outputs(targets, size=SIZE, output=Output(), stdout=stream) as outputs:
        outputs.add(0, picture(), {"seed": "7"})
    assert stream.getvalue() == encode_still(picture(), "PNG", 90, {"seed": "7"})
    assert outputs.paths == ("a.png",)


def test_a_terminal_takes_no_picture() -> None:
    class Terminal(BytesIO):
        def isatty(self) -> bool:
            return True

    with (
        pytest.raises(UsageError) as caught,
        open_outputs(plan("-", frames=1), size=SIZE, output=Output(), stdout=Terminal()),
    ):
        pass
    assert str(caught.value) == (
        "error: a PNG picture would fill the terminal with signs\n"
        "hint: send it on: -o - > picture.png"
    )


def test_a_pipe_that_closed() -> None:
    class Closed(BytesIO):
        def write(self, _data: object) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with (
        pytest.raises(SmdError, match="stdout could not be written: Broken pipe"),
        open_outputs(plan("-", frames=1), size=SIZE, output=Output(), stdout=Closed()) as outputs,
    ):
        outputs.add(0, picture(), {})


@pytest.mark.parametrize(
    "pixels", [picture(0, 64, 33), picture().astype(np.float32), picture()[..., 0]]
)
def test_frames_of_another_form_are_a_mistake(pixels: object) -> None:
    with (
        pytest.raises(ValueError, match="frame of"),
        open_outputs(plan("a.gif"), size=SIZE, output=Output()) as outputs,
    ):
        outputs.add(0, pixels, {})  # type: ignore[arg-type]


def test_an_open_that_fails_takes_the_others_back() -> None:
    targets = (*plan("a.gif", "a.mp4"), Target("gif", "GIF", "gone/b.gif", "gone/b.gif"))
    with (
        pytest.raises(SmdError, match=r"gone.b\.gif could not be written"),
        open_outputs(targets, size=SIZE, output=Output()),
    ):
        pass
    assert names() == []


def test_notes() -> None:
    targets = plan("a.gif", "a.mp4", "a.apng")
    assert notes(targets, (64, 32), Output()) == []
    assert notes(targets, SIZE, Output(fps=60)) == [
        "a.gif: a GIF shows at most 50 frames a second",
        "a.mp4: video takes even sizes only, so 65x33 becomes 66x34 (the last row or column twice)",
    ]
