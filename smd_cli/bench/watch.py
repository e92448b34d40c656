"""Benchmarks: figures as ratios inside one run, since machines differ and are shared.

`watch`: how long after the save of a mask the new picture is on the disk, against the work that is
in it: the slots of one frame, its decoding and its writing, by the same model in the same run.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from smd_cli.engine.stream import picture, single
from smd_cli.errors import SmdError
from smd_cli.output.writers import open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.watch.board import Board, Command, State
from smd_cli.watch.live import Studio, WatchOptions, follow
from smd_cli.watch.sources import SceneReader
from smd_cli.work.job import picture_text
from smd_cli.work.render import ModelHolder
from smd_cli.work.request import Machine, Request

SCENE = """\
model: {model}
size: 256x256
seed: 1
background: blue sky
brushes:
  - {{name: ground, prompt: grass, mask: {{rect: [0, 55%, 100%, 45%]}}}}
  - {{name: fox, prompt: a fox, mask: fox.png}}
  - {{name: owl, prompt: an owl, mask: {{ellipse: [55%, 20%, 40%, 45%]}}}}
"""
LATE_S = 120.0
LIMIT_FACTOR, LIMIT_S = 1.3, 0.25
SETTLE_S = 3.0  # a call of a full pipe takes its time


@dataclass(frozen=True)
class WatchFigures:
    """Seconds from a save to the picture, and of the work alone: medians, with both ends.

    `limit` is 1.3 times the work and 0.25 s, in which the wait for the end of a save has its part.
    """

    edits: int
    endless: bool
    mask_px: int
    edit: float
    edit_least: float
    edit_most: float
    work: float
    ratio: float
    limit: float

    def as_json(self) -> dict[str, float]:
        """All figures by name."""
        return asdict(self)

    def __str__(self) -> str:
        kept = "within" if self.edit <= self.limit else "over"
        mode = "stream" if self.endless else "frames"
        return (
            f"watch, {mode}, masks of {self.mask_px}x{self.mask_px}: edit to picture "
            f"{self.edit:.2f} s (median of {self.edits}, {self.edit_least:.2f} to "
            f"{self.edit_most:.2f}); work alone {self.work:.2f} s, ratio {self.ratio:.2f}; "
            f"{kept} the limit of {LIMIT_FACTOR} x work + {LIMIT_S} s = {self.limit:.2f} s"
        )


def bench_watch(
    *,
    model: str,
    edits: int,
    endless: bool,
    mask_px: int,
    machine: Machine,
    reporter: Reporter,
) -> WatchFigures:
    """Edit a mask again and again under a running `smd watch`."""
    with tempfile.TemporaryDirectory(prefix="smd-bench-") as name:
        folder = Path(name)
        scene = SCENE.format(model=json.dumps(model))
        (folder / "scene.yaml").write_text(scene, encoding="utf-8")
        save_mask(folder / "fox.png", mask_px, 0)
        run = _Run(folder, endless, ModelHolder(machine, reporter))
        with run.following():
            seconds, work = _measure(run, edits, mask_px)
    middle, alone = statistics.median(seconds), statistics.median(work)
    return WatchFigures(
        edits=edits,
        endless=endless,
        mask_px=mask_px,
        edit=middle,
        edit_least=min(seconds),
        edit_most=max(seconds),
        work=alone,
        ratio=middle / alone,
        limit=LIMIT_FACTOR * alone + LIMIT_S,
    )


def _measure(run: _Run, edits: int, mask_px: int) -> tuple[list[float], list[float]]:
    """Seconds of every edit, and of the work alone, measured in between."""
    run.until(lambda state: state.fresh)
    run.work()  # the first call of everything is slower
    seconds, work = [], []
    for edit in range(1, edits + 1):
        if edit % 4 == 1:
            work.append(run.work())
        seconds.append(run.edit(mask_px, edit))
    return seconds, work


class _Run:
    """A live loop in a thread, on a scene of its own."""

    def __init__(self, folder: Path, endless: bool, models: ModelHolder) -> None:
        self._folder, self._endless, self._models = folder, endless, models
        self._request = Request([str(folder / "scene.yaml")], [str(folder / "live.png")])
        self._studio = Studio(models)
        self._board = Board()
        self._wrong: BaseException | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """While the loop runs."""
        thread = threading.Thread(target=self._follow, name="bench", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._board.ask(Command.QUIT)
            thread.join()

    def _follow(self) -> None:
        follows = WatchOptions(endless=self._endless)
        silent = Reporter(quiet=True, paths=False)
        try:
            follow(self._request, follows, board=self._board, reporter=silent, models=self._models)
        except BaseException as wrong:
            self._wrong = wrong

    def until(self, done: Callable[[State], bool]) -> None:
        """Wait for a state of the loop. Raises what ended it."""
        seen, end = 0, time.monotonic() + LATE_S
        while not done(self._board.state):
            if self._wrong:
                raise self._wrong
            if time.monotonic() > end:
                raise SmdError("the picture did not come", self._board.state.trouble)
            seen = self._board.wait(seen, 0.1)

    def edit(self, mask_px: int, number: int) -> float:
        """Save another mask; seconds until the file that shows it is there."""
        beside = self._folder / "fox.part"
        save_mask(beside, mask_px, number)
        wanted = self._board.state.wanted + 1
        beside.replace(self._folder / "fox.png")
        began = time.perf_counter()
        self.until(lambda state: state.shown == wanted)
        seconds = time.perf_counter() - began
        self.until(lambda state: state.fresh)
        return seconds

    def work(self) -> float:
        """Seconds of one frame alone, from its first slot to its file, while the loop waits."""
        job = SceneReader().read(self._request).job
        assert job
        with self._still():
            plans, backbone = self._studio.plans(job)
            output = job.scene_file.scene.output
            began = time.perf_counter()
            with open_outputs(job.targets, size=job.painted.size, output=output) as outputs:
                [frame] = single(plans, backbone, 1)
                outputs.add(0, picture(frame, backbone), picture_text(job, 0, "single"))
            return time.perf_counter() - began

    @contextmanager
    def _still(self) -> Iterator[None]:
        """While the loop does nothing."""
        if not self._endless:
            yield
            return
        self._board.ask(Command.PLAY)
        self.until(lambda state: not state.playing)
        frame = self._board.state.frame
        time.sleep(SETTLE_S)
        yield
        self._board.ask(Command.PLAY)
        self.until(lambda state: state.playing and state.frame > frame + 1)


def save_mask(path: Path, side_px: int, number: int) -> None:
    """A transparent layer with an opaque disc that wanders from number to number."""
    layer = Image.new("RGBA", (side_px, side_px))
    left, top = side_px * (10 + number * 7 % 30) // 100, side_px * 40 // 100
    box = (left, top, left + side_px * 2 // 5, top + side_px * 2 // 5)
    ImageDraw.Draw(layer).ellipse(box, fill=(255, 80, 0, 255))
    layer.save(path, "PNG", compress_level=1)
