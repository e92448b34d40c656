"""What a shell offers for an option's value: brushes and keys of the scene, presets of models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from smd_cli.scene.text.nodes import Node

_PLAIN = re.compile(r"[\w@%+,./-]+")  # what a shell takes for one word without quotes
_SECTIONS = ("sampler", "output", "background", "model", "prompt", "defaults")
_INNER = ("sampler.bootstrap", "sampler.guidance")

Offer = tuple[str, str]
"""A word and what it is."""


def brushes(context: typer.Context, incomplete: str) -> list[Offer]:
    """The brushes of the scenes that stand on the command line."""
    found = dict(offer for root in _roots(context) for offer in _brushes(root))
    return [(word, what) for word, what in found.items() if word.startswith(incomplete)]


def presets(incomplete: str) -> list[Offer]:
    """The presets of models."""
    from smd_cli.models.presets import PRESETS

    return [(name, one.about) for name, one in PRESETS.items() if name.startswith(incomplete)]


def changes(context: typer.Context, incomplete: str) -> list[Offer]:
    """The keys of a scene, with an equals sign behind: a brush's by its name."""
    return [(f"{key}=", what) for key, what in _keys(context) if key.startswith(incomplete)]


def _keys(context: typer.Context) -> Iterator[Offer]:
    from smd_cli.scene.keys.schema import KEYS

    yield from ((key, "") for key in KEYS["scene"] if key not in (*_SECTIONS, "brushes"))
    for section in (*_SECTIONS, *_INNER):
        keys = KEYS[section.rpartition(".")[2]]
        inner = {path.rpartition(".")[2] for path in _INNER if path.startswith(f"{section}.")}
        yield from ((f"{section}.{key}", "") for key in keys if key not in inner)
    for root in _roots(context):
        for word, what in _brushes(root):
            yield from ((f"brushes.{word}.{key}", what) for key in KEYS["brush"])


def _roots(context: typer.Context) -> Iterator[Node]:
    """The scenes of a command line, as far as each can be read.

    Where an option still lacks its value the words of the line are arguments that nobody took.
    """
    given = context.params.get("scenes") or context.params.get("scene") or ()
    words = [given] if isinstance(given, str) else given
    for name in dict.fromkeys([*words, *context.args]):
        root = _root(name) if name != "-" else None
        if root is not None:
            yield root


def _root(name: str) -> Node | None:
    """The root of a scene; None where it cannot be read."""
    from smd_cli.errors import Place, SmdError
    from smd_cli.scene.text.nodes import parse_yaml
    from smd_cli.scene.text.source import read_source

    try:
        document = parse_yaml(read_source(name).text, lambda _: Place(name))
    except SmdError:
        return None
    return document.root if document else None


def _brushes(root: Node) -> Iterator[Offer]:
    """A word for each brush, its name or else its number, and its prompt."""
    from smd_cli.scene.overrides import brush_name

    listed = root.children.get("brushes")
    for number, brush in enumerate(listed.items if listed else (), start=1):
        name = brush_name(brush) or ""
        prompt = brush.children.get("prompt")
        word = name if _PLAIN.fullmatch(name) else str(number)
        yield word, " ".join((prompt.text if prompt and prompt.text else name).split())
