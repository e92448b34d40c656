"""Figures as people read them."""

from __future__ import annotations

_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_ROUND_FROM = 100  # a figure of three digits needs no decimal


def shown_bytes(count: int) -> str:
    """A number of bytes: ``3.4 GB``, ``712 MB``."""
    for unit, size in _UNITS:
        if count >= size:
            figure = count / size
            return f"{figure:.1f} {unit}" if figure < _ROUND_FROM else f"{figure:.0f} {unit}"
    return f"{count} B"
