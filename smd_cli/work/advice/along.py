"""What layers come to on their way: what is hardly meant of them in some frames of a film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from smd_cli.engine.schedule import StepTable
from smd_cli.errors import Problem
from smd_cli.scene.paint.errors import Size
from smd_cli.scene.paint.moving import painted_at
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.types import Brush, SceneFile
from smd_cli.units import counted
from smd_cli.work.advice.layers import Layer
from smd_cli.work.advice.masks import layer_warnings

_LOOKS = 4  # steps from the first frame to the last one, between which frames are looked at
_NOTHING = 0.1  # of its own size: so small only what is to vanish is drawn
_KEYS = ("alpha", "blur", "repaint", "enabled")


@dataclass(frozen=True, eq=False)
class Look:
    """The layers of one frame, of the brushes that are enabled in it, on a canvas (W, H)."""

    frame: int
    size: Size
    layers: Sequence[Layer]


def looked_at(scene_file: SceneFile, painted: PaintedScene) -> tuple[int, ...]:
    """The frames in which layers are looked at: the first one alone where none changes.

    Else five from the first to the last, and those in which a brush comes in. Of masks that are
    films or sequences the first picture alone is read, and so the first frame is looked at.
    """
    last, brushes = scene_file.scene.frames - 1, [one.brush for one in painted.brushes]
    reads = any(shown for one in painted.brushes for shown in one.shown)
    if not last or reads or not any(map(_changes, brushes)):
        return (0,)
    found = {round(step * last / _LOOKS) for step in range(_LOOKS + 1)}
    found |= {frame for brush in brushes for frame in _comes_in(brush) if frame <= last}
    return tuple(sorted(found))


def _changes(brush: Brush) -> bool:
    """Whether the layer of a brush is another from frame to frame."""
    return any(part.tracks for part in brush.mask) or any(t.key in _KEYS for t in brush.tracks)


def _comes_in(brush: Brush) -> Iterator[int]:
    """The first frame in which a brush is enabled, where that changes."""
    for track in brush.tracks:
        if track.key == "enabled":
            keys = zip(track.frames, track.values, strict=True)
            yield from [-int(-frame // 1) for frame, enabled in keys if enabled][:1]


def scene_in(painted: PaintedScene, frame: int) -> PaintedScene:
    """What is painted in one frame."""
    brushes = (painted_at(one, frame) for one in painted.brushes)
    return replace(painted, brushes=tuple(one for one in brushes if one.brush.enabled))


def warnings_along(
    scene_file: SceneFile, looks: Sequence[Look], table: StepTable, factor: int
) -> Iterator[Problem]:
    """What is hardly meant of layers in some of the frames that are looked at, and in which.

    What is so in all in which the brush is there is told as of a scene that stands still. What
    comes over the canvas' edge or from nothing is small for a while, and what fades comes late:
    that is meant.
    """
    there: dict[int, list[int]] = {}
    told: dict[tuple[int, str], dict[int, tuple[Problem, Layer]]] = {}
    for look in looks:
        for layer in look.layers:
            number = layer.brush.number
            brush = scene_file.scene.brushes[number - 1]
            if layer.area_px:
                there.setdefault(number, []).append(look.frame)
                for kind, problem in layer_warnings(scene_file, layer, table, factor):
                    if kind == "covered" or not _crosses(brush, layer, look.size):
                        told.setdefault((number, kind), {})[look.frame] = problem, layer
    for (number, kind), found in told.items():
        problem, layer = next(iter(found.values()))
        brush = scene_file.scene.brushes[number - 1]
        meant = (kind == "late" and _fades(brush, layer)) or (kind != "covered" and _grows(brush))
        if len(found) == len(there[number]):
            yield problem
        elif not meant:
            message = f"{_spans(found, there[number])}: {problem.message}"
            yield replace(problem, message=message, hint=_looked(problem.hint, looks, scene_file))


def _crosses(brush: Brush, layer: Layer, size: Size) -> bool:
    """Whether a layer that moves lies at the edge of its canvas (W, H)."""
    if layer.box is None or not any(part.tracks for part in brush.mask):
        return False
    (left, top, width, height), (right, bottom) = layer.box, size
    return min(left, top) == 0 or left + width == right or top + height == bottom


def _fades(brush: Brush, layer: Layer) -> bool:
    """Whether what holds a layer back is a value that changes from frame to frame."""
    return any(track.key == layer.held for track in brush.tracks)


def _grows(brush: Brush) -> bool:
    """Whether a mask comes from nearly nothing, or goes there."""
    scales = (t.values for part in brush.mask for t in part.tracks if t.key == "scale")
    return any(min(values) < _NOTHING for values in scales)


def _looked(hint: str, looks: Sequence[Look], scene_file: SceneFile) -> str:
    """A hint, and which frames were looked at, where those are not all."""
    if len(looks) == scene_file.scene.frames:
        return hint
    return f"{hint}; frames {', '.join(str(look.frame) for look in looks)} were looked at"


def _spans(frames: Iterable[int], of: Sequence[int]) -> str:
    """``frames 3 to 6 and 9``: which of some frames, those side by side as one span."""
    wanted = set(frames)
    runs = [[*run] for is_one, run in groupby(of, key=wanted.__contains__) if is_one]
    spans = [f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    word = counted(len(wanted), "frame").partition(" ")[2]
    return f"{word} {' and '.join(spans)}"
