"""What the scenes that `smd init` writes have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from smd_cli.scene.named import quoted

SCENE = "scene.yaml"

_PLAIN = re.compile(r"(?:\.\./)*[A-Za-z][A-Za-z0-9_'./-]*(?: [A-Za-z0-9_'./-]+)*")
_WORDS = ("true", "false", "null")  # of YAML, that are no texts


@dataclass(frozen=True)
class Start:
    """The files of a new scene by name, the scene's own last, and sentences about them."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def yaml_text(text: str) -> str:
    """A text as YAML reads it on one line, in quotes where it needs them."""
    bare = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if bare else quoted(text)


def one_line(text: str) -> str:
    """A text without what does not show."""
    return "".join(c if c.isprintable() else "?" for c in text)


def percent(share: float) -> str:
    """``12.5 %``."""
    return f"{share * 100:.1f} %"


class Names:
    """Names of brushes, no two alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, wanted: str) -> str:
        """A name like this that is no number, shows, and that no other brush has."""
        shows = " ".join("".join(c for c in wanted if c.isprintable()).split())
        base = f"layer {shows}" if shows.isdecimal() else shows or "layer"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}-{number}", number + 1
        self._taken.add(name)
        return name
