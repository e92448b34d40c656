"""Variations: one scene in many ways, by values that its keys take in turn (a grid).

An *axis* is a key with its values. Every axis has tokens for names of results: ``{fox.prompt}`` for
``brushes.fox.prompt``, the whole key, and ``{1}`` for the first ``--each``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.scene.keys.fields import MAX_SEED
from smd_cli.scene.overrides import Override
from smd_cli.units import shortened, shown
from smd_cli.work.values import values_of

MOST_JOBS = 1000
"""Of one call: all are checked before the first is painted, and --jobs takes any number."""

_MOST_SLUG = 40  # signs of a value in a file's name
_RANGE = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?")


@dataclass(frozen=True)
class Axis:
    """A key that takes some values in turn. `place`: which `--each` it is, 0 for `--seeds`."""

    key: str
    changes: tuple[Override, ...]
    place: int = 0

    @property
    def name(self) -> str:
        """The key as it is told: a brush's without ``brushes.``."""
        return self.key.removeprefix("brushes.")

    @property
    def tokens(self) -> tuple[str, ...]:
        """By what results' names may call it."""
        return (self.name, *dict.fromkeys([self.key, *([str(self.place)] if self.place else [])]))

    @property
    def slugs(self) -> tuple[str, ...]:
        """Every value as a part of a file's name, no two alike where letters' case is not."""
        slugs = [_slug(change.value) for change in self.changes]
        folded = [slug.casefold() for slug in slugs]
        clash = any(not slug or folded.count(slug) > 1 for slug in folded)
        numbered = (f"{slug}-{n}".strip("-") for n, slug in enumerate(slugs, start=1))
        return tuple(numbered) if clash else tuple(slugs)


@dataclass(frozen=True)
class Variation:
    """One state of a grid: a change for each axis.

    `tokens` are what it is called in names, `slugs` what tells it from the others there.
    """

    changes: tuple[Override, ...] = ()
    tokens: Mapping[str, str] = field(default_factory=dict)
    slugs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What is changed, for people: a text an axis."""
        pairs = zip(self.names, self.changes, strict=True)
        return tuple(f"{name} {shortened(change.value)}" for name, change in pairs)

    @property
    def lines(self) -> tuple[str, ...]:
        """The same where each has a line of its own."""
        pairs = zip(self.names, self.changes, strict=True)
        return tuple(f"{name}: {shortened(change.value)}" for name, change in pairs)

    @property
    def values(self) -> dict[str, str]:
        """What is changed, for scripts: key to value."""
        return {change.key: change.value for change in self.changes}


PLAIN = Variation()


def axes_of(each: Sequence[str], seeds: str | None, seed: str | None = None) -> tuple[Axis, ...]:
    """The axes that the options mean, seeds last: they vary first.

    `seed` is the one that --seed names. Raises UsageError for what is no list, for a key that
    varies twice, and for two options that exclude each other.
    """
    if seeds is not None and seed is not None:
        raise UsageError(f"--seed {seed} and --seeds {seeds} exclude each other")
    axes = [_axis(text, place) for place, text in enumerate(each, start=1)]
    if seeds is not None:
        axes.append(Axis("seed", tuple(_seed(seed) for seed in _seeds(seeds))))
    keys = [axis.key for axis in axes]
    if seed is not None and "seed" in keys:
        raise UsageError(f"--seed {seed} and --each seed exclude each other")
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"{shown(key)} is varied twice", "put all of its values in one list")
    return tuple(axes)


def variations(axes: Sequence[Axis]) -> Iterator[Variation]:
    """All states of a grid, the last axis varying first; without axes the one plain state."""
    names = tuple(axis.name for axis in axes)
    for picks in product(*(range(len(axis.changes)) for axis in axes)):
        chosen = list(zip(axes, picks, strict=True))
        slugs = tuple(axis.slugs[pick] for axis, pick in chosen)
        tokens = {
            token: slug
            for axis, slug in zip(axes, slugs, strict=True)
            for token in axis.tokens
            if token != "seed"  # which every name has anyway
        }
        yield Variation(tuple(a.changes[pick] for a, pick in chosen), tokens, slugs, names)


def refuse_many(scenes: int, axes: Sequence[Axis]) -> None:
    """Raise UsageError for a grid of more jobs than one call takes."""
    count = scenes * prod(len(axis.changes) for axis in axes)
    if count > MOST_JOBS:
        hint = "split them over several calls, or send them to smd render --jobs"
        raise UsageError(f"that asks for {count} jobs, and {MOST_JOBS} are the most", hint)


def telling_apart(scenes: int, axes: Sequence[Axis]) -> str:
    """A hint: the tokens with which every job's results have names of their own."""
    tokens = [*(["scene"] if scenes > 1 else []), *(axis.name for axis in axes)]
    return "tell them apart by name: " + " ".join(f"{{{token}}}" for token in tokens)


def _axis(text: str, place: int) -> Axis:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        hint = "--each brushes.fox.prompt='[a fox, a wolf]'"
        raise UsageError(f"--each takes KEY=[VALUE, VALUE], not {shown(text)}", hint)
    key = key.strip()
    values = values_of(value, f"--each {text}")
    changes = tuple(Override(key, one, f"--each {key}={one}", Path()) for one in values)
    return Axis(key, changes, place)


def _seed(seed: int) -> Override:
    return Override("seed", str(seed), f"--seeds {seed}", Path())


def _seeds(text: str) -> list[int]:
    """The seeds that ``1-4,9`` means."""
    found: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if match is None or first > last or last > MAX_SEED:
            hint = "--seeds 1-8 are the seeds 1 to 8; --seeds 1,5,9 are three"
            raise UsageError(f"--seeds takes numbers and ranges, not {shown(text)}", hint)
        if last - first >= MOST_JOBS:
            raise UsageError(f"--seeds {text}: {MOST_JOBS} are the most", "split them over calls")
        found += range(first, last + 1)
    twice = next((seed for seed in found if found.count(seed) > 1), None)
    if twice is not None:
        raise UsageError(f"--seeds {text} names {twice} twice")
    return found


def _slug(value: str) -> str:
    """A value as a part of a file's name: letters and digits, all else a dash."""
    return re.sub(r"(?:[^\w.]|\.\.+)+", "-", value.strip("\"'"))[:_MOST_SLUG].strip("-.")
