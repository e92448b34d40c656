"""Workloads measured on tiny models: what is asked of the network, and that both sides agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from dense import dense, weighed

from smd_cli.bench.figures import Figures
from smd_cli.bench.measure import measure, taking
from smd_cli.bench.options import OFF, OPTIONS, Option, Setting
from smd_cli.bench.painters import Pixels, Task, ours, plain
from smd_cli.bench.plain import compile_painting, stream
from smd_cli.bench.subject import Subject
from smd_cli.bench.workloads import WORKLOADS, Workload
from smd_cli.engine.planner import Planner
from smd_cli.engine.stream import single
from smd_cli.report.reporter import Reporter
from smd_cli.work.request import Machine

SMALL = (64, 64)
CELLS = 8 * 8
CPU = Machine("cpu", "fp32")


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(str(TINY), None, CPU, Reporter(quiet=True))


@pytest.fixture(autouse=True)
def _products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matrix products are measured elsewhere, and slow in a precision that the CPU imitates."""
    monkeypatch.setattr("smd_cli.bench.subject.matrix_rate", lambda *_: 1e9)


def small(name: str, **changes: Any) -> Workload:
    """A workload on a canvas so small that only hard masks act in every slot."""
    workload = WORKLOADS[name]
    brushes = tuple("{blur: 0, " + brush[1:] for brush in workload.brushes)
    return replace(workload, **{"size": SMALL, "brushes": brushes, **changes})


def measured(subject: Subject, workload: Workload, **options: Any) -> Figures:
    return measure(subject, workload, **{"pairs": 1, "gains": False, **options})


# Name, slots, frames, then calls and rows of ours and of the plain baseline.
COUNTS = [
    ("trio", 2, 3, (4, 3 * 2 * 4), (4, 4 * 2 * 4)),
    ("paper", 5, 1, (5, 5 * 3), (5, 5 * 5 * 3)),
    ("single", 3, 1, (3, 3 * 4), (3, 3 * 2 * 4)),
    ("edit", 3, 1, (3, 3 * 4), (3, 3 * 3 * 4)),
    ("turbo", 1, 2, (2, 2 * 4), (2, 2 * 4)),
    ("panorama", 2, 2, (4, 4), (4, 4 * 2)),
]


@pytest.mark.parametrize(
    ("name", "slots", "frames", "smd", "theirs"),
    [
        pytest.param(*case, id=case[0], marks=[pytest.mark.slow] * (case[0] in {"paper", "single"}))
        for case in COUNTS
    ],
)
def test_what_is_asked(
    subject: Subject,
    name: str,
    slots: int,
    frames: int,
    smd: tuple[int, int],
    theirs: tuple[int, int],
) -> None:
    figures = measured(subject, small(name, slots=slots, frames=frames))
    assert (figures.slots, figures.sides[0].frames) == (slots, frames)
    efforts = [side.effort for side in figures.sides]
    assert [side.name for side in figures.sides] == ["smd", "plain"]
    assert [(effort.calls, effort.rows) for effort in efforts] == [smd, theirs]
    assert [effort.cells for effort in efforts] == [CELLS * smd[1], CELLS * theirs[1]]
    assert figures.rows_skipped == theirs[1] - smd[1]
    assert figures.cells_skipped == CELLS * figures.rows_skipped
    a_row = efforts[0].flops / smd[1]
    assert a_row > 0
    assert efforts[1].flops == a_row * theirs[1]
    assert efforts[0].codec_flops == efforts[1].codec_flops
    assert [(ratio.fast, ratio.slow) for ratio in figures.ratios] == [("smd", "plain")]
    assert figures.gains == ()
    for side in figures.sides:
        done = side.effort.flops + side.effort.codec_flops
        assert side.share == done / side.seconds / 1e9


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_what_its_line_says(subject: Subject, name: str) -> None:
    workload = WORKLOADS[name]
    sheet = subject.sheet(workload, ())
    prompts = len(sheet.scene.active) + 1
    expected = {"paper": 3, "many": 17, "wide": 9, "panorama": 1}
    assert prompts == expected.get(name, 4)
    assert sheet.scene.background.prompt
    assert sheet.painted.size == workload.size
    assert sheet.scene.sampler.steps == (1 if name == "turbo" else 5)
    assert all(layer.paint.peak for layer in sheet.painted.brushes)
    assert len(workload.about) <= 64  # a line of the list


def test_the_many_brushes_lie_apart(subject: Subject) -> None:
    sheet = subject.sheet(WORKLOADS["many"], ())
    layers = [dense(layer.paint) for layer in sheet.painted.brushes]
    assert max(np.sum(layers, axis=0).flat) == 1
    for paint in layers:
        rows, columns = (paint.any(axis=axis).sum() for axis in (1, 0))
        assert (rows, columns) == (100, 100)


def test_an_edit_moves_a_mask_and_nothing_else(subject: Subject) -> None:
    workload = WORKLOADS["edit"]
    before, after = subject.sheet(workload, ()), subject.sheet(workload, (workload.edit,))
    moved = [
        layer.brush.name
        for layer, later in zip(before.painted.brushes, after.painted.brushes, strict=True)
        if not np.array_equal(dense(layer.paint), dense(later.paint))
    ]
    assert moved == ["fox"]


def test_moving_masks_are_held_against_the_same_film_with_standing_ones(subject: Subject) -> None:
    workload = small("moving", frames=3, slots=2)
    figures = measured(subject, workload, gains=True)
    assert [side.name for side in figures.sides] == ["smd", "standing masks"]
    assert [(ratio.fast, ratio.slow) for ratio in figures.ratios] == [("smd", "standing masks")]
    assert figures.gains == ()
    moving, standing = (side.effort for side in figures.sides)
    assert (moving.calls, moving.rows) == (standing.calls, standing.rows) == (4, 3 * 2 * 4)
    films = [subject.sheet(workload, changes) for changes in ((), workload.against)]
    assert [sheet.scene.moves for sheet in films] == [True, False]
    backbone = subject.backbone(films[0].scene.model, CPU)
    still, moved = ([*ours(Task(sheet, "single", 2), backbone)] for sheet in reversed(films))
    assert _apart(still[1], moved[1]) > 1
    assert _apart(still[0], moved[0]) > 1, "it begins elsewhere"


@pytest.mark.parametrize("mask_type", ["discrete", "continuous", "semi-continuous"])
def test_both_sides_paint_the_same_by_the_published_rules(subject: Subject, mask_type: str) -> None:
    """The engine's frames, one by one, against whole calls with all rows."""
    changes = ("sampler.preset=paper", f"sampler.mask_type={mask_type}", "sampler.steps=3")
    sheet = subject.sheet(small("trio"), changes)
    backbone = subject.backbone(sheet.scene.model, CPU)
    plan = sheet.plan(Planner(backbone))
    painting = compile_painting(sheet.scene, sheet.painted, backbone)
    frames = single(lambda _: plan, backbone, 2)
    for ours_, theirs in zip(frames, stream(lambda: painting, backbone, 2), strict=True):
        apart = (ours_.latents - theirs).abs().max() / theirs.std()
        assert float(apart) <= 1e-4


def test_both_sides_paint_the_same_with_the_same_weights(subject: Subject) -> None:
    """By our own mask rules, which differ from the published ones."""
    sheet = subject.sheet(small("trio"), ("sampler.steps=3",))
    backbone = subject.backbone(sheet.scene.model, CPU)
    plan = sheet.plan(Planner(backbone))
    [frame] = single(lambda _: plan, backbone, 1)
    near = compile_painting(sheet.scene, sheet.painted, backbone, weighed(plan.weights))
    far = compile_painting(sheet.scene, sheet.painted, backbone)
    apart = [
        float((next(stream(lambda p=p: p, backbone, 1)) - frame.latents).abs().max())  # type: ignore[misc]
        for p in (near, far)
    ]
    assert apart[0] <= 1e-4 * float(frame.latents.std())
    assert apart[1] > 1e-2


@pytest.mark.parametrize("order", ["stream", "single", "edit"])
def test_painters_give_the_same_pictures(subject: Subject, order: Any) -> None:
    """To a level of 255; after an edit that of the new scene."""
    changes = ("sampler.preset=paper", "sampler.steps=2", "sampler.noise=fixed")
    workload = small("edit" if order == "edit" else "trio")
    sheet = subject.sheet(workload, changes)
    edited = subject.sheet(workload, (*changes, WORKLOADS["edit"].edit))
    backbone = subject.backbone(sheet.scene.model, CPU)
    task = Task(sheet, order, 1 if order == "edit" else 2, edited)
    pictures = [[*paint(task, backbone)] for paint in (ours, plain)]
    assert [len(found) for found in pictures] == [task.frames] * 2
    for one, other in zip(*pictures, strict=True):
        assert one.shape == (64, 64, 3)
        assert _apart(one, other) <= 1
    if order == "edit":
        stale = [*ours(Task(sheet, "stream", 2), backbone)][1]
        assert _apart(stale, pictures[0][0]) > 1


def _apart(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


# Options


@pytest.mark.slow
def test_another_precision_is_held_against_the_published_one_too() -> None:
    subject = Subject(str(TINY), None, Machine("cpu", "bf16"), Reporter(quiet=True))
    figures = measured(subject, small("turbo", frames=1, brushes=()), gains=True)
    assert [(side.name, side.dtype) for side in figures.sides] == [
        ("smd", "bf16"),
        ("plain", "bf16"),
        ("plain, published", "fp32"),
        (OFF.name, "fp32"),
        ("windows", "fp32"),
        ("one row for all", "fp32"),
        ("bf16", "bf16"),
        ("one by one", "fp32"),
    ]
    assert [ratio.slow for ratio in figures.ratios] == ["plain", "plain, published"]
    names = [option.name for option in OPTIONS]
    assert [(gain.fast, gain.slow) for gain in figures.gains] == [(n, OFF.name) for n in names]
    assert {*figures.matrix_rates} == {"bf16", "fp32"}


def test_gains_are_held_against_ours_where_nothing_is_on(subject: Subject) -> None:
    figures = measured(subject, small("turbo", frames=1, brushes=()), gains=True)
    assert [(gain.fast, gain.slow) for gain in figures.gains] == [
        (option.name, OFF.name) for option in OPTIONS
    ]
    dtypes = ["fp32", "fp32", "fp32", "fp32", "fp32", "bf16", "fp32"]
    assert [side.dtype for side in figures.sides] == dtypes


def test_an_option_changes_scene_machine_and_order() -> None:
    usual = Setting(CPU, ("seed=2",), "stream")
    assert Option("x", ("sampler.cover=1",)).on(usual).changes == ("seed=2", "sampler.cover=1")
    assert Option("x", dtype="bf16").on(usual).machine == Machine("cpu", "bf16")
    assert Option("x", order="single").on(usual).order == "single"
    assert Option("x", order="single").on(replace(usual, order="edit")).order == "edit"


def test_an_option_may_change_the_scene(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A brush less is a row less; what turns it off again is not measured twice."""
    muted = Option("without the owl", ("brushes.3.enabled=false",))
    monkeypatch.setattr("smd_cli.bench.measure.OFF", Option("off"))
    monkeypatch.setattr("smd_cli.bench.measure.OPTIONS", (muted, muted))
    figures = measured(subject, small("turbo", frames=1), gains=True)
    assert [side.name for side in figures.sides] == ["smd", "plain", "without the owl"]
    assert [side.effort.rows for side in figures.sides] == [4, 4, 3]


# Figures of runs


@pytest.mark.parametrize(
    ("slots", "order", "frame_s"),
    [(1, "stream", 2.0), (3, "stream", 1.0), (4, "stream", None), (3, "single", 2.0)],
)
def test_the_gaps_of_an_emptying_pipe_do_not_count(
    slots: int, order: str, frame_s: float | None
) -> None:
    times = [5.0, 6.0, 8.0, 12.0] if slots != 3 or order == "single" else [5.0, 6.0, 6.5, 6.8]
    found = taking(times, slots, order)
    assert (found.first_s, found.seconds, found.frame_s) == (5.0, times[-1], frame_s)


def test_memory_that_is_full_is_a_sentence(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smd_cli.errors import SmdError

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("smd_cli.bench.measure.ours", full)
    with pytest.raises(SmdError, match="bench trio: out of memory at 64x64"):
        measured(subject, small("trio"))


def test_the_global_generator_is_left_alone(subject: Subject) -> None:
    before = torch.random.get_rng_state()
    measured(subject, small("turbo", frames=1, brushes=()))
    assert torch.equal(torch.random.get_rng_state(), before)
