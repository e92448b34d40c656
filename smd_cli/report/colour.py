"""Colours of what people read: on terminals, or as the environment says.

``NO_COLOR`` (https://no-color.org) and ``FORCE_COLOR`` are what rich goes by, too; ``--color`` sets
one of them, for this process and those that it starts.
"""

from __future__ import annotations

import os
import re
from typing import TextIO

from smd_cli.errors import UsageError
from smd_cli.units import closest_name, shown

WHEN = ("auto", "always", "never")

_NEVER, _ALWAYS = "NO_COLOR", "FORCE_COLOR"
_RED, _YELLOW, _CYAN, _GREEN, _PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[36m", "\x1b[32m", "\x1b[0m"
_STYLES = {"error": _RED, "warning": _YELLOW, "note": _CYAN, "hint": _CYAN}
# A line's first word, behind its place in a scene where it has one.
_WORD = re.compile(r"^((?:\S.*?: )?)(error|warning)(?=: )|^()(note|hint)(?=: )", re.MULTILINE)
_CARET = re.compile(r"^(\s*)\^$", re.MULTILINE)


def choose(when: str) -> None:
    """Colour always, never, or by what there is (auto). Raises UsageError for another word."""
    if when not in WHEN:
        close = closest_name(when, WHEN)
        hint = f"did you mean {close}?" if close else ""
        raise UsageError(f"--color must be one of {', '.join(WHEN)}, not {shown(when)}", hint)
    if when == "never":
        os.environ[_NEVER] = "1"
    if when == "always":
        os.environ.pop(_NEVER, None)
        os.environ[_ALWAYS] = "1"


def coloured(stream: TextIO) -> bool:
    """Whether text on a stream is coloured."""
    if os.environ.get(_NEVER):
        return False
    if os.environ.get(_ALWAYS):
        return True
    bare = os.name == "nt" and "WT_SESSION" not in os.environ  # a console that shows the codes
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not bare


def tinted(text: str, stream: TextIO) -> str:
    """A message with the words that say what it is, and carets, in colour where that shows."""
    if not coloured(stream):
        return text

    def word(found: re.Match[str]) -> str:
        lead, kind = found[1] or "", found[2] or found[4]
        return f"{lead}{_STYLES[kind]}{kind}{_PLAIN}"

    return _CARET.sub(rf"\1{_GREEN}^{_PLAIN}", _WORD.sub(word, text))
