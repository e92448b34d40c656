"""`smd models NAME`: what one model is, where it is, and how it likes to be sampled.

Reads configs and headers alone: no torch, no network.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smd_cli.engine.schedule import planned_table
from smd_cli.errors import Place, Problem
from smd_cli.models.cache import absent, bytes_on_disk, downloads_of, snapshot
from smd_cli.models.facts import (
    PRESETS,
    REVISION_HINT,
    idle_revision,
    read_defaults,
    resolve_model,
)
from smd_cli.models.files import facts_of, refuse_unfit
from smd_cli.models.listing import State, folder_bytes
from smd_cli.models.ref import ModelRef
from smd_cli.scene.parse import own_defaults
from smd_cli.scene.types import Bootstrap, Guidance
from smd_cli.units import shown_bytes, without_home

_LINE = 100
_INDENT = 14
_LISTS = ("missing", "objects", "materials", "colours")


@dataclass(frozen=True)
class Card:
    """One model. `canvas` (width, height) in px, `factor` px a latent cell, `blur` px.

    `place`: its folder or file, None where it is not here; `bytes` on the disk; `missing` files of
    the hub; `family` is empty, and the facts are those of SD 1.5, where `facts_known` is false.
    """

    name: str
    about: str
    state: State
    place: str | None
    bytes: int
    licence: str
    revision: str | None
    repos: tuple[str, ...]
    missing: tuple[str, ...]
    loras: tuple[str, ...]
    vae: str | None
    facts_known: bool
    family: str
    canvas: tuple[int, int]
    factor: int
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    guidance: Guidance
    guidance_embedded: bool
    bootstrap: Bootstrap
    blur: float
    prediction: str
    scheduler: str
    objects: tuple[str, ...]
    materials: tuple[str, ...]
    colours: tuple[str, ...]
    memory: str = ""

    def as_json(self) -> dict[str, Any]:
        """For machines: the fields as they are."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: the facts, one below the other, lists wrapped."""
        yield _printable(f"{self.name}: {self.about}" if self.about else self.name)
        for title, told in self._facts():
            if told:
                yield from _wrapped(title, told) if title in _LISTS else [_row(title, told)]

    def _facts(self) -> Iterator[tuple[str, str]]:
        size = f", {shown_bytes(self.bytes)}" if self.bytes else ""
        yield "state", self.state + size
        yield "place", without_home(self.place or "")
        yield "hub", ", ".join(self.repos)
        yield "revision", self.revision or ("main: it is not pinned" if self.repos else "")
        yield "missing", ", ".join(self.missing)
        yield "licence", self.licence
        yield "memory", self.memory
        yield "loras", ", ".join(self.loras)
        yield "vae", self.vae or ""
        if not self.facts_known:
            yield (
                "note",
                "its own configs are not here: what follows is as for Stable Diffusion 1.5",
            )
        yield "family", self.family
        yield "canvas", f"{self.canvas[0]}x{self.canvas[1]} px, a latent cell is {self.factor} px"
        yield "slots", self._slots()
        yield "guidance", self._guided()
        count = f"{self.bootstrap.steps} slot{'' if self.bootstrap.steps == 1 else 's'}"
        yield "bootstrap", f"{count}, mix {self.bootstrap.mix:g}"
        yield "blur", f"{self.blur:g} px"
        yield "predicts", f"{self.prediction}, scheduler {self.scheduler or 'not named'}"
        for title in ("objects", "materials", "colours"):
            words = getattr(self, title)
            yield title, f"{len(words)}: {', '.join(words)}" if words else ""

    def _slots(self) -> str:
        levels = " ".join(f"{sigma:.3f}" for sigma in self.sigmas)
        taus = " ".join(f"{tau:g}" for tau in self.timesteps)
        return f"{len(self.timesteps)}, timesteps {taus} (noise {levels})"

    def _guided(self) -> str:
        scale = f", scale {self.guidance.scale:g}" if self.guidance.type != "none" else ""
        taken = " (taken by the network itself)" if self.guidance_embedded else ""
        return f"{self.guidance.type}{scale}{taken}"


def _row(title: str, told: str) -> str:
    return f"  {title:<{_INDENT - 2}}{_printable(told)}"


def _wrapped(title: str, told: str) -> list[str]:
    return textwrap.wrap(
        _row(title, told),
        _LINE,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _printable(text: str) -> str:
    """A text on one line, without characters that do not print."""
    return "".join(c if c.isprintable() else "?" for c in text)


def card(name: str, revision: str | None = None) -> Card:
    """All that is known of a preset, folder, file or hub id.

    Raises UsageError for a name that is none, and for a model that smd does not run.
    """
    model = resolve_model(name, Path(), revision)
    refuse_unfit(model)
    own = read_defaults(model)
    sampler, blur_px = own_defaults(model, Place(name))
    table = planned_table(sampler, own, own.native_size)
    preset = PRESETS.get(model.name)
    return Card(
        name=model.name,
        about=preset.about if preset else "",
        memory=preset.memory if preset else "",
        licence=preset.licence if preset else _licence(model),
        revision=None if idle_revision(model) else model.revision,
        loras=tuple(lora.name for lora in model.loras),
        vae=model.vae.name if model.vae else None,
        facts_known=own.known,
        family=_family(model),
        canvas=own.native_size,
        factor=own.factor,
        timesteps=table.timesteps,
        sigmas=table.sigmas,
        guidance=sampler.guidance,
        guidance_embedded=own.embeds_guidance,
        bootstrap=sampler.bootstrap,
        blur=blur_px,
        prediction=table.prediction,
        scheduler=str(own.scheduler.get("_class_name", "")),
        objects=own.objects,
        materials=own.materials,
        colours=own.colours,
        **_whereabouts(model),
    )


def warnings_of(name: str, revision: str | None) -> Iterator[Problem]:
    """What is asked for of a model and has no effect. Raises UsageError for a name that is none."""
    message = idle_revision(resolve_model(name, Path(), revision))
    if message:
        place = Place(f"--revision {revision}")
        yield Problem(place, message, REVISION_HINT, severity="warning")


def _licence(model: ModelRef) -> str:
    """Where the licence of a model without a preset is told."""
    local = model.folder or model.file
    return "smd does not know it" if local else f"as https://huggingface.co/{model.hub_id} says"


def _whereabouts(model: ModelRef) -> dict[str, Any]:
    """State, place, bytes, repositories of the hub and what of them is missing."""
    downloads = downloads_of(model)
    repos = tuple(dict.fromkeys(wanted.repo for wanted in downloads))
    lacking = tuple(f"{wanted.repo}/{file}" for wanted in downloads for file in absent(wanted))
    size = sum(map(bytes_on_disk, repos))
    state: State = "in part" if size else "not here"
    state = state if lacking else "here"
    place = model.folder or model.file or snapshot(downloads[0])
    if model.folder:
        size += folder_bytes(model.folder)
        state = "comes with smd" if model.name in PRESETS else state
    elif model.file:
        size += model.file.stat().st_size
    shown = str(place) if place else None
    return {"state": state, "place": shown, "bytes": size, "repos": repos, "missing": lacking}


def _family(model: ModelRef) -> str:
    """Which kind of model it is; empty where its configs are not here."""
    told = facts_of(model)
    return told[1].kind if told else ""
