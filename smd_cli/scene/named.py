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

from smd_cli.presets import PRESETS
from smd_cli.scene.fields import resolved
from smd_cli.scene.nodes import Node

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
    files = [(kind, node) for kind, node in _files(root) if _text(node) is not None]
    seen = {id(node) for _, node in files}
    places = {node.place for _, node in files if node.place.line}
    texts: list[tuple[Kind, Node]] = [
        ("text", node)
        for node in _leaves(root)
        if isinstance(node.value, str) and node.place in places and id(node) not in seen
    ]
    return tuple(_named(kind, node, folder) for kind, node in files + texts)


def edited(text: str, changes: Mapping[Span, str]) -> str:
    """A scene's text with other values, quoted, for the scalars at some places."""
    for start, end in sorted(changes, reverse=True):
        old = text[start:end]
        bare = _PROPERTIES.match(old)
        keep = old[: bare.end()] if bare else ""
        after = old[len(old.rstrip()) :]  # a block scalar ends with its line
        text = text[:start] + keep + quoted(changes[start, end]) + after + text[end:]
    return text


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


def _text(node: Node) -> str | None:
    """A text as the readers take it; None for anything else."""
    return node.value if isinstance(node.value, str) else node.typed


def _named(kind: Kind, node: Node, folder: Path) -> NamedFile:
    written = _text(node) or ""
    path = resolved(written, folder if node.base is None else node.base)
    option = "" if node.place.line else node.place.file
    return NamedFile(kind, written, path, option, None if node.typed is not None else node.span)


def _files(root: Node) -> Iterator[tuple[Kind, Node]]:
    """The nodes that name files."""
    for brush in _under(root, "brushes"):
        for mask in _under(brush, "mask"):
            yield from _pictures(mask)
    for background in _under(root, "background"):
        yield from (("picture", node) for node in _under(background, "image"))
    for model in _under(root, "model"):
        yield from _weights(model)


def _pictures(mask: Node) -> Iterator[tuple[Kind, Node]]:
    yield from (("picture", node) for node in _under(mask, "image"))
    if not mask.children:
        yield "picture", mask


def _weights(model: Node) -> Iterator[tuple[Kind, Node]]:
    for key in ("name", "vae", "config"):
        yield from (("weights", node) for node in _under(model, key) if node.value not in PRESETS)
    for lora in _under(model, "lora"):
        yield from (("weights", node) for node in _under(lora, "path"))
        if not lora.children:
            yield "weights", lora
    if not model.children and model.value not in PRESETS:
        yield "weights", model


def _under(node: Node, key: str) -> tuple[Node, ...]:
    """What a key holds: the items of a list, the node itself, or nothing."""
    child = node.children.get(key)
    if child is None:
        return ()
    return child.items if isinstance(child.value, tuple) else (child,)


def _leaves(node: Node) -> Iterator[Node]:
    """All nodes that hold no other."""
    inside = (*node.children.values(), *node.items)
    for child in inside:
        yield from _leaves(child)
    if not inside:
        yield node
