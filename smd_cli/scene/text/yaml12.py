"""PyYAML's composer taught YAML 1.2: the core scalars, no magic, nothing executed, no bombs."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import yaml
from yaml.composer import Composer
from yaml.reader import Reader
from yaml.resolver import BaseResolver

from smd_cli.scene.text.flaws import UnreadableError, explained

CParser: Any
try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:  # PyYAML was built without libyaml
    CParser = None

MAX_DEPTH = 32
MAX_NODES = 100_000
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
_GLUED_COMMENT = re.compile(r"[ \t]+(#[^\s#].*)")
# Escapes of halves of characters, what stands in for them, and where that stands in a text anyway
_HALVES = re.compile(r"(?<!\\)((?:\\\\)*\\u)[dD]([89a-fA-F])")
_STAND_INS = {0xE000 + n: 0xD800 + n for n in range(0x800)}
_TAKEN = re.compile("[\ue000-\ue7ff]|\\\\u[eE][0-7]|\\\\U0000[eE][0-7]")


class Composed(NamedTuple):
    """The node tree of a document; None where there is none.

    `lost`: where a text loses something that YAML takes as its own to no effect, and what that is.
    """

    root: yaml.Node | None
    lost: tuple[tuple[int, str], ...] = ()


def compose(text: str) -> Composed:
    """The one document in `text`.

    Raises UnreadableError. libyaml scans where PyYAML has it, ten times as fast; PyYAML's own
    scanner reads what libyaml does not, as ``{rect:[0, 0]}``.
    """
    odd = Reader.NON_PRINTABLE.search(text)
    if odd:
        message = f"the character U+{ord(odd[0]):04X} is not allowed in YAML"
        raise UnreadableError(message, odd.start())
    fast = CParser is not None and not (_HALVES.search(text) and _TAKEN.search(text))
    try:
        return _tree(_Fast(text) if fast else _Slow(text))
    except _HalfError:
        pass
    except yaml.MarkedYAMLError as flaw:
        if "unexpected ':'" not in str(flaw.problem):
            raise explained(flaw, text) from None
    try:
        return _tree(_Slow(text))
    except yaml.MarkedYAMLError as flaw:
        raise explained(flaw, text) from None


def _tree(loader: Any) -> Composed:
    try:
        root = loader.get_single_node()
        return Composed(root, tuple(loader.lost.values()))
    except (ValueError, OverflowError):  # PyYAML lets "\UFFFFFFFF" through to chr()
        raise UnreadableError("this is no character", getattr(loader, "index", 0)) from None
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


def _with_stand_ins(text: str) -> str:
    """The text, as long as before, with private characters instead of halves in escapes.

    libyaml takes no halves, which JSON writes in pairs.
    """
    return _HALVES.sub(lambda m: f"{m[1]}e{int(m[2], 16) - 8}", text)


class _HalfError(Exception):
    """What looks like the escape of half a character stands where there are no escapes."""


def _integer(text: str) -> int | float:
    """An int; a float (perhaps inf) where it has so many digits that no key could take it."""
    if len(text) > _MAX_DIGITS:
        return float("-inf" if text.startswith("-") else "inf")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


class Aliased(yaml.ScalarNode):
    """A scalar where an alias repeats it; `alias` is from where to where that stands."""

    def __init__(self, node: yaml.ScalarNode, alias: tuple[int, int]) -> None:
        super().__init__(node.tag, node.value, node.start_mark, node.end_mark, node.style)
        self.alias = alias


@functools.lru_cache(maxsize=4096)
def _plain_tag(value: str) -> str:
    """The tag of a plain scalar by YAML 1.2's core schema."""
    return next((tag for tag, form in _CORE.items() if form.fullmatch(value)), STR)


class _Composer(Composer, BaseResolver):
    """A composer that resolves by YAML 1.2's core schema and limits nodes, depth and expansion.

    Mixed with a parser, which gives the events.
    """

    max_nodes = MAX_NODES

    def __init__(self, text: str) -> None:
        self.text = text
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = self._total = self._expanded = 0
        self._sizes: dict[int, int] = {}
        self.lost: dict[str, tuple[int, str]] = {}

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.SequenceNode:
            return SEQ
        if kind is yaml.MappingNode:
            return MAP
        return _plain_tag(value) if implicit[0] else STR

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[attr-defined]
        start, mark, end = self._total, event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent):
            self.lost.pop(event.anchor or "", None)
            node = super().compose_node(parent, index)
            self._count_alias(node, mark)
            alias = (mark.index, end.index)
            return Aliased(node, alias) if isinstance(node, yaml.ScalarNode) else node
        if self._depth == MAX_DEPTH:
            raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", mark.index)
        if self._total - self._expanded == self.max_nodes:
            raise UnreadableError(f"a scene holds at most {self.max_nodes} values", mark.index)
        if isinstance(event, yaml.ScalarEvent) and event.value:
            self._note_lost(event)
        self._depth += 1
        self._total += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._sizes[id(node)] = self._total - start
        return node

    def _note_lost(self, event: yaml.ScalarEvent) -> None:
        """Note an anchor, until an alias refers to it; a tag that says nothing; ``text #1``."""
        start: int = event.start_mark.index  # type: ignore[union-attr]
        end: int = event.end_mark.index  # type: ignore[union-attr]
        comment = None if event.style else _GLUED_COMMENT.match(self.text, end)
        if event.anchor:
            self.lost[event.anchor] = (start, f"&{event.anchor}")
        elif event.tag == "!":
            self.lost[f"! {start}"] = (start, "!")
        elif comment and _plain_tag(event.value) == STR:
            self.lost[f"# {start}"] = (comment.start(1), comment[1])

    def _count_alias(self, node: yaml.Node | None, mark: Any) -> None:
        size = self._sizes.get(id(node))
        if size is None:  # its anchor is still open
            raise UnreadableError("this alias stands inside its own anchor", mark.index)
        self._total += size
        self._expanded += size
        if self._expanded > MAX_EXPANDED:
            raise UnreadableError("the aliases repeat too much", mark.index)


if CParser is not None:

    class _Fast(_Composer, CParser):  # type: ignore[misc]
        """The composer on libyaml's events."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, _with_stand_ins(text))
            self._halved = bool(_HALVES.search(text))
            _Composer.__init__(self, text)

        def peek_event(self) -> Any:
            event = super().peek_event()
            if self._halved and isinstance(event, yaml.ScalarEvent):
                self._restore(event)
            return event

        def _restore(self, event: yaml.ScalarEvent) -> None:
            """Put halves of characters where others stand in for them."""
            start: int = event.start_mark.index  # type: ignore[union-attr]
            end: int = event.end_mark.index  # type: ignore[union-attr]
            if not _HALVES.search(self.text[start:end]):
                return
            if event.style != '"':
                raise _HalfError
            event.value = event.value.translate(_STAND_INS)


class _Slow(_Composer, yaml.SafeLoader):
    """The composer on PyYAML's own events, with the tabs that YAML 1.2 allows between tokens."""

    max_nodes = MAX_NODES if CParser is None else MAX_NODES // 2

    def __init__(self, text: str) -> None:
        yaml.SafeLoader.__init__(self, text)
        _Composer.__init__(self, text)

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.peek() == "\t" and self._tab_separates():
            self.forward()
            super().scan_to_next_token()

    def _tab_separates(self) -> bool:
        """Whether a tab may stand here: not where a line of blocks is indented."""
        line = self.buffer.rfind("\n", 0, self.pointer) + 1
        return bool(self.flow_level or self.buffer[line : self.pointer].strip())
