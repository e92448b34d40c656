"""How layers lie on each other, against a naive loop over pixels; what is kept changes nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from dense import levels
from engine.scenes import brush, scene

from smd_cli.engine.layers import SoftMasks, rules_of
from smd_cli.engine.schedule import step_table
from smd_cli.scene.paint.boxes import Levels, laid
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.work.advice import layers as advice
from smd_cli.work.advice.layers import Layers, see_layers

SIZE = (40, 28)
Facts = list[tuple[float, tuple[str, ...], bool]]


def random_levels(rng: np.random.Generator) -> Levels:
    """Flat, soft or sprinkled paint in a box, often of the whole canvas."""
    width, height = SIZE if rng.random() < 0.5 else rng.integers(1, SIZE, endpoint=True)
    found = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    left, top = rng.integers(0, SIZE[0] - width + 1), rng.integers(0, SIZE[1] - height + 1)
    kinds = (255, rng.integers(1, 256, (height, width)), 255 * (rng.random((height, width)) < 0.9))
    found[top : top + height, left : left + width] = kinds[rng.integers(3)]
    return found


def layers_of(paint: list[Levels]) -> PaintedScene:
    brushes = tuple(
        Painted(brush(n, name=f"n{n}"), laid(one, (0, 0), SIZE), ())
        for n, one in enumerate(paint, 1)
    )
    return PaintedScene(SIZE, brushes, None)


def seen(painted: PaintedScene, kept: SoftMasks) -> Layers:
    wanted = scene(*(each.brush for each in painted.brushes))
    rules = rules_of(painted.brushes, SIZE, wanted.sampler, 8, 8)
    return see_layers(painted, wanted, step_table({}, steps=3), rules, kept)


def naive(paint: list[npt.NDArray[np.int64]]) -> Facts:
    """The same facts, a pixel at a time."""
    facts: Facts = []
    for n, own in enumerate(paint):
        share, shows = 0, False
        counts: dict[str, int] = {}
        for y, x in np.argwhere(own > 0):
            over = [int(one[y, x]) for one in paint[n + 1 :]]
            most = max(over, default=0)
            share += int(own[y, x]) * most
            shows |= bool(own[y, x] > min(most, 250) + 5)
            if most:  # of equals the topmost
                name = f"n{n + 2 + max(i for i, level in enumerate(over) if level == most)}"
                counts[name] = counts.get(name, 0) + 1
        covered = share / (255 * int(own.sum()))
        names = sorted(counts, key=lambda name: (-counts[name], int(name[1:])))
        facts.append(
            (covered, tuple(names) if covered > 0.85 else (), covered >= 0.9 and not shows)
        )
    return facts


@pytest.mark.parametrize("bytes_hold", [256, 2])
def test_what_lies_over_a_layer(monkeypatch: pytest.MonkeyPatch, bytes_hold: int) -> None:
    """`bytes_hold`: few layers are counted as many are, too."""
    monkeypatch.setattr(advice, "_BYTES", bytes_hold)
    rng, named, hidden = np.random.default_rng(0), 0, 0
    for _ in range(12):
        paint = [random_levels(rng) for _ in range(5)]
        found = seen(layers_of(paint), SoftMasks())
        facts = naive([one.astype(np.int64) for one in paint])
        assert [(one.covered, one.by, one.hidden) for one in found.layers] == facts
        assert found.uncovered == 1 - int(np.max(paint, axis=0).sum()) / (255 * 40 * 28)
        named, hidden = named + sum(len(f[1]) for f in facts), hidden + sum(f[2] for f in facts)
    assert named > 40
    assert hidden > 5


def test_what_is_kept_from_one_reading_to_the_next_changes_nothing() -> None:
    rng, kept = np.random.default_rng(1), SoftMasks()
    painted = layers_of([random_levels(rng) for _ in range(5)])
    for _ in range(10):
        at = int(rng.integers(5))
        new = layers_of([random_levels(rng)] * 5).brushes[at]
        brushes = (*painted.brushes[:at], new, *painted.brushes[at + 1 :])
        painted = PaintedScene(SIZE, brushes, None)
        again = layers_of([levels(each.paint) for each in brushes])
        mine, fresh = seen(painted, kept), seen(again, SoftMasks())
        assert mine.uncovered == fresh.uncovered
        for one, other in zip(mine.layers, fresh.layers, strict=True):
            assert vars(one) == vars(other)
