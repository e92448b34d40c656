"""`smd schema`."""

from __future__ import annotations

import json

import typer

from smd_cli.cli.edge import edge
from smd_cli.cli.options import Debug
from smd_cli.report.reporter import Reporter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def schema(debug: Debug = False) -> None:
    """Print the scene format as JSON Schema: every key with its range, default and meaning.

    Editors complete and underline scenes by it: VS Code with its YAML extension does for a scene
    that begins with "# yaml-language-server: $schema=scene.schema.json", as those of init do.
    """
    from smd_cli.scene.json_schema import scene_schema

    with edge(Reporter(), debug):
        print(json.dumps(scene_schema(), indent=2, ensure_ascii=False))
