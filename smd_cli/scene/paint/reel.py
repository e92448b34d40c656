"""A reel: pictures by number, one for every frame of a scene, read when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from PIL import Image

from smd_cli.errors import Place, Problem, SceneError
from smd_cli.scene.paint.errors import PictureError, Size, dimensions, quote
from smd_cli.scene.paint.pixels import Pixels, Source
from smd_cli.scene.types import Repeat
from smd_cli.units import counted

T = TypeVar("T")


class Reel(ABC):
    """A film, an animation or a sequence of files, called `written` in the scene.

    `count` pictures, numbered from 0; `size`: (width, height) of the first, upright; `sound`: the
    codec of what is to be heard with it, empty where there is nothing. `note` tells what is hardly
    meant.
    """

    written: str
    count: int
    size: Size
    sound: str = ""
    note: str = ""

    @property
    @abstractmethod
    def rate(self) -> Fraction | None:
        """Pictures a second; None where nothing says so."""

    @abstractmethod
    def opened(self, number: int) -> AbstractContextManager[Source]:
        """One picture. In ascending order each is decoded once. Raises PictureError."""

    def shown(self, frame: int, repeat: Repeat | None) -> int:
        """The number of the picture that a frame shows; past the last frame they go round."""
        return min(frame, self.count - 1) if repeat == "hold" else frame % self.count

    def refuse_short(self, frames: int, repeat: Repeat | None, hint: str) -> None:
        """Raise PictureError where a scene has more frames than there are pictures."""
        if repeat is None and self.count < frames:
            has = f"{quote(self.written)} has {counted(self.count, 'frame')}"
            message = f"{has}, and the scene has {frames}"
            raise PictureError(message, hint.format(self.count))

    def refuse_unread(self, frames: int) -> None:  # noqa: B027 - most have nothing to tell
        """Raise PictureError where one of the first pictures cannot serve, as far as is known."""

    @property
    def described(self) -> str:
        """``clip.mp4: 24 frames of 256x256 px at 12 a second, with sound``."""
        text = f"{self.written}: {counted(self.count, 'frame')} of {dimensions(self.size)} px"
        text += "" if self.rate is None else f" at {float(self.rate):.6g} a second"
        return text + (", with sound" if self.sound else "")


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture of a reel that has been decoded already: a Source."""

    picture: Image.Image
    turn: int = 1
    several: str = ""

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.picture.size

    def load(self, wanted: Size, /) -> Pixels:  # noqa: ARG002 - it is there in full
        """Its pixels, opaque."""
        return Pixels(self.picture)


class Shown(Generic[T]):
    """What a reel shows at the frames of its scene, made by `make` of its pictures.

    `first` is made of picture 0. The last one is kept, so that frames of one picture have one
    object. `place` is where the scene names the reel.
    """

    def __init__(
        self,
        reel: Reel,
        repeat: Repeat | None,
        make: Callable[[Source], T],
        first: T,
        place: Place,
    ) -> None:
        self.reel, self.repeat = reel, repeat
        self._make, self._place = make, place
        self._last = (0, first)

    def number(self, frame: int) -> int:
        """The number of the picture at one of the scene's own frames."""
        return self.reel.shown(frame, self.repeat)

    def at(self, frame: int) -> T:
        """What is shown at one of the scene's own frames. Raises SceneError."""
        number = self.number(frame)
        if self._last[0] != number:
            try:
                with self.reel.opened(number) as source:
                    self._last = (number, self._make(source))
            except PictureError as wrong:
                problem = Problem(self._place, wrong.message, wrong.hint)
                raise SceneError([problem]) from wrong
        return self._last[1]

    @property
    def described(self) -> str:
        """The reel, and how it goes on after its last picture."""
        ways = {"loop": ", then from the start again", "hold": ", then the last one stays"}
        return self.reel.described + (ways[self.repeat] if self.repeat else "")
