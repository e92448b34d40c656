"""Which files a scene names, and where in its text or options each name stands.

Found by the keys alone, whatever else may be wrong with the scene: whoever moves a scene to another
folder changes a name exactly there, and nothing that only looks like it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smd_cli.models.presets import PRESETS
from smd_cli.scene.keys.fields import resolved
from smd_cli.scene.keys.schema import short_form
from smd_cli.scene.text.nodes import Node

Kind = Literal["picture", "weights", "text"]
Span = tuple[int, int]

# What may stand before a scalar: its anchor and its tag, which an edit leaves alone.
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s|(?<=\s)#[^\n\r]*)+)*")


@dataclass(frozen=True)
class NamedFile:
    """One name of a file.

    `written` is the name, `path` what it means from where the scene lies. `option` is the option
    that it stands in, empty for the scene's own text; `span` from where to where it stands in
    there, None where it is the option's whole value. `weights` are a model's; their name may be a
    preset's or the hub's. `text` is no file: an anchor gives one text to a file and to this.
    """

    kind: Kind
    written: str
    path: Path
    option: str = ""
    span: Span | None = None

    @property
    def exists(self) -> bool:
        """Whether there is something at the path."""
        try:
            return self.path.exists()
        except (OSError, ValueError):  # too long, or no path at all
            return False


def named_files(root: Node, folder: Path) -> tuple[NamedFile, ...]:
    """All names of files under a scene's root; paths in its text start from `folder`."""
    files = [(kind, node) for kind, node in _files(root) if node.text is not None]
    seen = {id(node) for _, node in files}
    places = {node.place for _, node in files if node.place.line}
    texts: list[tuple[Kind, Node]] = [
        ("text", node)
        for node in leaves(root)
        if isinstance(node.value, str) and node.place in places and id(node) not in seen
    ]
    return tuple(_named(kind, node, folder) for kind, node in files + texts)


def edited(text: str, changes: Mapping[Span, str]) -> str:
    """A scene's text with other values, quoted, for the scalars at some places."""
    for span in sorted(changes, reverse=True):
        start, end = bare(text, span)
        text = text[:start] + quoted(changes[span]) + text[end:]
    return text


def bare(text: str, span: Span) -> Span:
    """Where a scalar itself stands: without its anchor and tag, and a block's last line end."""
    start, end = span
    before = _PROPERTIES.match(text, start, end)
    begin = before.end() if before else start
    return begin, begin + len(text[begin:end].rstrip())


def renamed(text: str, named: tuple[NamedFile, ...], name: Callable[[NamedFile], str]) -> str:
    """A scene's text with other names for the files that it names itself."""
    own = [one for one in named if not one.option and one.span]
    changes = {one.span: one.written if one.kind == "text" else name(one) for one in own}
    if all(one.written == changes[one.span] for one in own):
        return text
    kept = {one.span for one in own if one.kind != "text" and one.written == changes[one.span]}
    return edited(text, {span: new for span, new in changes.items() if span and span not in kept})


def quoted(value: str) -> str:
    """A text as YAML and JSON both read it, on one line."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _named(kind: Kind, node: Node, folder: Path) -> NamedFile:
    written = node.text or ""
    path = resolved(written, folder if node.base is None else node.base)
    option = "" if node.place.line else node.place.file
    return NamedFile(kind, written, path, option, None if node.typed is not None else node.span)


def _files(root: Node) -> Iterator[tuple[Kind, Node]]:
    """The nodes that name files."""
    for brush in _items(root, "brushes"):
        for mask in _items(brush, "mask"):
            yield from (("picture", node) for node in _short_or(mask, "mask", "image"))
    for background in _child(root, "background"):
        yield from (("picture", node) for node in _child(background, "image"))
        yield from (("weights", node) for node in _child(background, "caption_model"))
    for model in _child(root, "model"):
        yield from (("weights", node) for node in _weights(model) if node.text not in PRESETS)


def named_pictures(root: Node) -> Iterator[tuple[Node, Node]]:
    """Where a scene says which picture, and the node that names it; of muted brushes nothing."""
    for brush in _items(root, "brushes"):
        muted = any(node.value is False for node in _child(brush, "enabled"))
        for mask in () if muted else _items(brush, "mask"):
            yield from ((mask, node) for node in _short_or(mask, "mask", "image") if node.text)
    for background in _child(root, "background"):
        yield from ((node, node) for node in _child(background, "image") if node.text)


def _weights(model: Node) -> Iterator[Node]:
    yield from _short_or(model, "model", "name")
    for key in ("transformer", "vae", "config"):
        yield from _child(model, key)
    for lora in _items(model, "lora"):
        yield from _short_or(lora, "lora", "path")


def _short_or(node: Node, section: str, key: str) -> tuple[Node, ...]:
    """The node itself where it is a text, as its reader takes it, else what its key holds."""
    return (node,) if short_form(node, section) is not None else _child(node, key)


def _child(node: Node, key: str) -> tuple[Node, ...]:
    """What a key holds, or nothing."""
    return (node.children[key],) if key in node.children else ()


def _items(node: Node, key: str) -> tuple[Node, ...]:
    """The items of the list that a key holds, or what else it holds, or nothing."""
    found = _child(node, key)
    return found[0].items if found and isinstance(found[0].value, tuple) else found


def leaves(node: Node) -> Iterator[Node]:
    """All nodes that hold no other."""
    inside = (*node.children.values(), *node.items)
    for child in inside:
        yield from leaves(child)
    if not inside:
        yield node
