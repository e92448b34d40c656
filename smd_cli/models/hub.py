"""Getting models from the Hugging Face hub into its cache, in pieces that survive a broken line.

Everything lies where the hub's own library puts it and looks for it. That library forgets a
half-downloaded file, so large files are fetched here: each grows under a name of its own beside
the finished ones, and only then gets the name under which the library finds it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from smd_cli.errors import SmdError, UsageError
from smd_cli.models.cache import (
    IMAGE_FILES,
    INDEX,
    LORA_FILES,
    UNFINISHED,
    VAE_FILES,
    Download,
    bytes_of,
    cache_folder,
    complete,
    missing,
    needed,
    noted,
    offline,
    ref_file,
    snapshot,
    storage,
)
from smd_cli.models.checkpoints import PICKLES
from smd_cli.models.configs import read_object
from smd_cli.models.families import family_of, part_names
from smd_cli.models.hub_errors import sentences
from smd_cli.units import shown_bytes

Progress = Callable[[int], None]
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Blob:
    """A large file of a repository: its path there, its bytes, and its name among the blobs."""

    path: str
    size: int
    etag: str


@dataclass(frozen=True)
class Pending:
    """A download whose small files are here: `folder` shows them, `blobs` are still to come.

    `links`: `folder` shows files by links to blobs; where there can be none it holds them itself.
    """

    wanted: Download
    folder: Path
    blobs: tuple[Blob, ...]
    links: bool = True

    @property
    def total_bytes(self) -> int:
        """What all files that are not whole yet weigh."""
        return sum(blob.size for blob in self.blobs)

    @property
    def here_bytes(self) -> int:
        """How much of that earlier attempts, or other revisions, have left behind."""
        return sum(
            blob.size if self.has(blob) else min(bytes_of(self.part(blob)), blob.size)
            for blob in self.blobs
        )

    def has(self, blob: Blob) -> bool:
        """Whether a file is here whole, by its length, where the hub's library takes it from."""
        return blob.size in (bytes_of(self.target(blob)), bytes_of(self._stored(blob)))

    def target(self, blob: Blob) -> Path:
        """Where a finished file goes, and the hub's library looks for it."""
        return self._stored(blob) if self.links else self.folder / blob.path

    def part(self, blob: Blob) -> Path:
        """Where a file grows until it is whole."""
        return self._stored(blob).with_name(f"{blob.etag}.smd{UNFINISHED}")

    def _stored(self, blob: Blob) -> Path:
        return storage(self.wanted.repo) / "blobs" / blob.etag


def fetch(wanted: Download) -> Path:
    """The folder in the hub cache that holds a download; gets what is missing of it.

    The network is asked only where something is missing. Raises SmdError, UsageError for names.
    """
    folder = complete(wanted)
    if folder:
        return folder
    pending = prepare(wanted)
    refuse_full_disk(wanted.title, pending.total_bytes - pending.here_bytes)
    return finish(pending, lambda _: None)


def prepare(wanted: Download) -> Pending:
    """Ask the hub what a download is made of, and get its small files: a few MB at most.

    Raises SmdError where it cannot be had, UsageError where it is not for smd.
    """
    if offline():
        raise _offline(wanted)
    from huggingface_hub import HfApi

    with sentences(wanted), _hushed():
        info = HfApi().model_info(wanted.repo, revision=wanted.revision, files_metadata=True)
        files = {file.rfilename: file for file in info.siblings or ()}
        wanted = _what_it_is(wanted, files)
        _drop_broken(wanted, str(info.sha), files.values())
        folder = _snapshot(wanted, _small(wanted))
        _refuse_other_pipelines(wanted, folder)
        absent = missing(folder, wanted)
        _refuse_without_safetensors(wanted, absent, files)
        blobs = tuple(_blob(files[name]) for name in absent)
        return Pending(wanted, folder, blobs, links=not blobs or _links_work())


def finish(pending: Pending, progress: Progress) -> Path:
    """Get the large files and give the folder of the download; `progress` hears of every few MB."""
    wanted = pending.wanted
    with sentences(wanted), _hushed():
        for blob in pending.blobs:
            _get(pending, blob, progress)
        folder = _snapshot(wanted, [*_small(wanted), *needed(pending.folder, wanted)])
    absent = missing(folder, wanted)
    if absent:
        raise SmdError(f"{wanted.title} did not arrive whole: {_listed(absent)}", wanted.command)
    return folder


def _get(pending: Pending, blob: Blob, progress: Progress) -> None:
    """One large file, on from where an earlier attempt ended."""
    target, part = pending.target(blob), pending.part(blob)
    repo = storage(pending.wanted.repo).name
    lock = cache_folder() / ".locks" / repo / f"{blob.etag}.lock"
    for folder in (lock.parent, part.parent, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with _library().WeakFileLock(str(lock)):
        if not pending.has(blob):
            _append(pending, blob, part, progress)
            _refuse_broken(pending.wanted, blob, part)
            part.replace(target)


def _append(pending: Pending, blob: Blob, part: Path, progress: Progress) -> None:
    """Make a half file whole."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get

    url = hf_hub_url(pending.wanted.repo, blob.path, revision=pending.folder.name)
    with part.open("ab") as file:
        if file.tell() > blob.size:
            file.truncate(0)
            file.seek(0)
        counted: Any = _Counted(file, progress)
        headers = _library().build_hf_headers()
        while (here := file.tell()) < blob.size:
            try:
                http_get(url, counted, resume_size=here, headers=headers, expected_size=blob.size)
            except Exception:  # whatever it is, a line that still brings something is good
                if file.tell() == here:
                    raise


class _Counted:
    """A file that tells how many bytes were written to it."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file, self._progress = file, progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, piece: bytes) -> int:
        count = self._file.write(piece)
        self._progress(count)
        return count


def _snapshot(wanted: Download, patterns: Iterable[str]) -> Path:
    """Have the hub's library get, link and note down the files that match."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(wanted.repo, revision=wanted.revision, allow_patterns=list(patterns))
    )


def _small(wanted: Download) -> list[str]:
    """Patterns of all files but weights."""
    if wanted.files is not None:
        return [name for name in wanted.files if not name.endswith(".safetensors")]
    if wanted.captioner:
        return ["*.json", "*.txt", "*.model"]
    kinds = ("json", "txt", "jinja", "model")
    return [INDEX, "smd.json", *(f"{part}/*.{kind}" for part in part_names() for kind in kinds)]


def _what_it_is(wanted: Download, files: Mapping[str, Any]) -> Download:
    """A repository that is no pipeline may be an autoencoder or a LoRA alone, or write captions."""
    if wanted.files is not None or wanted.captioner or INDEX in files:
        return wanted
    for alone in (VAE_FILES, LORA_FILES):
        if set(alone) <= set(files):
            return replace(wanted, files=alone)
    if "config.json" in files and not {*IMAGE_FILES}.isdisjoint(files):
        return replace(wanted, captioner=True)
    raise UsageError(
        f"{wanted.repo} holds no model that smd can load: it has no {INDEX}",
        "smd loads what diffusers' save_pretrained writes",
    )


def _drop_broken(wanted: Download, commit: str, files: Iterable[Any]) -> None:
    """Remove files of another length than the hub's: the library takes whatever has the name."""
    place, ref = storage(wanted.repo), ref_file(wanted)
    if ref.is_file() and not noted(ref):
        ref.unlink()
    for blob in [_blob(file) for file in files if file.size is not None]:
        for path in (place / "snapshots" / commit / blob.path, place / "blobs" / blob.etag):
            if path.is_file() and bytes_of(path) != blob.size:
                path.unlink()


def _links_work() -> bool:
    """Whether the cache can hold links: not on Windows without its developer mode, say."""
    from huggingface_hub.file_download import are_symlinks_supported

    return bool(are_symlinks_supported(str(cache_folder())))


def _blob(file: Any) -> Blob:
    return Blob(file.rfilename, file.size, file.lfs.sha256 if file.lfs else file.blob_id)


# --- What can be wrong ----------------------------------------------------------------------------


def _refuse_other_pipelines(wanted: Download, folder: Path) -> None:
    """Before gigabytes of something that cannot be loaded come."""
    index = read_object(folder / INDEX)
    if wanted.files is None and not wanted.captioner and index is not None:
        family_of(wanted.title, index)


def _refuse_without_safetensors(
    wanted: Download, absent: Iterable[str], files: Mapping[str, Any]
) -> None:
    unknown = [name for name in absent if name not in files]
    if not unknown:
        return
    folder = unknown[0].rpartition("/")[0]
    pickles = [f for f in files if f.rpartition("/")[0] == folder and f.endswith(PICKLES)]
    if pickles:
        raise SmdError(
            f"{wanted.repo} has {pickles[0]}, a pickle, but not {unknown[0]}: "
            "a pickle can run any program when it is opened, so smd opens none",
            "look for a revision or a copy of the model with safetensors",
        )
    raise SmdError(f"{wanted.repo} lacks files that its index names: {_listed(unknown)}")


def refuse_full_disk(title: str, coming_bytes: int) -> None:
    """Raise SmdError where so much more does not fit into the cache."""
    free = free_bytes()
    if coming_bytes > free:
        raise SmdError(
            f"{title} needs {shown_bytes(coming_bytes)} more, but only {shown_bytes(free)} "
            f"are free in {cache_folder()}",
            "make room, or let HF_HOME name a folder on another disk",
        )


def _refuse_broken(wanted: Download, blob: Blob, part: Path) -> None:
    """Compare a file with the hash that the hub has of it; a broken one goes."""
    if len(blob.etag) != _SHA256_DIGITS:
        return
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() != blob.etag:
        part.unlink()
        raise SmdError(f"{blob.path} of {wanted.title} came broken and was dropped", "try again")


def _offline(wanted: Download) -> SmdError:
    """Says exactly what is not here, and how to get it."""
    folder = snapshot(wanted)
    absent = missing(folder, wanted) if folder else wanted.files
    what = "is not here" if folder is None else "is here only in part"
    which = f"missing: {_listed(absent)}" if absent else f"all of {wanted.repo} is missing"
    at = f" in its revision {wanted.revision}" if wanted.revision and folder is None else ""
    return SmdError(
        f"the model {wanted.title} {what}{at}, and smd is offline; {which}",
        f"with a network, get it by: {wanted.command}",
    )


def _library() -> Any:
    """The library's own helpers, which it loads late and so hides from type checkers."""
    import huggingface_hub.utils

    return huggingface_hub.utils


@contextmanager
def _hushed() -> Iterator[None]:
    """No bars, no log and no warnings of the library: callers tell what happens."""
    import logging
    import warnings

    library = _library()
    library.logging.set_verbosity(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.disable_progress_bars()
        yield


def free_bytes() -> int:
    """The free space where the hub cache is, or will be."""
    place = cache_folder().absolute()
    while not os.path.exists(place) and place != place.parent:  # noqa: PTH110, never raises
        place = place.parent
    return shutil.disk_usage(place).free


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
