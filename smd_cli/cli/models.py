"""`smd models`, `smd models NAME`, `smd models pull`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from smd_cli.cli.edge import edge
from smd_cli.cli.options import AsJson, Debug, Quiet, Revision
from smd_cli.report.reporter import Reporter


class _Named(TyperGroup):
    """A group in which a word that is no command of its own is the NAME that `show` takes."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant, and its arguments."""
        named = bool(args) and args[0] not in self.commands
        return super().resolve_command(ctx, ["show", *args] if named else args)


app = typer.Typer(
    cls=_Named,
    add_completion=False,
    rich_markup_mode=None,
    subcommand_metavar="[NAME | COMMAND [ARGS]...]",
)


@app.callback(invoke_without_command=True)
def list_or_show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", envvar="SMD_JSON", help="As JSON.")] = False,
    debug: Debug = False,
) -> None:
    """List the presets and the models in the hub cache; show the model NAME; pull downloads one."""
    if context.invoked_subcommand:
        return
    from smd_cli.models.listing import list_models, show

    reporter = Reporter(as_json=as_json)
    with edge(reporter, debug):
        found = list_models()
        if as_json:
            from smd_cli.report.reports import Listed

            reporter.report(Listed(found.as_json()))
        else:
            show(found)


@app.command("show")
def show_one(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset, folder, file or hub id.")],
    revision: Revision = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="SMD_JSON", help="As JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show one model: what and where it is, its facts and its words. `show` may be left out."""
    from smd_cli.work.model_card import card, warnings_of

    above = context.parent.params if context.parent else {}
    as_json = as_json or above.get("as_json", False)
    reporter = Reporter(as_json=as_json)
    with edge(reporter, debug or above.get("debug", False)):
        found = card(name, revision)
        reporter.warnings(warnings_of(name, revision))
        if as_json:
            from smd_cli.report.reports import Card

            reporter.report(Card(found.as_json()))
        else:
            print("\n".join(found.lines()))


@app.command("pull")
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset or a hub id.")],
    revision: Revision = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Download a model into the hub cache; after a break it goes on where it ended."""
    from smd_cli.models.pull import pull

    reporter = Reporter(quiet=quiet, as_json=as_json)
    with edge(reporter, debug):
        pull(name, revision, reporter)
