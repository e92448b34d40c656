"""Bringing models here: what is to come is told first, then it comes, and goes on after a break."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smd_cli.errors import SmdError, UsageError
from smd_cli.models import hub
from smd_cli.models.cache import Download, cache_folder, complete, downloads_of
from smd_cli.models.facts import resolve_model
from smd_cli.report.reporter import Reporter
from smd_cli.units import shown_bytes


def pull(name: str, revision: str | None, reporter: Reporter) -> None:
    """Bring a preset or hub id into the hub cache, and tell where it lies.

    Raises UsageError for what is no name of the hub, SmdError where it cannot be had.
    """
    model = resolve_model(name, Path(), revision)
    downloads = downloads_of(model)
    if not downloads:
        if revision is not None:
            raise UsageError(f"{name} is no model of the hub: it has no revisions")
        reporter.note(f"{name} is on this machine: there is nothing to download")
        reporter.result(name, str(model.folder))
        return
    for folder in download(downloads, reporter, renewing=True):
        reporter.result(name, str(folder))


def download(
    downloads: Sequence[Download], reporter: Reporter, *, renewing: bool = False
) -> list[Path]:
    """Download what is missing of all of these; gives their folders.

    `renewing` asks the hub whether there is something newer than what is here, and tells so.
    """
    asked = [_asked(wanted, reporter, renewing) for wanted in downloads]
    pending = [one for one in asked if isinstance(one, hub.Pending)]
    total = sum(one.total_bytes for one in pending)
    here = sum(one.here_bytes for one in pending)
    title = downloads[0].title if downloads else ""
    if not total:
        if pending:
            reporter.note(f"{title} is here, whole")
        return [_finished(one, lambda _: None) for one in asked]
    begun = f" ({shown_bytes(here)} of {shown_bytes(total)} are here)" if here else ""
    reporter.note(f"{title}: {shown_bytes(total - here)} to come{begun}, into {cache_folder()}")
    hub.refuse_full_disk(title, total - here)
    with reporter.downloading(title, total, here) as progress:
        return [_finished(one, progress) for one in asked]


def _asked(wanted: Download, reporter: Reporter, renewing: bool) -> hub.Pending | Path:
    """The folder where everything is here already, else what is to come."""
    here = complete(wanted)
    if here and not renewing:
        return here
    if here and here.name == wanted.revision:  # a commit never changes
        reporter.note(f"{wanted.repo} is here, whole")
        return here
    try:
        return hub.prepare(wanted)
    except SmdError as wrong:
        if here is None:
            raise
        reporter.note(f"{wanted.repo} is here, whole; no newer one was looked for: {wrong.message}")
        return here


def _finished(one: hub.Pending | Path, progress: hub.Progress) -> Path:
    return one if isinstance(one, Path) else hub.finish(one, progress)
