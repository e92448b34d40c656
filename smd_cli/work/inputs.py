"""The files that a scene is made of, down to its model's: no result may replace one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from smd_cli.models.cache import downloads_of, snapshot
from smd_cli.models.captioner import captioner_downloads
from smd_cli.models.ref import ModelRef
from smd_cli.output.places import Identity, identity
from smd_cli.scene.paint.reels import files_of
from smd_cli.scene.types import SceneFile

_STDIN = Path("/dev/stdin")  # leads to the file that a shell gave us, where systems have it


def inputs_of(file: SceneFile) -> Iterator[Path]:
    """The scene's own file, its pictures, and all files of models, autoencoders and LoRAs here."""
    yield _STDIN if file.file == "<stdin>" else Path(file.file)
    yield from picture_files(file)
    yield from filter(None, [file.scene.background.caption_file])
    for place in (*_places(file.scene.model), *_captioner(file.scene.background.captioner)):
        yield from _files_below(place)


def picture_files(file: SceneFile) -> Iterator[Path]:
    """The files of a scene's masks and of what lies beneath: all of a sequence."""
    return (one for picture in file.scene.pictures for one in files_of(picture))


def model_files(model: ModelRef) -> Iterator[tuple[str, Path]]:
    """All files of a model, its autoencoder and LoRAs that are here, each with a name for it.

    The name tells of which part it is, and is the same wherever that lies.
    """
    for number, place in enumerate(_places(model)):
        for path in _files_below(place):
            below = path.relative_to(place).as_posix() if path != place else ""
            yield f"{number} {below}", path


def _captioner(model: ModelRef | None) -> Iterator[Path]:
    """The folder of a captioning model."""
    if model is not None:
        yield from filter(None, [model.folder, *map(snapshot, captioner_downloads(model))])


def _places(model: ModelRef) -> Iterator[Path]:
    """The files and folders that a model is loaded from, in the hub cache too."""
    own = (model.folder, model.file, model.config, model.transformer)
    yield from (place for place in own if place is not None)
    yield from (lora.path for lora in model.loras if lora.path is not None)
    yield from filter(None, map(snapshot, downloads_of(model)))
    if model.vae is not None:
        yield from _places(model.vae)


def _files_below(place: Path) -> Iterator[Path]:
    """A file, or all files of a folder; links to folders are followed, each folder read once."""
    read: set[Identity | None] = set()
    for folder, below, names in os.walk(place, followlinks=True):
        here = identity(folder)
        if here in read:
            below.clear()
            continue
        read.add(here)
        yield from (Path(folder, name) for name in names)
    if not read:
        yield place
