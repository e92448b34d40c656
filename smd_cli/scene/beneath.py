"""What a scene takes from the film beneath: how many frames there are, and how fast they go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from smd_cli.scene.keys.fields import file_path
from smd_cli.scene.keys.sections import Reader, wrong
from smd_cli.scene.paint.errors import PictureError, quote
from smd_cli.scene.text.nodes import Node

if TYPE_CHECKING:
    from smd_cli.scene.paint.reel import Reel

T = TypeVar("T")

AUTO = "auto"
_NEEDED = "background: {image: clip.mp4} names a film; an animation and a sequence serve as well"


class Beneath:
    """The reel that a scene's `background.image` names, looked at where something is ``auto``."""

    def __init__(self, root: Node, folder: Path) -> None:
        """`root` is the scene; paths in it start from `folder`."""
        self._root, self._folder = root, folder

    def frames(self, read: Reader[int]) -> Reader[int]:
        """A reader of the number of frames, or of ``auto``."""

        def read_frames(node: Node) -> int:
            return self._reel(node).count if node.value == AUTO else read(node)

        return read_frames

    def fps(self, read: Reader[float]) -> Reader[float]:
        """A reader of the frame rate, or of ``auto``."""

        def read_fps(node: Node) -> float:
            if node.value != AUTO:
                return read(node)
            reel = self._reel(node)
            if reel.rate is None:
                message = f"fps: auto has no rate to take: {quote(reel.written)} tells none"
                raise wrong(node, message, "fps: 12 says how many frames a second")
            return float(reel.rate)

        return read_fps

    def _reel(self, node: Node) -> Reel:
        """The reel for whoever asks, at `node`."""
        from smd_cli.scene.paint.reels import reel_of  # with all that reads pictures

        asks = f"{node.label}: auto takes "
        asks += "the rate" if node.label.endswith("fps") else "the length"
        image = self._root.children.get("background", node).children.get("image")
        if image is None:
            raise wrong(node, f"{asks} of the film beneath, and there is none", _NEEDED)
        path, written = file_path(image, self._folder)
        try:
            reel = reel_of(path, written)
        except PictureError as broken:
            raise wrong(image, broken.message, broken.hint) from broken
        if reel is None:
            still = f"{quote(written)} is a single picture, or none"
            raise wrong(node, f"{asks} of the film beneath: {still}", _NEEDED)
        return reel
