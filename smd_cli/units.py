"""Figures and texts as people read them, and the sides a canvas may have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

MIN_SIDE_PX, MAX_SIDE_PX = 64, 8192

_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_SHORT = 40  # characters of a text in a table or a sentence
_MAX_QUOTED = 60  # characters of a text within a message
_CLOSE = 0.55  # of two file names without their suffixes, from where on one may be the other
_HARMLESS = r"\t -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff"
_ROUND_FROM = 100  # a figure of three digits needs no decimal


def shown_bytes(count: int) -> str:
    """A number of bytes: ``3.4 GB``, ``712 MB``."""
    for unit, size in _UNITS:
        if count >= size:
            figure = count / size
            return f"{figure:.1f} {unit}" if figure < _ROUND_FROM else f"{figure:.0f} {unit}"
    return f"{count} B"


def counted(number: int, noun: str) -> str:
    """``1 slot``, ``5 slots``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Text on one line, without characters that do not print."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def shortened(text: str) -> str:
    """The beginning of a text on one line."""
    text = printable(text)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def shown(text: str, quote: bool = True) -> str:
    """A text inside a message: on one line, in quotes, its end left out where it is long."""
    short = visible(text if len(text) <= _MAX_QUOTED else text[: _MAX_QUOTED - 1] + "…")
    return f"'{short}'" if quote else short


def visible(text: str, breaks: bool = False) -> str:
    """The text without what would end a line (but where `breaks` may stay) or steer a terminal."""
    bare = text.replace("\t", "")
    bare = bare.replace("\n", "").replace("\r", "") if breaks else bare
    if bare.isascii() and bare.isprintable():  # most are, and the classes take long to compile
        return text
    return re.sub(f"[^\r\n{_HARMLESS}]" if breaks else f"[^{_HARMLESS}]", "\ufffd", text)


def without_home(text: str) -> str:
    """A text for people to read, and to pass on: the home folder is ``~``."""
    home = str(Path.home())
    return re.sub(rf"{re.escape(home)}(?![^/\\\s'\":])", "~", text) if len(home) > 1 else text


def closest_name(name: str, names: Iterable[str]) -> str:
    """The file name that is most like another, by what stands before the suffixes; empty if none.

    Of names that differ in their suffix alone it is the one with the same suffix.
    """
    wanted = PurePath(name.lower())
    by_stem: dict[str, str] = {}
    for other in sorted(names, key=lambda n: (PurePath(n.lower()).suffix != wanted.suffix, n)):
        by_stem.setdefault(PurePath(other.lower()).stem, other)
    close = difflib.get_close_matches(wanted.stem, by_stem, n=1, cutoff=_CLOSE)
    return by_stem[close[0]] if close else ""
