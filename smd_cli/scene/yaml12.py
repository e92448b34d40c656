"""PyYAML's composer taught YAML 1.2: the core scalars, no magic, nothing executed, no bombs."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_DEPTH = 32
MAX_EXPANDED = 10_000  # nodes that aliases may repeat in all

_TAG = "tag:yaml.org,2002:"
STR, INT, FLOAT, BOOL, NULL = (_TAG + t for t in ("str", "int", "float", "bool", "null"))
SEQ, MAP = _TAG + "seq", _TAG + "map"
SCALARS = frozenset({STR, INT, FLOAT, BOOL, NULL})
_CORE = {
    NULL: re.compile(r"~|null|Null|NULL|"),
    BOOL: re.compile(r"true|True|TRUE|false|False|FALSE"),
    INT: re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    FLOAT: re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
_MAX_DIGITS = 40


class UnreadableError(Exception):
    """The text is no YAML that we take; `index` is the character where it goes wrong."""

    def __init__(self, message: str, index: int, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.index, self.hint = message, index, hint


def compose(text: str) -> yaml.Node | None:
    """The node tree of the one document in `text`; None where there is none."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as flaw:
        raise UnreadableError(
            f"the character U+{ord(text[flaw.position]):04X} is not allowed in YAML", flaw.position
        ) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as flaw:
        raise _plain(flaw) from None
    except (ValueError, OverflowError):  # PyYAML lets "\UFFFFFFFF" through to chr()
        raise UnreadableError("this is no valid YAML number or character", loader.index) from None
    finally:
        loader.dispose()


def scalar(tag: str, text: str) -> str | int | float | bool | None:
    """The value of a scalar with a core tag; ValueError where the text does not fit the tag."""
    if tag == STR:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")  # joins "\ud83e\udd8a"
    if not _CORE[tag].fullmatch(text):
        raise ValueError(text)
    if tag == NULL:
        return None
    if tag == BOOL:
        return text.lower() == "true"
    return _integer(text) if tag == INT else float(re.sub(r"\.(?=[infaINFA])", "", text))


def tag_shown(tag: str) -> str:
    """A tag as it is written: ``!!set``, ``!mine``."""
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _integer(text: str) -> int | float:
    """An int; a float (perhaps inf) where it has so many digits that no key could take it."""
    if len(text) > _MAX_DIGITS:
        return float("-inf" if text.startswith("-") else "inf")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


class _Loader(yaml.SafeLoader):
    """A composer that resolves by YAML 1.2's core schema and limits depth and expansion."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._total = self._expanded = 0
        self._sizes: dict[int, int] = {}

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.SequenceNode:
            return SEQ
        if kind is yaml.MappingNode:
            return MAP
        plain = bool(implicit[0])
        return next((t for t, form in _CORE.items() if plain and form.fullmatch(value)), STR)

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        start, mark = self._total, self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            node = super().compose_node(parent, index)
            self._count_alias(node, mark)
            return node
        if self._depth == MAX_DEPTH:
            raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", mark.index)
        self._depth += 1
        self._total += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._sizes[id(node)] = self._total - start
        return node

    def _count_alias(self, node: yaml.Node | None, mark: Any) -> None:
        size = self._sizes.get(id(node))
        if size is None:  # its anchor is still open
            raise UnreadableError("this alias stands inside its own anchor", mark.index)
        self._total += size
        self._expanded += size
        if self._expanded > MAX_EXPANDED:
            raise UnreadableError("the aliases repeat too much", mark.index)


# What PyYAML says → what we say, and whether the place is where the construct began.
_SENTENCES: tuple[tuple[str, str, str, bool], ...] = (
    (r"'\\t' that cannot start", "a tab cannot stand here", "indent with spaces", False),
    (
        "mapping values are not allowed",
        "a ':' cannot stand here",
        "quote a text that contains ': ', and check the indentation",
        False,
    ),
    (
        "expected <block end>",
        "this does not fit what stands before it",
        "check the indentation and the quotes",
        False,
    ),
    (
        "could not find expected ':'",
        "this key has no ': ' after it",
        "a space follows the ':'",
        True,
    ),
    ("end of stream", "this quote is never closed", "", True),
    ("document separator", "this quote is never closed", "", True),
    (r"expected ',' or '\]'", "this list is not closed: a ',' or ']' is missing", "", True),
    ("expected ',' or '}'", "this mapping is not closed: a ',' or '}' is missing", "", True),
    (
        "that cannot start any token|expected alphabetic or numeric",
        "this character cannot begin a value",
        "quote the text",
        False,
    ),
    ("unknown escape character", "this backslash escape is unknown", "use single quotes", False),
    ("undefined alias", "no anchor of this name stands before this alias", "", False),
    ("second occurrence", "this anchor was given before", "", False),
    (
        "but found another document",
        "a second document starts here",
        "a scene is one document",
        False,
    ),
)


def _plain(flaw: yaml.MarkedYAMLError) -> UnreadableError:
    """PyYAML's complaint as a plain sentence at the place that helps."""
    said = flaw.problem or flaw.context or "unreadable"
    mark = flaw.problem_mark or flaw.context_mark
    for pattern, message, hint, at_start in _SENTENCES:
        if re.search(pattern, said):
            mark = flaw.context_mark or mark if at_start else mark
            return UnreadableError(message, mark.index if mark else 0, hint)
    return UnreadableError(f"this is not valid YAML: {said}", mark.index if mark else 0)
