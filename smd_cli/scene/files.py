"""The picture files of a scene that cannot be read, found whatever else is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from smd_cli.errors import Problem, SceneError
from smd_cli.scene.keys.fields import resolved
from smd_cli.scene.named import named_pictures
from smd_cli.scene.paint.files import PaintSource
from smd_cli.scene.paint.painted import PaintedScene, paint_scene
from smd_cli.scene.paint.pictures import PictureError
from smd_cli.scene.paint.reels import size_of
from smd_cli.scene.text.nodes import Node
from smd_cli.scene.types import SceneFile


def with_unread(problems: Sequence[Problem], root: Node, folder: Path) -> list[Problem]:
    """Problems of a scene, and one for every other picture under its root that cannot be read.

    By the pictures' headers alone. Paths start from `folder`: pictures that options name are not
    looked at, nor those of muted brushes, nor those at whose place something is wrong already.
    """
    told = {problem.place for problem in problems}
    named = ((at, node) for at, node in named_pictures(root) if not {at.place, node.place} & told)
    return [*problems, *_unread(named, folder)]


def _unread(named: Iterable[tuple[Node, Node]], folder: Path) -> Iterator[Problem]:
    for at, node in named:
        written = node.text or ""
        try:
            if node.base is None:
                size_of(resolved(written, folder), written)
        except PictureError as wrong:
            yield Problem(at.place, wrong.message, wrong.hint)


def read_pictures(scene_file: SceneFile, source: PaintSource | None = None) -> PaintedScene:
    """As `paint_scene`; its one SceneError tells of everything that cannot be read."""
    try:
        return paint_scene(scene_file, source)
    except SceneError as wrong:
        if scene_file.root is None:
            raise
        folder = scene_file.folder
        problems = with_unread(wrong.problems, scene_file.root, folder)
        in_order = sorted(problems, key=lambda one: (one.place.line, one.place.column))
        raise SceneError(in_order) from wrong
