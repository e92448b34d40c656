"""The page README.md of this folder, made of the event classes: python -m smd_cli.report.page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from smd_cli.report import events, reports
from smd_cli.report.events import VERSION, Event
from smd_cli.report.reports import Report

_HEAD = """\
# What scripts hear: `--json`

With `--json` every line of standard output is one JSON object in UTF-8, in every failure too; what
is for people goes to standard error, as ever. Exit codes are the same as without it.

- `type` says what the line is; each is told below with its fields, which are always all there.
- `v` is the version of this page, now {version}. It goes up where a field leaves, or changes what
  it means. New types and new fields come without that: pass over what you do not know.
- `event` is the old name of `type`. Version {next} will leave it out.
- `check --resolved --json` prints a scene instead, whose keys are those of a scene and no others.

```text
{example}
```

This page is written by `python -m smd_cli.report.page`, from the classes in
[events.py](events.py) and [reports.py](reports.py).
"""


def page() -> str:
    """The whole page."""
    example = events.Result("meadow", "meadow.gif").as_line()
    head = _HEAD.format(version=VERSION, next=VERSION + 1, example=example)
    return "\n".join([head, *map(_section, kinds())])


def kinds() -> list[type[Event]]:
    """All kinds of lines, in the order in which they are written down."""
    found = [*vars(events).values(), *vars(reports).values()]
    return [one for one in found if isinstance(one, type) and issubclass(one, Event) and one.type]


def _section(kind: type[Event]) -> str:
    text = re.sub(r"\s*\n\s*", " ", kind.__doc__ or "")
    rows = [f"- `{name}`: {meaning}" for name, meaning in meanings(kind).items()]
    told = f"{text} Told by {kind.told_by}."
    return "\n".join([f"## {kind.type}", "", told, *([""] if rows else []), *rows, ""])


def meanings(kind: type[Event]) -> Mapping[str, str]:
    """The fields of a line: what they hold, and what that means."""
    if issubclass(kind, Report):
        return kind.keys
    hints = get_type_hints(kind, include_extras=True)
    return dict(_meaning(one.name, hints[one.name]) for one in fields(kind))


def _meaning(name: str, hint: Any) -> tuple[str, str]:
    held, meaning = get_args(hint)
    return name, f"{' or '.join(_kinds(held))}, {meaning}"


_JSON = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "anything"}


def _kinds(held: Any) -> Iterator[str]:
    """What JSON calls the values of a type."""
    if held is type(None):
        yield "null"
    elif held in _JSON:
        yield _JSON[held]
    elif "Mapping" in str(held).partition("[")[0]:
        yield "object"
    elif "Sequence" in str(held).partition("[")[0]:
        yield f"list of {'objects' if 'Mapping' in str(held) else 'texts'}"
    else:
        for one in get_args(held):
            yield from _kinds(one)


if __name__ == "__main__":
    print(page(), end="")
