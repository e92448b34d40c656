"""Frames that are skipped as alike: which they are in a job, and what is written for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from smd_cli.engine.contract import Backbone
from smd_cli.engine.similarity import Skips
from smd_cli.engine.stream import Frame, begin_picture
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.types import Scene
from smd_cli.work.motion import FramePlans
from smd_cli.work.request import Order


def skips_of(plans: FramePlans, scene: Scene, order: Order) -> Skips | None:
    """The frames of a film that are skipped; None where none is, as of a stream without end."""
    threshold = scene.sampler.similarity
    if threshold == "off" or order.first is not None:
        return None
    return Skips(plans, threshold, scene.seed)


def begin_of(skips: Skips | None, frame: int, passes: int) -> int:
    """The frame with which a stream begins whose pipe is full by frame `frame`."""
    if skips is None:
        return max(0, frame - passes)
    for _ in range(passes):
        frame = skips.shown(frame - 1) if frame else 0
    return frame


def standing(frames: Iterable[Frame], wanted: range) -> Iterator[tuple[int, Frame]]:
    """Every wanted number with the frame that stands for it: itself, or the last before it."""
    last, number = None, wanted.start
    for frame in frames:
        while last is not None and number in wanted and number < frame.index:
            yield number, last
            number += 1
        last = frame
        if number == frame.index:
            yield number, frame
            number += 1
    while last is not None and number in wanted:
        yield number, last
        number += 1


class Decoding:
    """Decodes frames, one that comes again no second time."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._last: tuple[Frame, Callable[[], Photo]] | None = None

    def begin(self, frame: Frame) -> Callable[[], Photo]:
        """What gives the frame's picture, once it is there."""
        if self._last is None or self._last[0] is not frame:
            self._last = frame, begin_picture(frame, self._backbone)
        return self._last[1]
