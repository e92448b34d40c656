"""`smd check --resolved`: the whole scene with all defaults, which renders the same bytes."""

from __future__ import annotations

from typing import Any

from smd_cli.errors import KeyPath
from smd_cli.scene.files import read_pictures
from smd_cli.scene.full import as_yaml, full_scene, without
from smd_cli.scene.parse import load_scene
from smd_cli.scene.text.source import Source
from smd_cli.scene.types import ImageMask, SceneFile
from smd_cli.work.check import check_scene

# What a scene writes in any case, maybe in a short form.
_WRITTEN = [(key,) for key in ("prompt", "image", "name", "mask", "rect", "ellipse", "polygon")]


def resolved_scene(file: SceneFile) -> dict[str, Any]:
    """All keys of a scene that have a value and can act, as plain data in the scene's words.

    Masks say by which channel they are read, and a random seed is the one that was drawn. What
    would be warned of, were it written, is left out where the scene itself does not write it.
    Raises SceneError where a picture cannot be read.
    """
    painted = read_pictures(file)
    whole = full_scene(file, painted.size)
    for one in painted.brushes:
        _say_channels(whole["brushes"][one.brush.number - 1], one.brush.mask, one.channels)
    name = str(file.folder / "resolved.yaml")
    again = load_scene(Source(name, file.name, file.folder, as_yaml(whole)))
    told = {str(w.place) for w in check_scene(again).warnings}
    idle = [path for path, place in again.places.items() if str(place) in told]
    return without(whole, [path for path in idle if not _is_written(file, path)])


def _is_written(file: SceneFile, path: KeyPath) -> bool:
    """Whether a scene says itself what a key is, there or for all brushes."""
    for_all = ("defaults", path[-1]) in file.places
    return path in file.places or for_all or path[-1:] in _WRITTEN


def _say_channels(brush: dict[str, Any], parts: tuple[Any, ...], channels: tuple[Any, ...]) -> None:
    """Write the channels that a brush's images were read by into its mask, where it has none."""
    masks = brush["mask"] if isinstance(brush["mask"], list) else [brush["mask"]]
    for mask, part, channel in zip(masks, parts, channels, strict=True):
        if isinstance(part, ImageMask) and channel is not None:
            mask.setdefault("channel", channel)
