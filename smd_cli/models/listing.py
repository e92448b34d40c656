"""Which models there are: presets, and what else lies in the hub cache. Touches no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from smd_cli.models import prompt_cache
from smd_cli.models.cache import (
    INDEX,
    VAE_FILES,
    Download,
    absent,
    bytes_on_disk,
    cache_folder,
    cached_repos,
    complete,
    downloads_of,
    is_complete,
    missing,
    storage,
)
from smd_cli.models.configs import read_object
from smd_cli.models.families import part_names
from smd_cli.models.hub import free_bytes
from smd_cli.models.presets import PRESETS, ModelPreset
from smd_cli.units import printable, shown_bytes, visible, without_home

State = Literal["comes with smd", "here", "in part", "not here"]


@dataclass(frozen=True)
class Listed:
    """One model: `bytes` on the disk, `repos` of the hub that it is made of, `missing` files.

    `kind` is the class that a model of no preset says it is, as far as it does.
    """

    name: str
    state: State
    bytes: int
    repos: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    kind: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Name, state, size, and what it is, as they are shown."""
        size = shown_bytes(self.bytes) if self.bytes else "-"
        return printable(self.name), self.state, size, printable(self.kind) or "-"


@dataclass(frozen=True)
class Listing:
    """All that `smd models` tells. `cache` is the folder of the hub cache, `prompts` tells that of
    read prompts.
    """

    presets: tuple[Listed, ...]
    others: tuple[Listed, ...]
    cache: str
    free_bytes: int
    prompts: str = ""

    def as_json(self) -> dict[str, Any]:
        """For machines: the fields as they are."""
        return asdict(self)

    def lines(self) -> tuple[str, ...]:
        """As plain text with aligned columns, one string a line, nothing wrapped."""
        rows = [one.row for one in (*self.presets, *self.others)]
        return (*_aligned([TITLES, *rows]), *self.footer)

    @property
    def footer(self) -> tuple[str, ...]:
        """Where downloads lie, and how much room there is; where read prompts are kept."""
        cache = visible(without_home(self.cache))
        hub = f"hub cache: {cache} ({shown_bytes(self.free_bytes)} free)"
        return hub, f"prompt cache: {visible(self.prompts)}"


TITLES = ("model", "state", "size", "what")


def list_models() -> Listing:
    """Look for all presets and all models in the hub cache."""
    known = {one.name: downloads_of(one.ref()) for one in PRESETS.values()}
    taken = {wanted.repo for downloads in known.values() for wanted in downloads}
    return Listing(
        tuple(preset(one, known[one.name]) for one in PRESETS.values()),
        tuple(_other(repo) for repo in cached_repos() if repo not in taken),
        str(cache_folder()),
        free_bytes(),
        prompt_cache.described(),
    )


def preset(known: ModelPreset, downloads: Sequence[Download]) -> Listed:
    """A preset that is made of these downloads, or that comes with the package."""
    if known.folder is not None:
        size = folder_bytes(known.folder)
        return Listed(known.name, "comes with smd", size, kind=known.about)
    repos = tuple(dict.fromkeys(wanted.repo for wanted in downloads))
    size = sum(bytes_on_disk(repo) for repo in repos)
    state: State = "in part" if size else "not here"
    if all(complete(wanted) for wanted in downloads):
        state = "here"
    lacking = [f"{wanted.repo}/{name}" for wanted in downloads for name in absent(wanted)]
    return Listed(known.name, state, size, repos, tuple(lacking), known.about)


def _other(repo: str) -> Listed:
    """A model of the cache that belongs to no preset: its newest revision counts."""
    folders = [folder for folder in (storage(repo) / "snapshots").glob("*") if folder.is_dir()]
    newest = max(folders, key=lambda folder: folder.stat().st_mtime, default=None)
    size = bytes_on_disk(repo)
    names = _names(newest) if newest else ()
    if newest is None or not names:
        return Listed(repo, "in part", size, (repo,))
    kind = (read_object(newest / INDEX) or read_object(newest / "config.json") or {}).get(
        "_class_name", ""
    )
    is_pipeline = INDEX in names or any(name.partition("/")[0] in part_names() for name in names)
    files = None if is_pipeline else VAE_FILES if kind else names
    lacking = missing(newest, Download(repo, newest.name, files))
    state: State = "in part" if any(is_complete(newest / name) for name in names) else "not here"
    return Listed(repo, state if lacking else "here", size, (repo,), lacking, kind)


def _names(folder: Path) -> tuple[str, ...]:
    """All files that a snapshot shows, those that are links to nothing too."""
    paths = [Path(top, name) for top, _, names in os.walk(folder) for name in names]
    return tuple(sorted(path.relative_to(folder).as_posix() for path in paths))


def folder_bytes(folder: Path) -> int:
    """What the files in a folder weigh."""
    files = [Path(top, name) for top, _, names in os.walk(folder) for name in names]
    return sum(file.stat().st_size for file in files)


def show(models: Listing) -> None:
    """Print a table on a terminal, and plain aligned lines everywhere else."""
    if not sys.stdout.isatty():
        print("\n".join(models.lines()))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*TITLES, box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    for one in (*models.presets, *models.others):
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in one.row))
    console = Console()
    console.print(table)
    for line in models.footer:
        console.print(Text(line), soft_wrap=True)


_STYLES: Mapping[str, str] = {"here": "green", "comes with smd": "green", "in part": "yellow"}


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of cells as lines: columns aligned, the third (a size) to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[2] = row[2].rjust(widths[2])
        yield "  ".join(cells).rstrip()
