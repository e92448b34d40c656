"""Options that the environment gives."""

from __future__ import annotations

import os
import shlex
from typing import Any

import typer

from smd_cli.errors import UsageError


def words(name: str, text: str) -> list[str]:
    """The words in the variable `name`, as a shell reads them: quotes hold blanks together.

    A backslash stands for itself, as in the paths of Windows. Raises UsageError for a quote
    without its partner.
    """
    reader = shlex.shlex(text, posix=True, punctuation_chars=False)
    reader.whitespace_split, reader.escape, reader.commenters = True, "", ""
    try:
        return list(reader)
    except ValueError:
        hint = 'a quote in a word stands in quotes of the other kind: "don\'t"'
        raise UsageError(
            f"the variable {name} has a quote without its partner: {text}", hint
        ) from None


def from_environment(context: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """An option's value: the words of its variable where it comes from there, else as it is."""
    source, variable = context.get_parameter_source(param.name or ""), str(param.envvar)
    if source is None or source.name != "ENVIRONMENT":
        return value
    found = words(variable, os.environ[variable])
    if isinstance(value, str):  # an option that takes one
        return found[0] if len(found) == 1 else value
    return found
