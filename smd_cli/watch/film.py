"""The frames of a version of a scene: which are there already, and which are to be painted."""

from __future__ import annotations

from smd_cli.engine.similarity import Skips
from smd_cli.scene.paint.photo import Photo
from smd_cli.watch.store import FrameStore
from smd_cli.work.motion import FramePlans


class Film:
    """What is known of a film's frames: those in the `store`, and those that another stands for.

    Frames are asked for in their order. Without a store or `skips` every one is painted.
    """

    def __init__(self, plans: FramePlans, store: FrameStore | None, skips: Skips | None) -> None:
        self._plans, self._store, self._skips = plans, store, skips
        self._last: Photo | None = None
        if store is not None:
            store.belong(plans.planner)

    def known(self, frame: int) -> Photo | None:
        """The picture of a frame that need not be painted."""
        if self._skips is not None and self._last is not None and self._skips(frame):
            return self._last
        if self._store is not None:
            self._last = self._store.get(self._plans.fingerprint(frame))
            return self._last
        return None

    def painted(self, frame: int, photo: Photo) -> None:
        """A frame has been painted. Raises SmdError where it cannot be kept."""
        self._last = photo
        if self._store is not None:
            store, self._store = self._store, None
            store.put(self._plans.fingerprint(frame), photo)
            self._store = store  # one that has failed is left alone from then on
