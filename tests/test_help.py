"""The help of every command: what it says, kept in `help.txt`, and examples that can be typed.

``python tests/test_help.py`` writes what it says now.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Smd

from smd_cli.cli.app import COMMANDS, app
from smd_cli.cli.examples import EXAMPLES

KEPT = Path(__file__).with_name("help.txt")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and subcommand by what is typed for it."""
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        command = group.get_command(None, name)
        yield f"smd {name}", command
        for inner, one in getattr(command, "commands", {}).items():
            yield f"smd {name} {inner}", one


def told(name: str, command: Any) -> Iterator[str]:
    """What a command's help says, whichever way a version of typer lays it out."""
    yield name
    yield from (f"  {line}".rstrip() for line in (command.help or "").strip().splitlines())
    yield ""
    for param in command.params:
        names = ", ".join(param.opts) if param.param_type_name == "option" else param.metavar
        value = f" {param.metavar}" if param.metavar and param.metavar != names else ""
        variable = f" [{param.envvar}]" if param.envvar else ""
        yield f"  {names}{value}{variable}: {' '.join((param.help or '').split())}"
    yield ""


def everything() -> str:
    return "\n".join(line for name, one in commands() for line in told(name, one))


def test_help_says_what_it_said() -> None:
    """A change of it is looked at: see above."""
    assert everything().splitlines() == KEPT.read_text(encoding="utf-8").splitlines()


def test_every_option_says_what_it_is_for() -> None:
    for name, command in commands():
        assert command.help, name
        for param in command.params:
            assert getattr(param, "help", None), (name, param.name)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_all_options_and_its_examples_as_they_are_typed(smd: Smd, command: str) -> None:
    result = smd([command, "--help"])
    assert (result.code, result.err) == (0, "")
    lines = [line.strip() for line in result.out.splitlines()]
    assert EXAMPLES[command]
    assert lines[-len(EXAMPLES[command]) :] == list(EXAMPLES[command])
    for name, one in commands():
        if name == f"smd {command}":
            options = [opt for param in one.params for opt in param.opts if opt.startswith("-")]
            assert all(option in result.out for option in options)


@pytest.mark.parametrize("example", [line for lines in EXAMPLES.values() for line in lines])
def test_the_examples_can_be_typed(smd: Smd, example: str) -> None:
    """With --help behind them nothing runs, but an option that there is not is an error."""
    program, *words = shlex.split(example.partition(" > ")[0])
    assert program == "smd"
    result = smd([*words, "--help"])
    assert (result.code, result.err) == (0, "")
    assert f"Usage: smd {words[0]}" in result.out
    assert smd([*words, "--no-such-option", "--help"]).code == 2


if __name__ == "__main__":
    KEPT.write_text(everything(), encoding="utf-8")
