"""Which model is meant: a name, and where its parts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LoraRef:
    """A LoRA by name: `path` is its file or folder here, None for one of the hub.

    There `name` is the hub id, and `file` names one of several LoRAs in it. `weight` 1 is as
    trained, 0 is none of it.
    """

    name: str
    path: Path | None = None
    file: str | None = None
    revision: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class ModelRef:
    """A model by name. It lies here in a diffusers `folder` or in a single `file`, or on the hub.

    `repository` is its hub id where `name` is not (a preset's). `config` is the model folder that
    a single file takes its configs and tokenizers from. `transformer` is a file with a transformer
    that paints in the place of the model's own. `clip_skip` counts the last layers of the
    text encoder that are left out.
    """

    name: str
    folder: Path | None = None
    revision: str | None = None
    vae: ModelRef | None = None
    file: Path | None = None
    config: Path | None = None
    transformer: Path | None = None
    repository: str | None = None
    loras: tuple[LoraRef, ...] = ()
    clip_skip: int = 0

    @property
    def hub_id(self) -> str:
        """What the hub calls it."""
        return self.repository or self.name
