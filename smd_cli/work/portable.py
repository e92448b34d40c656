"""Names of files that every system takes, and that lead nowhere else."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.I)
_SIGNS = frozenset('<>:"|?*\\')  # Windows takes none of them in a name
_LONGEST_PART, _LONGEST, _DEEPEST = 255, 1024, 32  # bytes, bytes, folders


def flaw(name: str) -> str:
    """What is wrong with a relative name, with / between folders; empty where nothing is."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or re.match(r"[A-Za-z]:", name):
        return "leads out of the folder"
    if not name.isprintable():
        return "holds characters that do not show"
    if len(name.encode("utf-8", "replace")) > _LONGEST or len(parts) > _DEEPEST:
        return "is too long"
    return next(filter(None, map(_flaw_of_part, parts)), "")


def _flaw_of_part(part: str) -> str:
    if part in ("", "."):
        return "is no file's name"
    if len(part.encode("utf-8", "replace")) > _LONGEST_PART:
        return "is too long"
    if part[-1] in " ." or _SIGNS & {*part} or _RESERVED.fullmatch(part.split(".")[0].rstrip()):
        return "is a name that Windows does not take"
    return ""


def key(name: str) -> str:
    """The same for names that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def portable_name(name: str) -> str:
    """A file's name in letters, digits, dots, dashes and underscores that is most like `name`."""
    path = PurePosixPath(re.sub(r"[^A-Za-z0-9._-]+", "_", name))
    return f"{path.stem[:80].strip('._-') or 'file'}{path.suffix[:10].rstrip('.')}"


class Taken:
    """Names that files have already, on any system."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str) -> bool:
        """Take a name; False where a file or a folder has it already."""
        parts = key(name).split("/")
        folders = {"/".join(parts[:end]) for end in range(1, len(parts))}
        whole = "/".join(parts)
        if whole in self._files or whole in self._folders or folders & self._files:
            return False
        self._files.add(whole)
        self._folders |= folders
        return True
