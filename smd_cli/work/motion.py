"""The plans of a scene's frames, each made when it is first asked for."""

from __future__ import annotations

from smd_cli.engine.plan import Plan
from smd_cli.engine.planner import Planner
from smd_cli.scene.motion import scene_at
from smd_cli.scene.paint.moving import painted_at
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Scene


class FramePlans:
    """The plan of every frame of a scene on one canvas.

    Frames of equal scenes have the same plan. Those of the frames in flight are kept, and no more:
    memory does not grow with the length of a film.
    """

    def __init__(self, planner: Planner, scene: Scene, painted: PaintedScene) -> None:
        """Raises SmdError where the first frame cannot be planned."""
        self._planner, self._scene, self._painted = planner, scene, painted
        self._plans: dict[Scene, Plan] = {}
        planner.read_ahead([scene])
        self.first = self(0)

    def __call__(self, frame: int) -> Plan:
        """The plan of frame `frame` ≥ 0, the same object for as long as it is in flight."""
        scene = scene_at(self._scene, frame)
        found = self._plans.pop(scene, None)
        plan = self._plan(scene, frame) if found is None else found
        self._plans[scene] = plan
        if len(self._plans) > plan.passes + 1:
            del self._plans[next(iter(self._plans))]
        return plan

    def _plan(self, scene: Scene, frame: int) -> Plan:
        canvas = self._painted
        own = self._scene.counted(frame)
        brushes = [painted_at(one, own) for one in canvas.brushes]
        active = [one for one in brushes if one.brush.enabled]
        return self._planner.plan(scene, active, canvas.size, canvas.picture)
