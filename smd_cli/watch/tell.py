"""Tells onlookers what the live loop does: the board for those who look, the reporter's lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smd_cli.errors import SmdError
from smd_cli.output.stills import Pixels
from smd_cli.report.events import Picture
from smd_cli.report.reporter import Reporter
from smd_cli.scene.types import Background
from smd_cli.units import counted
from smd_cli.watch.board import Board, Warned
from smd_cli.work.job import announce

if TYPE_CHECKING:
    from smd_cli.watch.follower import Version

RATE_SHARE = 0.3
"""How much the newest frame counts in the running frame rate."""

NO_TROUBLE: Mapping[str, Any] = {"trouble": "", "beside": False}
"""What the board is told where nothing is wrong any more."""


class Teller:
    """One voice to the board and to the reporter, so that both say the same."""

    def __init__(self, board: Board, reporter: Reporter) -> None:
        self._board, self._reporter = board, reporter
        self._announced: set[str] = set()
        self._shown_version = 0
        self._complete = False
        self._frame_at: float | None = None
        self._pictures, self._last = 0, ""

    def version(self, version: Version) -> None:
        """There is a new state of the scene."""
        job = version.job
        self._board.tell(
            painted=job.painted,
            scene=job.title,
            watched=tuple(path.name for path in version.digests),
            outputs=tuple(target.written for target in job.targets),
            wanted=version.number,
            next_seed=job.scene_file.scene.seed,
            warnings=tuple(Warned(str(w.place), w.message, w.hint) for w in job.warnings),
            background=background_lines(job.scene_file.scene.background),
            change=version.change,
            fresh=False,
            **NO_TROUBLE,
        )
        self._reporter.change(version.number, version.change)
        self._announced = announce(job, self._reporter, self._announced)

    def unsettled(self) -> None:
        """The files changed, and are not whole yet."""
        self._board.tell(fresh=False)

    def trouble(self, wrong: SmdError) -> None:
        """Something is wrong that may be mended while we wait; the same is told once."""
        known = str(wrong) == self._board.state.trouble
        self._board.tell(trouble=str(wrong), beside=False, fresh=False)
        if not known:
            self._reporter.trouble(wrong, stale=self._board.state.shown > 0)

    def aside(self, wrong: SmdError) -> None:
        """Something beside the picture went wrong: it is as fresh as before.

        It takes the place of no trouble that stops pictures.
        """
        state = self._board.state
        if state.trouble and not state.beside:
            self.answer(wrong.message)
            self._reporter.error(wrong)
            return
        self._board.tell(trouble=str(wrong), beside=True)
        self._reporter.aside(wrong)

    def mended(self, *, reported: bool) -> None:
        """The files are again those of the newest version; `reported`: that they were not was."""
        state = self._board.state
        fresh = state.shown == state.wanted and self._complete
        self._board.tell(fresh=fresh, **NO_TROUBLE)
        if reported:
            picture = "the picture is fresh again" if fresh else "the picture follows"
            self._reporter.note(f"the files are as they were: {picture}")

    def playing(self, playing: bool) -> None:
        """The loop plays, or is paused."""
        self._board.tell(playing=playing)
        self._frame_at = None

    @contextmanager
    def preparing(self, model: str) -> Iterator[None]:
        """While a plan is made, for which the model may have to be loaded."""
        self._board.tell(busy=f"getting {model} ready")
        try:
            yield
        finally:
            self._board.tell(busy="")

    def answer(self, notice: str) -> None:
        """What became of what an onlooker asked for."""
        self._board.tell(notice=notice, notices=self._board.state.notices + 1)

    def reseeded(self, seed: int, *, playing: bool) -> None:
        """Another seed was drawn: it is painted now, or, where the loop is paused, when asked."""
        then = "it is on its way" if playing else "play or step paints it"
        self.answer(f"New seed {seed}: {then}.")

    def preview(self, version: Version, frame: int, slots: str, pixels: Pixels) -> None:
        """An estimate of a frame after some slots ("1 of 4") is shown."""
        number, self._complete = version.number, False
        facts = self._facts(version, frame)
        self._board.tell(pixels=pixels, fresh=False, preview=True, **facts)
        self._reporter.preview(number, frame, slots)

    def picture(
        self, version: Version, frame: int, pixels: Pixels, *, fresh: bool, mixed: bool
    ) -> None:
        """A frame is whole; `mixed`: it is of an older version in part."""
        facts = self._facts(version, frame) | (dict(NO_TROUBLE) if fresh else {})
        if version.change and version.number != self._shown_version:
            facts |= {"seconds": time.monotonic() - version.since}
        self._shown_version, self._complete = version.number, not mixed
        self._pictures += 1
        rate = self._rate()
        self._board.tell(pixels=pixels, fresh=fresh, preview=False, rate=rate, **facts)

    def _facts(self, version: Version, frame: int) -> dict[str, Any]:
        """What a picture is of; the seconds of another version's picture are not its own."""
        seed = version.job.scene_file.scene.seed
        facts: dict[str, Any] = {"shown": version.number, "frame": frame, "seed": seed}
        return facts if version.number == self._shown_version else facts | {"seconds": None}

    def written(
        self, version: Version, frame: int, paths: Sequence[str], *, fresh: bool, mute: bool = False
    ) -> None:
        """Files are whole; `mute`: only JSON is to hear of them."""
        for path in paths:
            self._last = path
            seconds = time.monotonic() - version.since
            picture = Picture(path, version.number, frame, fresh, seconds)
            self._reporter.fresh(picture, mute=mute)

    def kept(self, path: str, *, new: bool, asked: bool) -> None:
        """A picture has a file of its own; not `new`: it was there already."""
        if asked:
            self.answer(f"Kept as {path}." if new else f"Already kept as {path}.")
        if new:
            self._reporter.kept(path)
        elif asked:
            self._reporter.note(f"already kept as {path}")

    def recorded(self, path: str, frames: int) -> None:
        """A film is whole."""
        self._reporter.recorded(path, frames)

    def ended(self) -> None:
        """Nobody wants more: how much was painted, and where the last of it is."""
        count = counted(self._pictures, "picture") if self._pictures else "no picture"
        last = f", the last is {self._last}" if self._last else ""
        self._reporter.note(f"ended: {count} painted{last}")

    def _rate(self) -> float | None:
        """Frames a second, a running mean; None before there are two in a row."""
        now, before = time.monotonic(), self._frame_at
        self._frame_at = now
        if before is None:
            return None
        rate, old = 1 / max(now - before, 1e-6), self._board.state.rate
        return rate if old is None else (1 - RATE_SHARE) * old + RATE_SHARE * rate


def background_lines(background: Background) -> tuple[str, ...]:
    """What the brushes lie on: the prompt, and the picture or the colour under it."""
    under = background.image_written
    if not under and background.color != Background().color:
        under = "#{:02x}{:02x}{:02x}".format(*background.color)
    return tuple(filter(None, (background.prompt, under))) or ("white",)
