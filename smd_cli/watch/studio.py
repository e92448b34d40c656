"""What compiles the scene for the live loop: a warm model, and the plans of the newest version."""

from __future__ import annotations

from smd_cli.engine.contract import Backbone
from smd_cli.errors import SmdError
from smd_cli.watch.follower import Follower, Version
from smd_cli.watch.tell import Teller
from smd_cli.work.job import Job
from smd_cli.work.motion import FramePlans
from smd_cli.work.render import ModelHolder, memory_sentence


class OvertakenError(Exception):
    """There is a newer version: work on this one ends."""


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


class NewestPlans:
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
