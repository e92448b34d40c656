"""Short scenes for the tests of advice, and what is said about them."""

from __future__ import annotations

from pathlib import Path

from smd_cli.scene.parse import load_scene
from smd_cli.work.check import check_scene


def said(folder: Path, text: str) -> list[str]:
    """Every warning about a scene: ``LINE:COL message`` and, behind ``|``, the hint."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    warnings = check_scene(load_scene(str(folder / "s.yaml"))).warnings
    return [f"{w.place.line}:{w.place.column} {w.message} | {w.hint}" for w in warnings]


def scene(*lines: str, brush: str = "") -> str:
    """A scene of a model that is not here, which nothing is known about, with one brush."""
    mask = "mask: {rect: [0, 0, 300, 300]}"
    named = any(line.startswith("model:") for line in lines)
    head = [] if named else ["model: hub:a/b"]
    return "\n".join([*head, *lines, f"brushes: [{{{brush or 'prompt: a fox'}, {mask}}}]", ""])
