"""``--resume``: which jobs are done, by what their pictures record. Imports nothing heavy.

PNG and APNG record what they show; of any other format nobody knows, so it is painted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from smd_cli.errors import SmdError
from smd_cli.output.ping_pong import way_there
from smd_cli.output.png_text import read_text
from smd_cli.output.targets import Target
from smd_cli.report.reporter import Reporter
from smd_cli.units import counted
from smd_cli.work.job import Job, picture_text
from smd_cli.work.record import CHUNK
from smd_cli.work.request import Machine, Order

_RECORDING = ("PNG", "APNG")


def is_done(job: Job, order: Order, machine: Machine) -> bool:
    """Whether all files of a job are there and were made of what it is made of now.

    What `machine` and the order's schedule say, other than auto, must be as recorded, too.
    """
    scene = job.scene_file.scene
    wanted = picture_text(job, 0, "").get(CHUNK)
    if wanted is None or not job.targets:
        return False
    frames = order.painted(scene.frames)
    return all(
        found.get(CHUNK) == wanted
        and found.get("smd:frame") == f"{frame} of {scene.frames}"
        and count == expected
        and _as_asked(found, order, machine)
        for target in job.targets
        for path, frame, expected in _files(target, frames)
        for found, count in [_recorded(target, path)]
    )


def tell_done(jobs: Sequence[Job], of: int, order: Order, reporter: Reporter) -> None:
    """Tell the files of jobs that are done, of so many jobs in all."""
    for job in jobs:
        for target in job.targets:
            for path, *_ in _files(target, order.painted(job.scene_file.scene.frames)):
                reporter.result(job.title, str(path), kept=True)
    if jobs:
        reporter.note(f"{len(jobs)} of {counted(of, 'job')} had been done; their files stay")


def unrecorded(jobs: Sequence[Job]) -> list[str]:
    """Sentences: which results hold no record, so that --resume cannot know them again."""
    pictures = [one for job in jobs for one in job.targets if one.format != "JSON"]
    lacking = {target.written for target in pictures if not _records(target)}
    return [
        f"{written} holds no record of what it shows: --resume paints it again"
        for written in sorted(lacking)
    ]


def _records(target: Target) -> bool:
    return target.kind != "stdout" and target.format in _RECORDING


def _files(target: Target, frames: range) -> Iterator[tuple[Path, int, int]]:
    """The files of a target, the first frame in each and how many were painted for it."""
    if target.kind == "sequence":
        yield from ((target.path(frame), frame, 1) for frame in frames)
    else:
        yield target.path(), frames[0], len(frames)


def _recorded(target: Target, path: Path) -> tuple[dict[str, str], int]:
    """The texts of a picture, and how many were painted for it; nothing of one that tells none."""
    try:
        found, count = read_text(path) if _records(target) else ({}, 0)
    except (OSError, ValueError, SmdError):
        return {}, 0
    return found, way_there(count, found)


def _as_asked(found: dict[str, str], order: Order, machine: Machine) -> bool:
    """Whether a picture was painted where, and how, the options ask for."""
    device, dtype, *_ = found.get("smd:machine", "cpu fp32").split()
    devices = ("auto", device, device.partition(":")[0])
    return (
        machine.device in devices
        and machine.dtype in ("auto", dtype)
        and order.schedule in ("auto", found.get("smd:schedule"))
    )
