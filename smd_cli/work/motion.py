"""The plans of a scene's frames, each made when it is first asked for."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.engine.similarity import MOST_SKIPPED
from smd_cli.scene.motion import scene_at
from smd_cli.scene.paint.moving import painted_at, picture_at
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.types import Output, Scene


class FramePlans:
    """The plan of every frame of a scene on one canvas.

    Frames of equal scenes have the same plan. Those of the frames in flight are kept, and no more:
    memory does not grow with the length of a film. Where some may be skipped, so are those of as
    many as are looked at for that.
    """

    def __init__(self, planner: Planner, scene: Scene, painted: PaintedScene) -> None:
        """Raises SmdError where the first frame cannot be planned."""
        self.planner, self._scene, self._painted = planner, scene, painted
        self._plans: dict[tuple[Scene, tuple[int, ...]], Plan] = {}
        self._ahead = 0 if scene.sampler.similarity == "off" else MOST_SKIPPED
        planner.read_ahead([scene])
        self.first = self(0)

    def __call__(self, frame: int) -> Plan:
        """The plan of frame `frame` ≥ 0, the same object for as long as it is in flight."""
        scene = scene_at(self._scene, frame)
        own = self._scene.counted(frame)
        made_of = (scene, tuple(reel.number(own) for reel in self._painted.reels))
        found = self._plans.pop(made_of, None)
        plan = self._plan(scene, own) if found is None else found
        self._plans[made_of] = plan
        if len(self._plans) > plan.passes + 1 + self._ahead:
            del self._plans[next(iter(self._plans))]
        return plan

    def fingerprint(self, frame: int) -> str:
        """What tells frames apart that one model paints in one way: equal, they are the same.

        Nothing is planned for it; paint and picture are read.
        """
        scene, own = scene_at(self._scene, frame), self._scene.counted(frame)
        walks = scene.sampler.noise == "walk"  # which alone depends on how many frames there are
        told = replace(
            scene,
            brushes=scene.active,
            output=Output(),
            sampler=replace(scene.sampler, similarity="off"),
            frames=scene.frames if walks else 1,
        )
        whole = hashlib.sha256(repr((frame, told, self._painted.size)).encode())
        for one in self._layers(own):
            whole.update(repr((one.paint.window, one.travel_px)).encode())
            whole.update(one.paint.read(one.paint.window).tobytes())
        photo = picture_at(self._painted, own)
        if photo is not None:
            whole.update(repr((photo.levels.shape, photo.profile, photo.under)).encode())
            whole.update(photo.levels.tobytes())
        return whole.hexdigest()

    def _plan(self, scene: Scene, own: int) -> Plan:
        """The plan of the scene's own frame."""
        canvas = self._painted
        return self.planner.plan(scene, self._layers(own), canvas.size, picture_at(canvas, own))

    def _layers(self, own: int) -> list[Painted]:
        """The brushes that are painted in the scene's own frame, as they lie in it."""
        brushes = (painted_at(one, own) for one in self._painted.brushes)
        return [one for one in brushes if one.brush.enabled]
