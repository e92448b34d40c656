"""The command line as a whole: a module a command, read when it is the one that is meant."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from smd_cli import __version__
from smd_cli.cli.examples import epilog
from smd_cli.report.colour import WHEN, choose

# In the order in which one meets them; each is the `app` of the module of its name.
COMMANDS = (
    "init",
    "render",
    "check",
    "masks",
    "schema",
    "watch",
    "rerun",
    "info",
    "unpack",
    "compare",
    "models",
    "doctor",
    "bench",
)


class _Lazy(TyperGroup):
    """Imports and builds only the command that was named: all together take as long as a check."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of this name, or None: then all are built, as typer looks for a like one."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                command = typer.main.get_command(import_module(f"smd_cli.cli.{name}").app)
                command.name, command.epilog = name, epilog(name)
                self.commands[name] = command
        return self.commands.get(cmd_name)


app = typer.Typer(
    name="smd",
    cls=_Lazy,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"smd {__version__}")
        raise typer.Exit


@app.callback()
def smd(
    version: Annotated[  # noqa: ARG001 - its callback has shown it
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
    color: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            envvar="SMD_COLOR",
            autocompletion=lambda: list(WHEN),
            help="Colour messages: auto (on terminals, but for NO_COLOR), always, never.",
        ),
    ] = "auto",
) -> None:
    """Paint with meanings: text prompts with masks, rendered by few-step diffusion."""
    choose(color)
