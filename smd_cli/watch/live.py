"""The live loop: pictures of the scene as its files are now.

By default it paints a version's frames and waits; a newer version overtakes work on an older one,
between two network calls. Endless, it paints frame after frame, each by the newest version. What
cannot be read is tried again for a while, since editors write in pieces, and only then told; the
last good picture stays.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from smd_cli.backbone.loading.load import pick_device, pick_dtype
from smd_cli.engine.contract import Backbone
from smd_cli.engine.plan import Plan
from smd_cli.engine.stream import DroppedError, Frame, finished, single, stream
from smd_cli.errors import TOLD, SmdError
from smd_cli.output.targets import Target
from smd_cli.output.writers import Outputs, open_outputs
from smd_cli.report.reporter import Reporter
from smd_cli.scene.paint.photo import Photo
from smd_cli.watch.board import Board, Command
from smd_cli.watch.command import WatchOptions, names_model
from smd_cli.watch.follower import Follower, Version, wait
from smd_cli.watch.keeper import Keeper, Recorder
from smd_cli.watch.sources import SceneReader
from smd_cli.watch.tell import Teller
from smd_cli.watch.watcher import Watcher
from smd_cli.watch.watchful import watchful
from smd_cli.work.job import Job, picture_text
from smd_cli.work.motion import FramePlans
from smd_cli.work.render import ModelHolder, memory_sentence
from smd_cli.work.request import Request

__all__ = ["Session", "Studio", "WatchOptions", "follow"]


class OvertakenError(Exception):
    """There is a newer version: work on this one ends."""


class QuitError(Exception):
    """Somebody asked for the end."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The last whole picture, and the text that lets it be made again."""

    version: Version
    frame: int
    photo: Photo
    text: Mapping[str, str]


class Studio:
    """Compiles jobs; model and planner stay warm between them, until another model is asked for."""

    def __init__(self, models: ModelHolder) -> None:
        self._models = models

    @property
    def loaded(self) -> bool:
        """Whether there is a model in memory."""
        return self._models.loaded

    def plans(self, job: Job) -> tuple[FramePlans, Backbone]:
        """The plans of a job's frames, and the model that they are for. Raises SmdError."""
        scene, painted = job.scene_file.scene, job.painted
        with memory_sentence(job):
            planner = self._models.planner(scene.model, [scene])
            plans = FramePlans(planner, scene, painted)
        return plans, planner.backbone

    def machine_text(self, backbone: Backbone) -> dict[str, str]:
        """The text chunk that tells where pictures are painted, if not as usual."""
        return self._models.told(backbone)


class Session:
    """One `smd watch`: follows, paints, and does what onlookers ask for."""

    def __init__(
        self,
        follower: Follower,
        studio: Studio,
        board: Board,
        teller: Teller,
        keeper: Keeper,
        recorder: Recorder | None,
        options: WatchOptions,
    ) -> None:
        self._follower, self._studio, self._options = follower, studio, options
        self._board, self._teller = board, teller
        self._keeper, self._recorder = keeper, recorder
        self._playing = True
        self._steps = 0
        self._next_frame = 0
        self._done: Version | None = None
        self._failed: Version | None = None
        self._folder_gone = False
        self._settled: Version | None = None
        self._shown: Shown | None = None

    def run(self) -> None:
        """Until somebody asks for the end."""
        try:
            while True:
                self._turn()
        except QuitError:
            return

    def _turn(self) -> None:
        """Paint what there is to paint, or wait for something."""
        self._attend()
        version = self._follower.version
        if version is None or not self._due(version):
            wait(self._follower, self._board.wake)
            return
        paint = self._paint_endless if self._options.endless else self._paint
        self._failed = None
        try:
            with memory_sentence(version.job):
                paint(version)
        except OvertakenError:
            return
        except SmdError as wrong:
            if self._is_for_good(version):
                raise
            self._teller.trouble(wrong)
            self._failed, self._folder_gone = version, _folder_gone(version)

    def _is_for_good(self, version: Version) -> bool:
        """Whether no save mends a failure: the command line's own model could not be loaded."""
        return names_model(version.request) and not self._studio.loaded

    def _due(self, version: Version) -> bool:
        """Whether there is something to paint now."""
        if version is self._failed:
            return self._folder_gone and not _folder_gone(version)
        unpainted = self._options.endless or version is not self._done
        return self._steps > 0 or (self._playing and unpainted)

    def _attend(self) -> None:
        """Do what was asked for, and look at the files."""
        for command in self._board.asked():
            if command is Command.QUIT:
                raise QuitError
            self._obey(command)
        self._follower.look()

    def _obey(self, command: Command) -> None:
        if command is Command.PLAY:
            self._playing, self._steps = not self._playing, 0
        elif command is Command.STEP:
            self._playing = self._playing and not self._options.endless
            self._steps += 1
        elif command is Command.SEED:
            self._teller.reseeded(self._follower.reseed(), playing=self._playing)
        elif command is Command.KEEP and self._shown:
            self._keep(self._shown, asked=True)
        elif command is Command.KEEP:
            self._teller.answer("There is no whole picture to keep yet.")
        self._teller.playing(self._playing)

    def _hold(self) -> None:
        """Between two frames: wait while paused."""
        while not self._playing and not self._steps:
            self._attend()
            if not self._playing and not self._steps:
                wait(self._follower, self._board.wake)

    def _paint(self, version: Version) -> None:
        """All frames of a version, or one more of a version that is painted already."""
        again = version is self._done
        count = 1 if again else version.job.scene_file.scene.frames
        first = self._next_frame if again else 0
        with self._teller.preparing(version.job.scene_file.scene.model.name):
            plans, backbone = self._studio.plans(version.job)

        def look() -> None:
            self._attend()
            if self._follower.version is not version:
                raise OvertakenError

        def latest(frame: int) -> Plan:
            look()
            return plans(frame)

        network = watchful(backbone, look)
        frames = single(latest, network, count, first=first, previews=self._options.previews)
        targets = [t for t in version.job.targets if not (again and t.is_movie)]
        with _opened(version, targets) as outputs:
            for frame in frames:
                self._take(version, frame, backbone, outputs)
                if frame.index + 1 < first + count and not frame.preview:
                    self._hold()
            whole = outputs.finish()
            self._teller.written(version, frame.index, whole, fresh=self._is_fresh(version))
        self._done = version

    def _paint_endless(self, version: Version) -> None:
        """Frames without end, each by the newest version that can be compiled."""
        with self._teller.preparing(version.job.scene_file.scene.model.name):
            plans = _Plans(self._follower, self._studio, self._teller, version)

        def latest(frame: int) -> Plan:
            self._attend()
            return plans.newest()(frame)

        def look() -> None:
            self._attend()
            if not self._options.blend and plans.behind:
                raise DroppedError

        frames = stream(
            latest,
            watchful(plans.backbone, look),
            first=self._next_frame,
            blend=self._options.blend,
            previews=self._options.previews,
        )
        for frame in frames:
            self._deliver(plans.version, frame, plans.backbone)
            if not frame.preview:
                self._hold()

    def _deliver(self, version: Version, frame: Frame, backbone: Backbone) -> None:
        """One of endless frames; where it cannot be written the next may be."""
        try:
            with _opened(version, version.job.targets) as outputs:
                self._take(version, frame, backbone, outputs)
        except SmdError as wrong:
            self._teller.trouble(wrong)

    def _take(self, version: Version, frame: Frame, backbone: Backbone, outputs: Outputs) -> None:
        """Show a frame, write it, film it and keep it."""
        photo = finished(frame, backbone)
        text = picture_text(version.job, frame.index, _order(frame))
        text |= self._studio.machine_text(backbone)
        if frame.preview:
            self._preview(version, frame, photo, text)
            return
        text |= {"smd:mixed": "two scenes"} if frame.mixed else {}
        paths = outputs.add(frame.index, photo, text)
        fresh = self._is_fresh(version) and not frame.mixed
        self._shown = Shown(version, frame.index, photo, text)
        self._next_frame = frame.index + 1
        self._steps = max(self._steps - 1, 0)
        mute = self._options.endless and version is self._settled
        self._teller.written(version, frame.index, paths, fresh=fresh, mute=mute)
        self._teller.picture(version, frame.index, photo.seen, fresh=fresh, mixed=frame.mixed)
        self._film(self._shown)
        if fresh and self._options.keep and not mute:
            self._keep(self._shown)
        if fresh:
            self._settled = version

    def _preview(self, version: Version, frame: Frame, photo: Photo, text: dict[str, str]) -> None:
        """An estimate goes where a still shows every frame in turn."""
        slots = f"{frame.slots} of {frame.plan.table.slots}"
        stills = [target for target in version.job.targets if target.kind == "still"]
        with _opened(version, stills) as outputs:
            outputs.add(frame.index, photo, {**text, "smd:preview": f"slot {slots}"})
        self._teller.preview(version, frame.index, slots, photo.seen)

    def _film(self, shown: Shown) -> None:
        """Append a picture to the film; one that has failed is left alone from then on."""
        if self._recorder is None:
            return
        try:
            self._recorder.add(shown.photo, shown.version.job.scene_file.scene)
        except SmdError as wrong:
            self._recorder = None
            self._teller.aside(wrong)

    def _keep(self, shown: Shown, *, asked: bool = False) -> None:
        version = shown.version
        try:
            path, new = self._keeper.keep(version.job, version.contents, shown.photo, shown.text)
        except SmdError as wrong:
            self._teller.aside(wrong)
        else:
            self._teller.kept(path, new=new, asked=asked)

    def _is_fresh(self, version: Version) -> bool:
        return self._follower.settled and version is self._follower.version


def _order(frame: Frame) -> str:
    """The schedule that paints a frame again."""
    return "single" if frame.began is None else f"stream:{frame.began}"


class _Plans:
    """The plans of an endless run, and the version that they were compiled from."""

    def __init__(
        self, follower: Follower, studio: Studio, teller: Teller, version: Version
    ) -> None:
        self._follower, self._studio, self._teller = follower, studio, teller
        self._plans, self.backbone = studio.plans(version.job)
        self._tried = self.version = version

    @property
    def behind(self) -> bool:
        """Whether there is a version that no plan was tried for."""
        return self._follower.version not in (None, self._tried)

    def newest(self) -> FramePlans:
        """The plans of the newest version; the old ones where that cannot be compiled.

        Raises OvertakenError where the newest has another model.
        """
        version = self._follower.version
        if version is None or not self.behind:
            return self._plans
        if version.job.scene_file.scene.model != self.version.job.scene_file.scene.model:
            raise OvertakenError
        self._tried = version
        try:
            self._plans, _ = self._studio.plans(version.job)
        except SmdError as wrong:
            self._teller.trouble(wrong)
        else:
            self.version = version
        return self._plans


def _opened(version: Version, targets: Sequence[Target]) -> AbstractContextManager[Outputs]:
    """Writers for some of a version's targets."""
    job = version.job
    return open_outputs(targets, size=job.painted.size, output=job.scene_file.scene.output)


def _folder_gone(version: Version) -> bool:
    """Whether an output has no folder."""
    needed = [target for target in version.job.targets if not target.makes_folder]
    return not all(target.path().parent.is_dir() for target in needed)


def follow(
    request: Request,
    options: WatchOptions,
    *,
    board: Board,
    reporter: Reporter,
    models: ModelHolder | None = None,
) -> None:
    """Paint the scene, and again whenever it changes, until interrupted or told to quit.

    Raises SmdError where no save mends what is wrong: the command itself, or its model.
    """
    pick_dtype(options.machine.dtype, pick_device(options.machine.device))
    gc.enable()  # the start of `smd` goes without
    teller = Teller(board, reporter)
    board.tell(endless=options.endless, busy="")
    with ExitStack() as stack:
        recorder = None
        if options.record:
            recorder = stack.enter_context(Recorder(options.record, request, teller))
        watcher = stack.enter_context(
            Watcher(board.wake, polling=options.polling, say=reporter.note)
        )
        watcher.changed.set()
        models = models or ModelHolder(options.machine, reporter)
        reader = SceneReader(options, teller.preparing, models.soft_masks, models.captioned)
        follower = Follower(reader, request, watcher, teller)
        studio = Studio(models)
        keeper = Keeper(options.keep)
        session = Session(follower, studio, board, teller, keeper, recorder, options)
        try:
            session.run()
        except KeyboardInterrupt:
            teller.ended()
            raise KeyboardInterrupt(*TOLD) from None
        teller.ended()
