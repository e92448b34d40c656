"""YAML text as nodes that know where they stand. No schema in here: that is `parse`'s."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from smd_cli.errors import Place, Problem, SceneError
from smd_cli.scene import yaml12
from smd_cli.scene.model import KeyPath

_MAX_QUOTED = 60
_MAX_SHOWN = 500  # a longer source line is not shown beside its message


class Flaw(Enum):
    """A value that was already complained about: whoever meets it stays silent."""

    BROKEN = "broken"


BROKEN: Final = Flaw.BROKEN
Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | tuple[Node, ...] | Mapping[str, Node] | Flaw"


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    `label` is how messages call it (its key), `key` the place of its key, `written` a scalar as
    written. From an option come `base`, the folder that relative paths start from (None: the
    scene's), and `typed`, the whole text, which counts where a text is wanted.
    """

    label: str
    value: Value
    place: Place
    key: Place
    written: str = ""
    base: Path | None = None
    typed: str | None = None

    @property
    def children(self) -> Mapping[str, Node]:
        """The keys of a mapping; none for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items of a list; none for anything else."""
        return self.value if isinstance(self.value, tuple) else ()


def shown(text: str, quote: bool = True) -> str:
    """A text inside a message: on one line, in quotes, its end left out where it is long."""
    short = visible(text if len(text) <= _MAX_QUOTED else text[: _MAX_QUOTED - 1] + "…")
    return f"'{short}'" if quote else short


def visible(text: str) -> str:
    """The text without what would end a line or steer a terminal."""
    return re.sub(r"[^\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]", "\ufffd", text)


class Lines:
    """A scene's text with the places in it, counted as editors count."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, text
        self._starts = [0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", text))]

    def place(self, index: int) -> Place:
        """The place of the character at `index`."""
        line = bisect.bisect_right(self._starts, index)
        start = self._starts[line - 1]
        source = re.split(r"[\r\n]", self._text[start : start + _MAX_SHOWN + 1], maxsplit=1)[0]
        fits = len(source) <= _MAX_SHOWN
        return Place(self._file, line, index - start + 1, visible(source) if fits else "")


@dataclass
class Document:
    """One YAML document: its root, and what is wrong with it short of being unreadable."""

    root: Node
    problems: list[Problem] = field(default_factory=list)


def parse_yaml(
    text: str, place: Callable[[int], Place], label: str = "the scene", base: Path | None = None
) -> Document | None:
    """Read one document; None for an empty one. Raises SceneError for text that is no YAML.

    `place` tells where the character at an index stands. Tags, unfit scalars and duplicate keys
    are noted in the document's problems, so that the rest can be checked too.
    """
    try:
        composed = yaml12.compose(text)
    except yaml12.UnreadableError as flaw:
        raise SceneError([Problem(place(flaw.index), flaw.message, flaw.hint)]) from None
    if composed is None:
        return None
    builder = _Builder(place, base)
    return Document(builder.node(composed, label, None), builder.problems)


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
    return dict(_walk(node, ()))


def _walk(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Place]]:
    yield path, node.place
    for key, child in node.children.items():
        yield from _walk(child, (*path, key))
    for index, item in enumerate(node.items):
        yield from _walk(item, (*path, index))


def _item(label: str) -> str:
    """How an item of the list `label` is called; so are the items of its items."""
    return label if label.startswith("a value of ") else f"a value of {label}"


class _Builder:
    """Turns PyYAML's nodes into ours and notes what our nodes cannot hold."""

    def __init__(self, place: Callable[[int], Place], base: Path | None) -> None:
        self._place, self._base = place, base
        self.problems: list[Problem] = []

    def node(self, raw: yaml.Node, label: str, key: Place | None) -> Node:
        """`raw` as a Node; what has a key and is no plain value stands where its key does."""
        start = self._place(raw.start_mark.index)
        block_list = isinstance(raw, yaml.SequenceNode) and not raw.flow_style
        block = block_list or isinstance(raw, yaml.MappingNode)
        place = key if key and block else start
        written = raw.value if isinstance(raw, yaml.ScalarNode) else ""
        return Node(label, self._value(raw, label, start), place, key or place, written, self._base)

    def _value(self, raw: yaml.Node, label: str, start: Place) -> Value:
        if isinstance(raw, yaml.MappingNode) and raw.tag == yaml12.MAP:
            return self._mapping(raw)
        if isinstance(raw, yaml.SequenceNode) and raw.tag == yaml12.SEQ:
            return tuple(self.node(item, _item(label), None) for item in raw.value)
        if isinstance(raw, yaml.ScalarNode) and raw.tag in yaml12.SCALARS:
            return self._scalar(raw, start)
        return self._broken(start, f"the YAML tag {yaml12.tag_shown(raw.tag)} is not allowed")

    def _scalar(self, raw: yaml.ScalarNode, start: Place) -> Value:
        try:
            return yaml12.scalar(raw.tag, raw.value)
        except UnicodeDecodeError:
            return self._broken(start, "this is half a character (a lone surrogate)")
        except ValueError:
            return self._broken(start, f"{shown(raw.value)} is no {yaml12.tag_shown(raw.tag)}")

    def _mapping(self, raw: yaml.MappingNode) -> dict[str, Node]:
        children: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            place = self._place(raw_key.start_mark.index)
            if not isinstance(raw_key, yaml.ScalarNode) or raw_key.tag not in yaml12.SCALARS:
                self._broken(place, "a key must be a plain word")
            elif raw_key.value in children:
                self._twice(raw_key.value, place, children[raw_key.value].key)
            else:
                children[raw_key.value] = self.node(raw_value, raw_key.value, place)
        return children

    def _twice(self, key: str, place: Place, first: Place) -> None:
        self._broken(place, f"the key {shown(key)} is written twice (first in line {first.line})")

    def _broken(self, place: Place, message: str) -> Flaw:
        self.problems.append(Problem(place, message))
        return BROKEN
