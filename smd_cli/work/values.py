"""Values in a list or a job as they would be typed behind ``--set KEY=``."""

from __future__ import annotations

from smd_cli.errors import Place, SceneError, UsageError
from smd_cli.scene.named import quoted
from smd_cli.scene.text.nodes import Node, parse_yaml
from smd_cli.units import shown


def values_of(text: str, option: str) -> list[str]:
    """The values of a YAML list; raises UsageError about the `option` that it stands in."""
    hint = 'a YAML list such as ["a fox", "a wolf"] or [0.5, 1]'
    try:
        document = parse_yaml(text, lambda _: Place(option))
    except SceneError as wrong:
        problem = wrong.problems[0]
        raise UsageError(f"{shown(option, quote=False)}: {problem.message}", hint) from None
    root = document.root if document else None
    if document is None or document.problems or root is None or not root.items:
        raise UsageError(f"{shown(option, quote=False)} takes a list", hint)
    values = [typed(item) for item in root.items]
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise UsageError(f"{shown(option, quote=False)} has {shown(twice)} twice")
    return values


def typed(node: Node) -> str:
    """A value as it would be typed: a text plain where it is read as a text so, else quoted."""
    value = node.value
    if isinstance(value, str):
        return value if _is_text(value) else quoted(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_inside(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{quoted(key)}: {_inside(child)}" for key, child in value.items())
        return f"{{{', '.join(pairs)}}}"
    return node.written


def _inside(node: Node) -> str:
    """A value within braces, where commas end a text."""
    return quoted(node.value) if isinstance(node.value, str) else typed(node)


def _is_text(value: str) -> bool:
    """Whether YAML reads a text without quotes as that text, whichever reader asks for it."""
    try:
        document = parse_yaml(value, lambda _: Place(""))
    except SceneError:
        return False
    return document is not None and not document.problems and document.root.value == value
