"""What is told of a picture, without an address: errors, notes, and how sizes are written."""

from __future__ import annotations

from dataclasses import dataclass

from smd_cli.errors import UsageError

Size = tuple[int, int]

MAX_PIXELS = 2 * 8192 * 8192  # twice the largest canvas; Pillow's own refusal lies a little above


class PictureError(UsageError):
    """A picture cannot serve: a sentence without an address.

    `key`: which key beside the picture's name is wrong; empty where the picture itself is.
    """

    def __init__(self, message: str, hint: str = "", key: str = "") -> None:
        super().__init__(message, hint)
        self.key = key


@dataclass(frozen=True)
class Note:
    """Something about a picture that is legal but hardly meant.

    `message` goes on where the file's name stands. A scene that writes the key `settled_by` has
    decided, and need not be told.
    """

    message: str
    hint: str = ""
    settled_by: str = ""


def quote(text: str) -> str:
    """The text in quotes on one line; characters that do not print show as ``?``."""
    return "'" + "".join(c if c.isprintable() else "?" for c in text) + "'"


def dimensions(size: Size) -> str:
    """``512x384``: width and height in pixels."""
    return f"{size[0]}x{size[1]}"


def refuse_huge(pixels: int, written: str) -> None:
    """Raise for a picture of more pixels than are read."""
    if pixels > MAX_PIXELS:
        raise PictureError(
            f"{quote(written)} holds {pixels / 1e6:.0f} million pixels; "
            f"at most {MAX_PIXELS // 10**6} million are read",
            "scale it down: a picture needs no more pixels than the canvas",
        )


def unread(written: str, what: str) -> PictureError:
    """The error of a picture stored in a way that smd does not read."""
    return PictureError(f"{quote(written)} {what} that smd does not read", "export it as PNG")
