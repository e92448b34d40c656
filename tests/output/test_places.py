"""Results whose names lead to what is no file: never renamed over."""

from __future__ import annotations

import os
import socket
import stat
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smd_cli.errors import SmdError, UsageError
from smd_cli.output.atomic import AtomicFile
from smd_cli.output.targets import plan_targets
from smd_cli.output.writers import notes
from smd_cli.scene.types import Output

from .frames import picture, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nodes of POSIX")


def a_node(path: Path, kind: int, device: int) -> None:
    """Make a device node, where this user may."""
    try:
        os.mknod(path, kind | 0o666, device)
        with path.open("rb", buffering=0):
            pass
    except OSError as refused:
        pytest.skip(f"no device nodes here: {refused}")


def failure(out: str, frames: int = 1) -> str:
    with pytest.raises(UsageError) as caught:
        plan_targets([out], scene_name="meadow", seed=7, frames=frames)
    return str(caught.value)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".apng", ".mp4", ".webm"])
def test_a_fifo_gets_the_finished_bytes(suffix: str, linked: bool) -> None:
    frames = [picture(k, 64, 32) for k in range(2 if suffix in (".gif", ".apng") else 1)]
    write(f"plain{suffix}", frames=frames)
    fifo, name = Path(f"fifo{suffix}"), f"fifo{suffix}"
    os.mkfifo(fifo)
    if linked:
        name = f"link{suffix}"
        Path(name).symlink_to(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    assert write(name, frames=frames) == (name,)
    reader.join()
    assert read == [Path(f"plain{suffix}").read_bytes()]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert Path(name).is_symlink() == linked


def test_a_fifo_is_told_since_it_may_wait_for_ever() -> None:
    os.mkfifo("a.gif")
    targets = plan_targets(["a.gif", "b.gif"], scene_name="meadow", seed=7, frames=2)
    told = "a.gif is a FIFO: the result waits there for a reader"
    assert notes(targets, (64, 64), Output()) == [told]


def test_a_fifo_whose_reader_goes_is_a_sentence() -> None:
    os.mkfifo("fifo.png")
    file = AtomicFile(Path("fifo.png"))
    file.stream.write(b"x" * 200_000)
    reader = threading.Thread(target=lambda: os.close(os.open("fifo.png", os.O_RDONLY)))
    reader.start()
    with pytest.raises(SmdError, match=r"fifo\.png could not be written: Broken pipe"):
        file.commit()
    reader.join()
    assert stat.S_ISFIFO(Path("fifo.png").stat().st_mode)


def test_the_null_device_stays() -> None:
    null = Path("null")
    a_node(null, stat.S_IFCHR, os.makedev(1, 3))
    for name in ("a.png", "b.gif", "c.mp4"):
        Path(name).symlink_to(null)
        assert write(name, frames=[picture()]) == (name,)
        assert Path(name).is_symlink()
        assert stat.S_ISCHR(null.stat().st_mode)
    null.rename("d.png")
    assert write("d.png", frames=[picture()]) == ("d.png",)
    assert stat.S_ISCHR(Path("d.png").stat().st_mode)


def test_a_full_device_is_a_sentence() -> None:
    full = Path("full.png")
    a_node(full, stat.S_IFCHR, os.makedev(1, 7))
    with pytest.raises(SmdError, match=r"full\.png could not be written: No space left"):
        write("full.png", frames=[picture()])
    assert stat.S_ISCHR(full.stat().st_mode)


def test_a_block_device_takes_no_picture() -> None:
    try:
        os.mknod("disk.png", stat.S_IFBLK | 0o600, os.makedev(7, 99))
    except OSError as refused:
        pytest.skip(f"no device nodes here: {refused}")
    assert "disk.png leads to a block device, which takes no picture" in failure("disk.png")
    assert stat.S_ISBLK(Path("disk.png").stat().st_mode)


@pytest.mark.parametrize("out", ["sock.png", "link.png"])
def test_a_socket_takes_no_picture(out: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock.png")
        Path("link.png").symlink_to("sock.png")
        assert failure(out) == f"error: {out} leads to a socket, which takes no picture"
        assert stat.S_ISSOCK(Path("sock.png").stat().st_mode)


@pytest.mark.parametrize("goal", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr"])
def test_open_streams_are_not_meant(goal: str) -> None:
    if not os.path.lexists(goal):
        pytest.skip(f"there is no {goal}")
    Path("first.png").symlink_to(goal)
    Path("out.png").symlink_to("first.png")
    said = failure("out.png")
    assert said.startswith("error: out.png leads to an open stream of a program, not to a file\n")
    assert "-o - writes a PNG picture to standard output" in said
    assert Path("first.png").is_symlink()


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "fifo"])
def test_a_stream_without_an_extension_is_told_both_ways_out(name: str) -> None:
    os.mkfifo("fifo")
    assert failure(name) == (
        f"error: {name} has no extension, so its format is unknown\n"
        "hint: -o - writes a PNG to stdout; a link such as out.png says the format"
    )


def test_a_link_to_a_folder_and_links_in_a_circle() -> None:
    Path("there").mkdir()
    Path("out.png").symlink_to("there")
    assert failure("out.png").startswith("error: out.png is a folder\n")
    Path("a.png").symlink_to("b.png")
    Path("b.png").symlink_to("a.png")
    assert failure("a.png").startswith("error: a.png: Too many levels of symbolic links")


@pytest.mark.parametrize("stands", [Path.mkdir, lambda path: path.symlink_to("/dev/stdout")])
def test_every_picture_of_a_sequence_is_looked_at(stands: object) -> None:
    assert callable(stands)
    stands(Path("f-0002.png"))
    said = failure("f-%04d.png", frames=3)
    assert "f-0002.png is a folder" in said or "leads to an open stream" in said
    plan_targets(["f-%04d.png"], scene_name="meadow", seed=7, frames=2)


def test_a_link_to_nothing_makes_the_file_that_it_means() -> None:
    Path("deep").mkdir()
    Path("out.png").symlink_to("deep/real.png")
    write("out.png", frames=[picture()])
    assert Path("out.png").is_symlink()
    with Image.open(BytesIO(Path("deep/real.png").read_bytes())) as image:
        assert np.array_equal(np.asarray(image), picture())


def test_what_becomes_a_fifo_meanwhile_is_left_alone() -> None:
    file = AtomicFile(Path("out.png"))
    os.mkfifo("out.png")
    with pytest.raises(SmdError, match="is no file any more"):
        file.commit()
    assert stat.S_ISFIFO(Path("out.png").stat().st_mode)


def test_no_clobber_keeps_a_fifo() -> None:
    os.mkfifo("out.png")
    file = AtomicFile(Path("out.png"), clobber=False)
    with pytest.raises(UsageError, match="exists already"):
        file.commit()
    assert stat.S_ISFIFO(Path("out.png").stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(mode: int) -> None:
    path = Path("a.png")
    path.write_bytes(b"old")
    path.chmod(mode)
    write("a.png", frames=[picture()])
    assert path.read_bytes() != b"old"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the superuser")
def test_a_replaced_file_keeps_its_owner() -> None:
    Path("a.png").touch()
    os.chown("a.png", 12345, 23456)
    write("a.png", frames=[picture()])
    assert (Path("a.png").stat().st_uid, Path("a.png").stat().st_gid) == (12345, 23456)


LONG = "x" * 250


@pytest.mark.parametrize(
    "out", ["new/", "{scene}-%04d.png", "new/{scene}.%04d.webp", f"{LONG}abcdef/"]
)
def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path: Path, out: str) -> None:
    with pytest.raises(UsageError, match="255 are allowed") as caught:
        plan_targets([f"{tmp_path}/{out}"], scene_name=LONG, seed=7, frames=3)
    assert "bytes" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_name_is_counted_in_bytes_with_its_last_frame(tmp_path: Path) -> None:
    name = "ü" * 122  # 244 bytes, and -0000.png
    for scene, frames in ((name, 10_000), (name, 100_000), ("x" * 246, 10_000)):
        [fits] = plan_targets([f"{tmp_path}/new/"], scene_name=scene, seed=7, frames=frames)
        place = tmp_path / fits.path(frames - 1).name
        place.touch()  # the system takes it
        place.unlink()
    for scene, frames in ((name, 1_000_001), (name + "ü", 10_001), ("x" * 246, 10_001)):
        with pytest.raises(UsageError, match="255 are allowed"):
            plan_targets([f"{tmp_path}/new/"], scene_name=scene, seed=7, frames=frames)


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    deep = "/".join(["x" * 200] * 21)
    with pytest.raises(UsageError, match=r"the path has .* 4096 are allowed"):
        plan_targets([f"{tmp_path}/{deep}/"], scene_name="s", seed=7, frames=3)
