"""What commands tell whose result is one report: lines of `--json` that have many fields.

Each class tells what its fields mean; the work that makes the report fills them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smd_cli.report.events import Event


@dataclass(frozen=True)
class Report(Event):
    """A line whose fields are `told`; `keys` are all of them, with what they mean."""

    keys: ClassVar[Mapping[str, str]] = {}
    told: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """The fields by their names."""
        return self.told


@dataclass(frozen=True)
class Checked(Report):
    """A scene that was looked at."""

    type = "check"
    told_by = "check, once a scene"
    keys: ClassVar[Mapping[str, str]] = {
        "file": "the scene file as given",
        "size": "width and height of the canvas in pixels",
        "wrap": "which sides meet: none, x, y or both",
        "model": "its name",
        "noise_as_for": "what stands in for a model that is not here; null where it is",
        "sigmas": "the noise of every slot",
        "brushes": "what is known of each: label, coverage, box, slots, prompt, sources, …",
        "muted": "brushes that are not painted",
        "background": "what the brushes lie on",
        "repainted": "in how many slots the picture is painted anew; null where it is not",
        "uncovered": "the share of the canvas that no brush paints",
        "part": "what of a large picture is generated; null for all of it",
        "motion": "what changes from frame to frame, a line a brush",
        "draft": "the size that is painted first, and the slot that refines it; null without",
        "work": "network rows and windows of a frame; null where it is refined",
        "warnings": "each with file, line, column, source, message and hint",
    }


@dataclass(frozen=True)
class Known(Report):
    """What is recorded of a picture, and what differs today."""

    type = "info"
    told_by = "info"
    keys: ClassVar[Mapping[str, str]] = {
        "picture": "the file that was asked about",
        "told_by": "the file that tells: the picture itself, or its sidecar",
        "pictures": "how many frames it shows",
        "command": "render or compare",
        "frame": "the number of its first frame, from 0",
        "frames": "how many its scene has",
        "seed": "of all noise",
        "schedule": "in which order frames were painted",
        "machine": "device, dtype and options",
        "changes": "what options changed: key=value",
        "files": "masks and other pictures, each with name and digest",
        "embeds": "whether these are inside",
        "differs": "sentences about what is another today",
        "unknown": "why that cannot be told; null where it was",
        "texts": "what stands in the file, without what is packed",
    }


@dataclass(frozen=True)
class Listed(Report):
    """The models that are known."""

    type = "models"
    told_by = "models"
    keys: ClassVar[Mapping[str, str]] = {
        "presets": "each with name, state, bytes, repos, missing and kind",
        "others": "the same of what else is in the cache",
        "cache": "the folder of the hub's downloads",
        "free_bytes": "how much room there is",
        "prompts": "the folder of what large text encoders read, or off",
    }


@dataclass(frozen=True)
class Card(Report):
    """One model with all its facts."""

    type = "model"
    told_by = "models NAME"
    keys: ClassVar[Mapping[str, str]] = {
        "name": "what it is called",
        "about": "what it is",
        "state": "here, in part, not here, or comes with smd",
        "place": "its folder or file; null where it is not here",
        "bytes": "on the disk",
        "licence": "of its weights",
        "revision": "of the hub",
        "memory": "that it needs, by the count of its numbers; empty where that is not known",
        "repos": "of the hub that it is made of",
        "missing": "files that are not here",
        "loras": "that belong to it",
        "vae": "another autoencoder; null for its own",
        "facts_known": "whether what follows is its own, or what SD 1.5 is like",
        "family": "which kind of network",
        "canvas": "width and height that it is at home with, in pixels",
        "factor": "pixels a side of a latent cell",
        "timesteps": "of its slots",
        "sigmas": "the noise of its slots",
        "guidance": "type, scale and delta",
        "guidance_embedded": "the network takes the scale itself",
        "bootstrap": "steps, mix and leak",
        "blur": "of masks, in pixels",
        "prediction": "what the network gives",
        "scheduler": "that it names",
        "objects": "words that it knows, where that is known; so are the next two",
        "materials": "likewise",
        "colours": "likewise",
    }


@dataclass(frozen=True)
class Examined(Report):
    """Whether everything works here."""

    type = "doctor"
    told_by = "doctor"
    keys: ClassVar[Mapping[str, str]] = {
        "ok": "nothing essential is broken",
        "findings": "each with name, value, fault, hint and essential",
    }


@dataclass(frozen=True)
class Measured(Report):
    """The figures of one workload."""

    type = "bench"
    told_by = "bench, once a workload"
    keys: ClassVar[Mapping[str, str]] = {
        "workload": "its name",
        "model": "its name",
        "device": "where it ran",
        "size": "width and height in pixels",
        "views": "prompts of a frame",
        "slots": "of a frame",
        "order": "how frames are painted",
        "threads": "of the CPU",
        "pairs": "how often both sides painted",
        "matrix_rates": "products a second that the machine manages, by precision",
        "sides": "what each side took",
        "ratios": "between the sides, with their spread",
        "gains": "of each option alone",
        "rows_skipped": "network rows that the plain side asks for and ours does not",
        "cells_skipped": "the same in latent cells",
    }


@dataclass(frozen=True)
class WatchMeasured(Report):
    """From an edit to its picture, in seconds."""

    type = "bench-watch"
    told_by = "bench watch"
    keys: ClassVar[Mapping[str, str]] = {
        "edits": "how many",
        "endless": "of watch --stream",
        "mask_px": "sides of the masks",
        "edit": "the median",
        "edit_least": "the least",
        "edit_most": "the most",
        "work": "the picture alone",
        "ratio": "of both",
        "limit": "that the edit should keep",
    }
