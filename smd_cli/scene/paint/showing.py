"""What a scene's films and sequences show from frame to frame: masks, and what lies beneath."""

from __future__ import annotations

from pathlib import Path

from smd_cli.errors import KeyPath, Problem, SceneError
from smd_cli.models.facts import read_defaults
from smd_cli.scene.paint.boxes import Paint
from smd_cli.scene.paint.errors import Note, PictureError
from smd_cli.scene.paint.files import PaintSource, shown_mask, shown_photo
from smd_cli.scene.paint.photo import Photo
from smd_cli.scene.paint.pictures import MaskImage
from smd_cli.scene.paint.pixels import Source
from smd_cli.scene.paint.reel import Reel, Shown
from smd_cli.scene.paint.reels import stays_on_disk
from smd_cli.scene.types import ImageMask, SceneFile

_MASK = "frames: {} shows them all; repeat: loop (or hold) beside image: in the mask goes on"
_BELOW = "frames: auto shows them all; repeat: loop (or hold) beside image: goes on"
_ALONE = "a scene of one frame shows its first; frames: {} shows all"


def moving_mask(
    scene_file: SceneFile, part: ImageMask, first: MaskImage, at: KeyPath, source: PaintSource
) -> Shown[Paint] | None:
    """What an image that is a reel paints at all frames, by the channel of its first picture.

    None of a single picture, and in a scene of one frame. `at` is where the mask stands. Raises
    PictureError for a reel that is too short.
    """
    scene = scene_file.scene
    reel = source.reel(part.path, part.written)
    if reel is None or scene.frames == 1:
        return None
    reel.refuse_short(scene.frames, part.repeat, _MASK)
    reel.refuse_unread(scene.frames)
    canvas, slack_px = first.paint.size, read_defaults(scene.model).factor

    def paint(picture: Source) -> Paint:
        return shown_mask(part, picture, canvas, slack_px, first.channel).paint

    return Shown(reel, part.repeat, paint, first.paint, scene_file.place(*at))


def film_beneath(
    scene_file: SceneFile, first: Photo | None, source: PaintSource
) -> Shown[Photo] | None:
    """What lies beneath at all frames, where that is a reel; None as for a mask.

    Raises SceneError for one that is too short.
    """
    scene, below = scene_file.scene, scene_file.scene.background
    if below.image is None or first is None or scene.frames == 1:
        return None
    place = scene_file.place("background", "image")
    reel = source.reel(below.image, below.image_written)
    if reel is None:
        return None
    try:
        reel.refuse_short(scene.frames, below.repeat, _BELOW)
        reel.refuse_unread(scene.frames)
    except PictureError as wrong:
        raise SceneError([Problem(place, wrong.message, wrong.hint)]) from wrong
    canvas, slack_px = first.size, read_defaults(scene.model).factor

    def lay(picture: Source) -> Photo:
        return shown_photo(below, picture, canvas, slack_px)[0]

    return Shown(reel, below.repeat, lay, first, place)


def reel_notes(reel: Reel | None, frames: int, path: Path, *, repeats: bool) -> tuple[Note, ...]:
    """What is hardly meant of a reel in a scene of so many frames, or of what is none.

    `repeats`: the scene says how it goes on.
    """
    if reel is None:
        hint = "leave it out; films, animations, folders and names such as fox-%04d.png go on"
        return (Note("is a single picture: repeat has no effect", hint),) if repeats else ()
    if frames > 1:
        return (Note(reel.note),) if reel.note else ()
    if reel.count == 1 or not stays_on_disk(path):  # of an animation its reader has told
        return ()
    return (Note(f"has {reel.count} frames: the first is used", _ALONE.format(reel.count)),)
