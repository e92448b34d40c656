"""Figures and texts as people read them."""

from __future__ import annotations

_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_SHORT = 40  # characters of a text in a table or a sentence
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


def plain(text: str) -> str:
    """Text on one line, without characters that do not print."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def shortened(text: str) -> str:
    """The beginning of a text on one line."""
    text = plain(text)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
