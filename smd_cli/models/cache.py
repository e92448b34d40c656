"""What a model needs of the Hugging Face hub, and what of it is here. Touches no network.

The layout of the cache is the hub's own, as its documentation tells it: `models--OWNER--NAME/` with
`refs/REVISION` (a commit's hash), `snapshots/COMMIT/…` (links) and `blobs/` (the files themselves).
Weights are safetensors alone: a pickle is never asked for.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smd_cli.models.configs import read_object
from smd_cli.models.families import SCHEDULER, TRANSFORMER, part_names
from smd_cli.models.ref import LoraRef, ModelRef

INDEX = "model_index.json"
VAE_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
LORA_FILES = ("pytorch_lora_weights.safetensors",)
IMAGE_FILES = ("preprocessor_config.json", "processor_config.json")  # one of them, and
WORD_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")  # one of these, has a captioning model
UNFINISHED = ".incomplete"
_MAX_HEADER_BYTES = 100_000_000  # of safetensors: what its library takes


@dataclass(frozen=True)
class Download:
    """Files of a hub repository that a model needs.

    `files` None means the pipeline that the repository's index names, without the parts in
    `spared`, and without the weights of those in `weightless`; or with `captioner` a captioning
    model as transformers keeps it. `name` is what `smd models pull` calls it, where that is not the
    repository.
    """

    repo: str
    revision: str | None = None
    files: tuple[str, ...] | None = None
    spared: tuple[str, ...] = ()
    weightless: tuple[str, ...] = ()
    name: str = ""
    captioner: bool = False

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self.name or self.repo

    @property
    def command(self) -> str:
        """The command that gets it."""
        pinned = f" --revision {self.revision}" if self.revision and not self.name else ""
        return f"smd models pull {self.title}{pinned}"


def downloads_of(model: ModelRef) -> tuple[Download, ...]:
    """What a model with autoencoder and LoRAs takes from the hub; empty where all is local."""
    name = model.name if model.repository else ""
    local = model.folder is not None or model.file is not None
    own = () if local else (model_download(model),)
    vae = model.vae
    decoder = () if vae is None or vae.folder or vae.file else (vae_download(vae, name),)
    loras = tuple(lora_download(lora, name) for lora in model.loras if lora.path is None)
    return (*own, *decoder, *loras)


def model_download(model: ModelRef) -> Download:
    """A pipeline of the hub, without the autoencoder where the model has another, and of its
    transformer the config alone where that is a file.
    """
    spared = ("vae",) if model.vae else ()
    weightless = (TRANSFORMER,) if model.transformer else ()
    name = model.name if model.repository else ""
    return Download(model.hub_id, model.revision, spared=spared, weightless=weightless, name=name)


def vae_download(vae: ModelRef, name: str = "") -> Download:
    """An autoencoder of the hub, which belongs to the preset `name`."""
    return Download(vae.hub_id, vae.revision, VAE_FILES, name=name)


def lora_download(lora: LoraRef, name: str = "") -> Download:
    """A LoRA of the hub, which belongs to the preset `name`."""
    files = LORA_FILES if lora.file is None else (lora.file,)
    return Download(lora.name, lora.revision, files, name=name)


def offline() -> bool:
    """Whether the network must not be touched."""
    from huggingface_hub import constants

    asked = os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES
    return asked or bool(constants.HF_HUB_OFFLINE)


def go_offline() -> None:
    """From here on the network is not touched, neither by smd nor by the libraries it loads."""
    os.environ["HF_HUB_OFFLINE"] = "1"


def cache_folder() -> Path:
    """Where the hub's downloads lie: HF_HUB_CACHE, else in HF_HOME, else in the home folder."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def storage(repo: str) -> Path:
    """The folder of a repository in the cache, whether it is there or not."""
    return cache_folder() / f"models--{repo.replace('/', '--')}"


def snapshot(wanted: Download) -> Path | None:
    """The folder that shows a revision's files, as far as they are here; None without any."""
    revision = wanted.revision or "main"
    commit = noted(ref_file(wanted)) or revision
    folder = storage(wanted.repo) / "snapshots" / commit
    return folder if folder.is_dir() else None


def ref_file(wanted: Download) -> Path:
    """Where the commit of a download's revision is noted, where that is a branch or a tag."""
    return storage(wanted.repo) / "refs" / (wanted.revision or "main")


def noted(ref: Path) -> str:
    """The commit that a ref names; empty where there is none, or nothing sensible in it."""
    try:
        return ref.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def complete(wanted: Download) -> Path | None:
    """The folder of a download where nothing of it is missing."""
    folder = snapshot(wanted)
    return folder if folder and not missing(folder, wanted) else None


def missing(folder: Path, wanted: Download) -> tuple[str, ...]:
    """The needed files that are not whole in a snapshot, as paths in the repository."""
    return tuple(name for name in needed(folder, wanted) if not is_complete(folder / name))


def is_complete(path: Path) -> bool:
    """Whether a file of the cache is one: no link to nothing, not empty, and not cut short."""
    size = bytes_of(path)
    if path.suffix == ".safetensors":
        return 0 < size >= _stated_bytes(path)
    return size > 0 and (path.suffix != ".json" or _ends_json(path, size))


def _ends_json(path: Path, size: int) -> bool:
    """Whether a JSON file ends like one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - 64))
            return file.read().rstrip().endswith((b"}", b"]"))
    except OSError:
        return False


def _stated_bytes(path: Path) -> int:
    """How long a safetensors file is by its own header; 0 where it has none."""
    try:
        with path.open("rb") as file:
            [length] = struct.unpack("<Q", file.read(8))
            if length > _MAX_HEADER_BYTES:
                return 0
            header = file.read(length)
        if len(header) < length:
            return 8 + int(length)
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in entries.values()]
        return 8 + int(length) + int(max(ends, default=0))
    except (OSError, struct.error, ValueError, AttributeError, TypeError, LookupError):
        return 0


def absent(wanted: Download) -> tuple[str, ...]:
    """What is not in the cache of a download, as far as is known what it is made of."""
    folder = snapshot(wanted)
    first = "config.json" if wanted.captioner else INDEX
    return missing(folder, wanted) if folder else wanted.files or (first,)


def needed(folder: Path, wanted: Download) -> tuple[str, ...]:
    """All files a download must have, as far as those that are in `folder` name the others."""
    if wanted.files is not None:
        return wanted.files
    if wanted.captioner:
        return (*_captioner_files(folder),)
    index = read_object(folder / INDEX)
    if index is None:
        return (INDEX,)
    named = {part: index[part] for part in part_names() if any(index.get(part) or ())}
    parts = {part: str(held[0]) for part, held in named.items() if part not in wanted.spared}
    configs = {part: f"{part}/config.json" for part in wanted.weightless}
    files = [_part_files(folder, part, parts[part]) for part in parts if part not in configs]
    return (INDEX, *configs.values(), *(file for found in files for file in found))


def _captioner_files(folder: Path) -> Iterator[str]:
    """The files of a captioning model, which has no parts in folders of their own."""
    yield "config.json"
    for choice in (IMAGE_FILES, WORD_FILES):
        yield next((name for name in choice if is_complete(folder / name)), choice[0])
    yield from (name.removeprefix("./") for name in _weights(folder, ".", "model"))


def _part_files(folder: Path, part: str, library: str) -> Iterator[str]:
    """The files of a part that is of a class of this library."""
    if part == SCHEDULER:
        yield f"{part}/scheduler_config.json"
    elif part.startswith("tokenizer"):
        if not is_complete(folder / part / "tokenizer.json"):
            yield from (f"{part}/vocab.json", f"{part}/merges.txt")
    else:
        yield f"{part}/config.json"
        stem = "model" if library == "transformers" else "diffusion_pytorch_model"
        yield from _weights(folder, part, stem)


def _weights(folder: Path, part: str, stem: str) -> list[str]:
    """A part's weights: one file, or the pieces that an index of pieces names."""
    one_file = f"{part}/{stem}.safetensors"
    pieces = read_object(folder / f"{one_file}.index.json") or {}
    names = {str(name) for name in dict(pieces.get("weight_map", {})).values()}
    if is_complete(folder / one_file) or not names:
        return [one_file]
    return sorted(f"{part}/{name}" for name in names)


def cached_repos() -> tuple[str, ...]:
    """All model repositories in the cache, as hub ids in alphabetical order."""
    folders = cache_folder().glob("models--*")
    ids = [f.name.removeprefix("models--").replace("--", "/", 1) for f in folders if f.is_dir()]
    return tuple(sorted(ids))


def bytes_on_disk(repo: str) -> int:
    """What a repository takes of the disk, half-downloaded files included."""
    files = [Path(top, name) for top, _, names in os.walk(storage(repo)) for name in names]
    return sum(bytes_of(file) for file in files if not file.is_symlink())


def bytes_of(path: Path) -> int:
    """A file's length; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
