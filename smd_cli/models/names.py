"""What is written where a model is named, and means none: addresses."""

from __future__ import annotations

import re
from urllib.parse import unquote

from smd_cli.units import shown

_HUB = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]{1,99}/[\w.-]{1,99})"
    r"(?:/(?:resolve|blob)/[^/]+(/.*\.safetensors))?(?:[/?].*)?"
)


def address_hint(written: str, *, with_file: bool = False) -> str:
    """How to write what lies at an address; empty where `written` is none.

    `with_file`: one of a model's files may be meant.
    """
    hub = _HUB.fullmatch(written)
    scheme, there, rest = written.partition("://")
    if hub:
        file = hub[2] if hub[2] and with_file else ""
        return f"a model of the hub is written {shown(hub[1] + file, quote=False)}"
    if not there or not scheme.isalnum():
        return ""
    if scheme.lower() == "file":
        return f"write the path: {shown(unquote(rest.removeprefix('localhost')), quote=False)}"
    return "download it, and write the path of the file"
