"""The sound of a film beneath: kept in films that have its length and its rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from smd_cli.output.targets import Target
from smd_cli.output.video import Sound
from smd_cli.scene.paint.painted import PaintedScene
from smd_cli.scene.paint.pictures import quote
from smd_cli.scene.types import Scene
from smd_cli.units import counted
from smd_cli.work.request import Order

_SAME = Fraction(1, 10_000)  # of a rate: 23.976 is 24000/1001
_KINDS = ("mp4", "webm")


def sound_of(scene: Scene, painted: PaintedScene, order: Order) -> Sound | None:
    """The sound that goes with a scene's frames; None where there is none, or it does not fit."""
    film, path = painted.film, scene.background.image
    if film is None or path is None or not film.reel.sound or scene.output.audio == "drop":
        return None
    if _differs(scene, painted, order):
        return None
    rate = film.reel.rate
    assert rate is not None
    return Sound(path, film.reel.sound, film.reel.count / rate)


def sound_notes(
    scene: Scene, painted: PaintedScene, order: Order, targets: Sequence[Target]
) -> list[str]:
    """A sentence where a film of ours has to do without the sound of that beneath."""
    film = painted.film
    if film is None or not film.reel.sound or scene.output.audio == "drop":
        return []
    why = _differs(scene, painted, order)
    lost = [target for target in targets if target.kind in _KINDS]
    sound = f"the sound of {quote(film.reel.written)} is left out"
    return [f"{target.path()}: {sound}: {why}" for target in lost if why]


def _differs(scene: Scene, painted: PaintedScene, order: Order) -> str:
    """What keeps a film's sound from going with the frames; empty where nothing does."""
    assert painted.film is not None
    reel = painted.film.reel
    if scene.output.loop == "ping-pong":
        return "this goes there and back"
    count = len(order.painted(scene.frames))
    if count != reel.count:
        return f"it has {counted(reel.count, 'frame')}, and this has {count}"
    rate, fps = reel.rate or Fraction(0), Fraction(scene.output.fps)
    if abs(rate - fps) > rate * _SAME:
        own = f"{scene.output.fps:.6g}"
        return f"it has {float(rate):.6g} frames a second, and this has {own} (fps: auto keeps it)"
    return ""
