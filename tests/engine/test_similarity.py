"""The similarity filter: what is alike, and which frames are skipped."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from dense import weighed

from smd_cli.engine import similarity
from smd_cli.engine.noise import uniform
from smd_cli.engine.plan import Plan
from smd_cli.engine.similarity import MOST_SKIPPED, Skips, alike
from smd_cli.engine.stream import single, stream

from .fake import FakeBackbone
from .scenes import SMALL, box, brush, plan, scene


def cosine(one: object, other: object) -> float:
    """By the book, on flat numbers."""
    a, b = (np.asarray(x, dtype=np.float64).ravel() for x in (one, other))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def one_brush(left: int = 4, prompt: str = "a fox", **changes: object) -> Plan:
    wanted = scene(brush(1, prompt, **changes), background="a meadow", noise="fixed")
    return plan(FakeBackbone(), wanted, [box(left, 4, left + 12, 16)])


def test_equal_plans_are_alike() -> None:
    one = one_brush()
    assert alike(one, one) == alike(one, one_brush()) == 1


@pytest.mark.parametrize("left", [6, 10, 18])
def test_masks_are_compared_brush_by_brush(left: int) -> None:
    """And the least counts: the background's weight hardly changes."""
    one, other = one_brush(), one_brush(left)
    pairs = zip(weighed(one.weights), weighed(other.weights), strict=True)
    below, own = (cosine(*pair) for pair in pairs)
    assert below > own
    assert alike(one, other) == pytest.approx(own, abs=1e-6)


def test_prompts_are_compared_as_the_model_reads_them() -> None:
    one, other = one_brush(), one_brush(prompt="an owl and a cat")
    rows = [(p.conditioning[1]["tokens"], p.conditioning[1]["pooled"]) for p in (one, other)]
    least = min(cosine(a, b) for a, b in zip(*rows, strict=True))
    assert least < 0.999
    assert alike(one, other) == pytest.approx(least, abs=1e-6)


def test_seeds_and_what_lies_beneath_are_compared_and_start_noise_is_not() -> None:
    one = one_brush(seed=1)
    assert alike(one, one_brush(seed=2)) < 0.9
    assert alike(one, replace(one, start_noise=lambda frame: one.slot_noise[0] * frame)) == 1
    below = replace(one, background=one.background.roll(1, -1) + 0.1)
    assert alike(one, below) == pytest.approx(cosine(one.background, below.background), abs=1e-6)


def test_other_brushes_and_canvases_are_not_alike() -> None:
    bare = plan(FakeBackbone(), scene(background="a meadow"))
    large = plan(FakeBackbone(), scene(background="a meadow"), size=(SMALL[0] * 2, SMALL[1]))
    assert alike(one_brush(), bare) == alike(bare, large) == 0
    assert alike(one_brush(enabled=True, alpha=0.0), one_brush(alpha=0.0)) == 1
    assert alike(one_brush(), one_brush(alpha=0.0)) == 0


def test_what_never_changes_is_painted_now_and_then() -> None:
    still = one_brush()
    skips = Skips(lambda _: still, 0.98, 5)
    painted = [frame for frame in range(40) if not skips(frame)]
    assert painted == [*range(0, 40, MOST_SKIPPED + 1)]
    assert skips.shown(12) == skips.shown(11) == 11


@pytest.mark.parametrize(("threshold", "seed"), [(0.9, 1), (0.98, 2), (0.0, 3)])
def test_frames_are_skipped_by_the_published_rule(
    threshold: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frame after frame by hand, with similarities by chance."""
    levels = np.random.default_rng(seed).uniform(0.85, 1.0, 400)
    plans = [one_brush()] * 400
    numbers = iter(levels[1:])
    monkeypatch.setattr(similarity, "alike", lambda *_: next(numbers))
    skips = Skips(lambda frame: plans[frame], threshold, seed)
    told, values, shown = [skips.shown(frame) for frame in range(400)], iter(levels[1:]), [0]
    for frame in range(1, 400):
        if frame - shown[-1] > MOST_SKIPPED:
            shown.append(frame)
            continue
        chance = max(0.0, (next(values) - threshold) / (1 - threshold))
        skipped = uniform(seed, "similarity", frame) < chance
        shown.append(shown[-1] if skipped else frame)
    assert told == shown
    assert max(len([*run]) for _, run in groupby(told)) <= MOST_SKIPPED + 1


def test_half_the_threshold_away_half_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "alike", lambda *_: 0.99)
    still = one_brush()
    skips = Skips(lambda _: still, 0.98, 7)
    assert np.mean([skips(frame) for frame in range(2000)]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("run", [single, stream])
def test_skipped_frames_cost_no_call_and_the_others_are_as_ever(run: object) -> None:
    still, fake = one_brush(), FakeBackbone()
    all_of = [*run(lambda _: still, fake, 9)]  # type: ignore[operator]
    whole, fake.calls = fake.rows, []
    left = {1, 2, 5, 8}
    few = [*run(lambda _: still, fake, 9, skips=left.__contains__)]  # type: ignore[operator]
    assert [frame.index for frame in few] == [0, 3, 4, 6, 7]
    assert fake.rows * 9 == whole * 5
    assert all(frame.latents.allclose(all_of[frame.index].latents, atol=1e-5) for frame in few)
    assert [*run(lambda _: still, fake, 3, skips=lambda _: True)] == []  # type: ignore[operator]
