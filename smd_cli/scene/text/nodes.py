"""YAML text as nodes that know where they stand. No schema in here: that is `parse`'s."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from smd_cli.errors import KeyPath, Place, Problem, SceneError
from smd_cli.scene.text import yaml12
from smd_cli.scene.text.flaws import UnreadableError, no_colon, quoting
from smd_cli.units import shown, visible

_MAX_SHOWN = 160  # signs of a source line that are shown beside its message


class Flaw(Enum):
    """A value that was already complained about: whoever meets it stays silent."""

    BROKEN = "broken"


BROKEN: Final = Flaw.BROKEN
Scalar: TypeAlias = str | int | float | bool | None
_Pair: TypeAlias = tuple[yaml.Node, yaml.Node]
Value: TypeAlias = "Scalar | tuple[Node, ...] | Mapping[str, Node] | Flaw"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    `label` is how messages call it (its key), `key` the place of its key, `written` a scalar as
    written. `bare`: what to do about a key that stands in braces without a colon, empty for all
    others. From an option come `base`, the folder that relative paths start from (None: the
    scene's), and `typed`, the text as typed, which counts where a text is wanted. `span` tells from
    where to where a scalar stands in its text, quotes included; None for all else.
    """

    label: str
    value: Value
    place: Place
    key: Place
    written: str = ""
    base: Path | None = None
    typed: str | None = None
    bare: str = ""
    span: tuple[int, int] | None = None

    @property
    def text(self) -> str | None:
        """What it is where a text is wanted; None for what is no text."""
        if self.typed is not None:
            return self.typed
        return self.value if isinstance(self.value, str) else None

    @property
    def children(self) -> Mapping[str, Node]:
        """The keys of a mapping; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items of a list; none for anything else."""
        return self.value if isinstance(self.value, tuple) else ()


class Lines:
    """A scene's text with the places in it, counted as editors count."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, visible(text, breaks=True)
        self._starts = [0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", text))]
        self._known = (-1, 0, "")  # the line asked for last: its number, start and text

    def place(self, index: int) -> Place:
        """The place of the character at `index`, with the part of its line around it."""
        line = bisect.bisect_right(self._starts, index)
        if self._known[0] != line:
            start = self._starts[line - 1]
            end = self._starts[line] if line < len(self._starts) else len(self._text)
            self._known = (line, start, self._text[start:end].rstrip("\r\n"))
        _, start, source = self._known
        column = index - start
        if len(source) <= _MAX_SHOWN:
            return Place(self._file, line, column + 1, source)
        skipped = max(0, min(column - _MAX_SHOWN // 2, len(source) - _MAX_SHOWN))
        part = source[skipped : skipped + _MAX_SHOWN]
        part = "…" + part[1:] if skipped else part
        part = part[:-1] + "…" if skipped + _MAX_SHOWN < len(source) else part
        return Place(self._file, line, column + 1, part, skipped)


@dataclass
class Document:
    """One YAML document: its root, what is wrong with it short of being unreadable, warnings."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    warnings: tuple[Problem, ...] = ()


def parse_yaml(
    text: str, place: Callable[[int], Place], label: str = "the scene", base: Path | None = None
) -> Document | None:
    """Read one document; None for an empty one. Raises SceneError for text that is no YAML.

    `place` tells where the character at an index stands. Tags, unfit scalars and duplicate keys
    are noted in the document's problems, so that the rest can be checked too.
    """
    try:
        composed = yaml12.compose(text)
    except UnreadableError as flaw:
        raise SceneError([Problem(place(flaw.index), flaw.message, flaw.hint)]) from None
    if composed.root is None:
        return None
    builder = _Builder(place, base)
    root = builder.node(composed.root, label, None)
    warnings = tuple(_lost(place(index), word) for index, word in composed.lost)
    return Document(root, builder.problems, warnings)


def _lost(place: Place, word: str) -> Problem:
    """A warning: something beside a text is YAML's, and no part of the text."""
    kind = {"#": "a comment", "&": "an anchor", "!": "a tag"}[word[0]]
    hint = f"quote the text if {word[0]} belongs to it"
    return Problem(place, f"{shown(word)} is read as {kind}, not as text", hint, "warning")


def from_data(label: str, data: Any, place: Place) -> Node:
    """Plain data (a model's JSON) as nodes, all at one place."""
    value: Value
    if isinstance(data, Mapping):
        value = {str(key): from_data(str(key), child, place) for key, child in data.items()}
    elif isinstance(data, list | tuple):
        value = tuple(from_data(_item(label), child, place) for child in data)
    else:
        value = data
    return Node(label, value, place, place, written=str(data))


def written_places(node: Node) -> dict[KeyPath, Place]:
    """The place of every key and list item under `node`, by its path."""
    places: dict[KeyPath, Place] = {}
    _walk(node, (), places)
    return places


def _walk(node: Node, path: KeyPath, places: dict[KeyPath, Place]) -> None:
    places[path] = node.place
    for key, child in node.children.items():
        _walk(child, (*path, key), places)
    for index, item in enumerate(node.items):
        _walk(item, (*path, index), places)


def _span(raw: yaml.ScalarNode) -> tuple[int, int]:
    """From where to where a scalar, or the alias that repeats it, stands in its text."""
    if isinstance(raw, yaml12.Aliased):
        return raw.alias
    return raw.start_mark.index, raw.end_mark.index


def _bare(key: yaml.ScalarNode, value: yaml.Node, before: _Pair | None) -> str:
    """A hint for a key that stands in braces without a colon; empty for any other.

    `before`: the key that stands before it, with its value. What an alias repeats stands elsewhere.
    """
    is_empty = isinstance(value, yaml.ScalarNode) and not isinstance(value, yaml12.Aliased)
    if not is_empty or value.start_mark.index > key.end_mark.index:
        return ""
    last = before[1] if before else None
    if isinstance(last, yaml.ScalarNode) and last.end_mark.index + 1 == key.start_mark.index:
        name = before[0].value if before and last.value else ""
        return no_colon(str(name), last.value, key.value)
    return no_colon("", "", key.value)


def _item(label: str) -> str:
    """How an item of the list `label` is called; so are the items of its items."""
    return label if label.startswith("a value of ") else f"a value of {label}"


class _Builder:
    """Turns PyYAML's nodes into ours and notes what our nodes cannot hold."""

    def __init__(self, place: Callable[[int], Place], base: Path | None) -> None:
        self._place, self._base = place, base
        self.problems: list[Problem] = []

    def node(self, raw: yaml.Node, label: str, key: Place | None, bare: str = "") -> Node:
        """`raw` as a Node; what has a key and is no plain value stands where its key does."""
        start = self._place(raw.start_mark.index)
        block_list = isinstance(raw, yaml.SequenceNode) and not raw.flow_style
        block = block_list or isinstance(raw, yaml.MappingNode)
        place = key if key and block else start
        value = self._value(raw, label, start)
        if not isinstance(raw, yaml.ScalarNode):
            return Node(label, value, place, key or place, base=self._base, bare=bare)
        span = _span(raw)
        return Node(label, value, place, key or place, raw.value, self._base, None, bare, span)

    def _value(self, raw: yaml.Node, label: str, start: Place) -> Value:
        if isinstance(raw, yaml.MappingNode) and raw.tag == yaml12.MAP:
            return self._mapping(raw)
        if isinstance(raw, yaml.SequenceNode) and raw.tag == yaml12.SEQ:
            of_list = _item(label)
            return tuple(self.node(item, of_list, None) for item in raw.value)
        if isinstance(raw, yaml.ScalarNode) and raw.tag in yaml12.SCALARS:
            return self._scalar(raw, start)
        tag = shown(yaml12.tag_shown(raw.tag), quote=False)
        return self._broken(start, f"the YAML tag {tag} is not allowed", quoting("!"))

    def _scalar(self, raw: yaml.ScalarNode, start: Place) -> Value:
        try:
            return yaml12.scalar(raw.tag, raw.value)
        except UnicodeDecodeError:
            return self._broken(start, "this is half a character (a lone surrogate)")
        except ValueError:
            return self._broken(start, f"{shown(raw.value)} is no {yaml12.tag_shown(raw.tag)}")

    def _mapping(self, raw: yaml.MappingNode) -> dict[str, Node]:
        """The keys of a mapping; those that ``<<`` merges in stand below its own."""
        children: dict[str, Node] = {}
        merges: list[tuple[Place, yaml.Node]] = []
        before: _Pair | None = None
        for raw_key, raw_value in raw.value:
            place = self._place(raw_key.start_mark.index)
            if not isinstance(raw_key, yaml.ScalarNode) or raw_key.tag not in yaml12.SCALARS:
                self._broken(place, "a key must be a plain word", "quote a text that holds a comma")
            elif raw_key.value == "<<" and not raw_key.style:
                merges.append((place, raw_value))
            elif raw_key.value in children:
                bare = _bare(raw_key, raw_value, before)
                self._twice(raw_key.value, place, children[raw_key.value].key, bare)
            else:
                bare = _bare(raw_key, raw_value, before)
                children[raw_key.value] = self.node(raw_value, raw_key.value, place, bare)
            before = raw_key, raw_value
        for place, merged in merges[:1]:
            below = self._merged(merged).items()
            children = {key: replace(node, key=place) for key, node in below} | children
        for place, _ in merges[1:]:
            self._broken(place, "a mapping merges once", "<<: [*one, *other] merges several")
        return children

    def _merged(self, raw: yaml.Node) -> dict[str, Node]:
        """The keys of the mapping, or of the list of mappings, behind ``<<``; earlier ones win."""
        together: dict[str, Node] = {}
        parts = raw.value if isinstance(raw, yaml.SequenceNode) else [raw]
        for part in reversed(parts):
            if isinstance(part, yaml.MappingNode) and part.tag == yaml12.MAP:
                together |= self._mapping(part)
            else:
                message = "<< merges a mapping, or a list of mappings, in"
                self._broken(self._place(part.start_mark.index), message, "<<: *anchor")
        return together

    def _twice(self, key: str, place: Place, first: Place, hint: str) -> None:
        message = f"the key {shown(key)} is written twice (first in line {first.line})"
        self._broken(place, message, hint)

    def _broken(self, place: Place, message: str, hint: str = "") -> Flaw:
        self.problems.append(Problem(place, message, hint))
        return BROKEN
