"""What the page about the live loop is made of: its parts as bytes, and its streams."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from PIL import Image

from smd_cli.output.stills import Pixels, encode_still
from smd_cli.watch.board import Board, Snapshot
from smd_cli.work.overlay import draw_overlay, legend

QUALITY = 92
BOUNDARY = "smd-next-picture"

LOOK_S = 0.2
"""How often a stream stops waiting for news, so that its client's leaving is seen."""

KEEP_ALIVE_S = 15.0
"""After how long without news a comment tells the page, and what lies between, of life."""

Made = TypeVar("Made")
Source = TypeVar("Source")


_UNFIT = re.compile(r"""[\x00-\x1f\x7f<>:"/\\|?*]""")
"""What no file's name may hold on some system."""


@dataclass(frozen=True)
class Saved:
    """A picture as a file: its name, and what is in it."""

    name: str
    data: bytes


class Latest(Generic[Source, Made]):
    """What is made of the newest of something, once, however many ask for it."""

    def __init__(
        self, newest: Callable[[], tuple[int, Source | None]], make: Callable[[Source], Made]
    ) -> None:
        """`newest` gives a number with its thing; the number grows with each."""
        self._newest, self._make = newest, make
        self._lock = threading.Lock()
        self._number = 0
        self._made: Made | None = None

    def get(self) -> tuple[int, Made | None]:
        """The newest number, and what is made of its thing; None where there is none yet."""
        with self._lock:
            number, thing = self._newest()
            if thing is not None and number != self._number:
                self._number, self._made = number, self._make(thing)
            return self._number, self._made


class Site:
    """Everything that can be had from the page, as bytes."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.page = Path(__file__).with_name("page.html").read_bytes()
        self.policy = content_policy(self.page.decode())
        self.jpeg = Latest(board.picture, encode_live)
        self.png = Latest(board.snapshot, _saved)
        self.overlay = Latest(board.painted, lambda painted: _png(draw_overlay(painted)))
        self.outlines = Latest(
            board.painted, lambda painted: _png(draw_overlay(painted, tint=False))
        )
        self._legend = Latest(board.painted, legend)

    def facts(self) -> dict[str, Any]:
        """The state, and what goes with it: the numbers of picture and scene, size and brushes."""
        state = self.board.state
        picture, pixels = self.board.picture()
        scene, entries = self._legend.get()
        return {
            **asdict(state),
            "picture_number": picture,
            "scene_number": scene,
            "size": None if pixels is None else [pixels.shape[1], pixels.shape[0]],
            "brushes": [asdict(entry) for entry in entries or ()],
        }

    def frames(self) -> Iterator[bytes]:
        """Parts of a multipart stream, each with the newest picture; b"" while there is none.

        The next part's head follows at once: only by it do browsers see that a picture is whole.
        """
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        yield head
        seen, sent = -1, 0
        while True:
            seen = self.board.wait(seen, LOOK_S)
            number, jpeg = self.jpeg.get()
            if jpeg is None or number == sent:
                yield b""
            else:
                sent = number
                yield jpeg + b"\r\n" + head

    def events(self) -> Iterator[bytes]:
        """Server-sent events: the facts now and whenever they changed; b"" while they did not."""
        yield b"retry: 1000\n\n"
        seen, told = -1, time.monotonic()
        while True:
            number = self.board.wait(seen, LOOK_S)
            now = time.monotonic()
            if number != seen:
                seen, told = number, now
                yield f"data: {json.dumps(self.facts())}\n\n".encode()
            elif now - told >= KEEP_ALIVE_S:
                told = now
                yield b": still here\n\n"
            else:
                yield b""


def content_policy(page: str) -> str:
    """What the page may do: run its own script and style, known by their hashes, and ask us."""
    script, style = (_hashes(page, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(page: str, tag: str) -> str:
    inside = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in inside]
    return " ".join(f"'sha256-{digest.decode()}'" for digest in digests)


def encode_live(pixels: Pixels) -> bytes:
    """A picture for the stream: in one pass, with full colour resolution (4:4:4)."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def _png(pixels: Pixels) -> bytes:
    return encode_still(pixels, "PNG", QUALITY, {})


def _saved(snapshot: Snapshot) -> Saved:
    """A picture as a file that says in its name what it shows."""
    name = f"{snapshot.scene or 'picture'}-seed{snapshot.seed}-frame{snapshot.frame:04d}.png"
    return Saved(_UNFIT.sub("_", name), _png(snapshot.pixels))
