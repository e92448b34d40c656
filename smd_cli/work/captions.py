"""Captions: what a background's picture shows, in words that stand in for its prompt.

A caption is kept in a text file beside its picture. As long as that is there nobody is asked, and
whoever edits it has the last word.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from smd_cli.errors import Problem, SceneError, SmdError
from smd_cli.scene.named import quoted
from smd_cli.scene.overrides import Override
from smd_cli.scene.types import SceneFile
from smd_cli.units import shown

_MOST_BYTES = 10_000
_CAPTIONED = "the picture's caption"  # where the change comes from that takes the place of auto


def with_kept_caption(file: SceneFile) -> SceneFile:
    """The scene with the caption that lies beside its picture, where it wants one and there is.

    Raises SceneError for a file of captions that cannot be read.
    """
    kept = file.scene.background.caption_file
    if kept is None or not file.scene.background.wants_caption:
        return file
    try:
        data = kept.read_bytes()[: _MOST_BYTES + 1] if _is_file(kept) else None
        caption = None if data is None else " ".join(data.decode("utf-8-sig").split())
    except (OSError, ValueError) as error:
        reason = "it is no UTF-8 text" if isinstance(error, ValueError) else str(error)
        raise _unread(file, kept, reason) from error
    if data is None or caption is None:
        return file
    if not caption or len(data) > _MOST_BYTES:
        raise _unread(file, kept, "it is too long" if caption else "it is empty")
    return captioned(file, caption)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its name is too long, say
        return False


def _unread(file: SceneFile, kept: Path, reason: str) -> SceneError:
    message = f"the caption in {shown(str(kept), quote=False)} cannot be read: {reason}"
    hint = "write what the picture shows into it, or delete it to have the picture captioned"
    return SceneError([Problem(file.place("background", "prompt"), message, hint)])


def captioned(file: SceneFile, caption: str) -> SceneFile:
    """The scene with a caption for its prompt: told by pictures like a change by an option."""
    scene = file.scene
    below = replace(
        scene.background, prompt=f"{scene.prefix}{caption}{scene.suffix}", caption=caption
    )
    word = f"{caption} " if caption == "auto" else caption
    value = quoted(word) if caption[0] in "\"'" or word != caption else word
    change = Override("background.prompt", value, _CAPTIONED, Path())
    return replace(
        file,
        scene=replace(scene, background=below),
        changes=(*file.changes, change),
        overrides=(*file.overrides, str(change)),
    )


def keep_caption(file: SceneFile, caption: str) -> str:
    """Write a caption beside its picture; the sentence that tells so, or that it could not be."""
    from smd_cli.output.atomic import AtomicFile

    kept = file.scene.background.caption_file
    assert kept is not None
    name = shown(str(kept), quote=False)
    try:
        text = AtomicFile(kept, clobber=False)
        text.stream.write(f"{caption}\n".encode())
        text.commit()
    except SmdError as wrong:
        return f"{wrong.message}: the next run asks for the caption again"
    return f"the caption is kept in {name}: edit it, or delete it to have another"


def caption_notes(file: SceneFile) -> list[str]:
    """A sentence that tells what the background's picture shows, once that is known."""
    below = file.scene.background
    if below.image is None or below.caption_file is None or below.caption is None:
        return []
    told = f"{below.image_written} shows: {below.caption}"
    if _is_older(below.caption_file, below.image):
        told += f"; {shown(str(below.caption_file), quote=False)} is older than the picture"
    return [told]


def _is_older(kept: Path, image: Path) -> bool:
    try:
        return kept.stat().st_mtime < image.stat().st_mtime
    except OSError:  # it could not be kept
        return False
