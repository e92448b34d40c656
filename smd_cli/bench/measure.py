"""One workload measured: ours and the plain baseline in turn, in one process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import torch

from smd_cli.backbone.memory import full_as_sentence
from smd_cli.bench.counting import Counter, Tally
from smd_cli.bench.figures import Effort, Figures, Ratio, Side, Taking
from smd_cli.bench.machine import Peak
from smd_cli.bench.options import OFF, OPTIONS, Setting
from smd_cli.bench.painters import Painter, Task, ours, plain
from smd_cli.bench.subject import Subject
from smd_cli.bench.workloads import Workload
from smd_cli.engine.contract import Backbone
from smd_cli.engine.planner import Planner

PUBLISHED = "fp32"


@dataclass(frozen=True, eq=False)
class _Contender:
    """One of those who paint: how, and as what it is known."""

    name: str
    painter: Painter
    setting: Setting


def measure(subject: Subject, workload: Workload, *, pairs: int, gains: bool) -> Figures:
    """Paint a workload by both sides `pairs` times, after once to warm up and to count.

    `gains`: and with each option alone. Raises SmdError for a model that cannot be loaded.
    """
    contenders = _contenders(subject, workload, gains)
    runs = [_Run(subject, workload, contender) for contender in contenders]
    hint = "try a smaller workload or model, or --low-memory"
    with full_as_sentence(f"bench {workload.name}", workload.size, hint):
        for run in runs:
            subject.reporter.note(f"{workload.name}: {run.contender.name}, to warm up")
            run.count()
        for pair in range(pairs):
            subject.reporter.note(f"{workload.name}: pair {pair + 1} of {pairs}")
            for run in runs if pair % 2 == 0 else reversed(runs):
                run.take()
        return _figures(subject, workload, runs, pairs)


def _contenders(subject: Subject, workload: Workload, gains: bool) -> list[_Contender]:
    """Ours first, then plain, then plain as published, then option by option.

    Of a workload that has a rival of its own, ours and that alone. A setting that is there already
    is not measured once more.
    """
    usual = Setting(subject.machine, (), workload.order)
    if workload.against:
        still = Setting(subject.machine, workload.against, workload.order)
        return [_Contender("smd", ours, usual), _Contender(workload.rival, ours, still)]
    exact = Setting(replace(subject.machine, dtype=PUBLISHED, compiled=False), (), workload.order)
    found = [_Contender("smd", ours, usual), _Contender("plain", plain, usual)]
    if exact != usual:
        found.append(_Contender("plain, published", plain, exact))
    if gains:
        off = OFF.on(usual)
        more = [(OFF.name, off), *((option.name, option.on(off)) for option in OPTIONS)]
        known = {usual}
        for name, setting in more:
            if setting not in known:
                found.append(_Contender(name, ours, setting))
                known.add(setting)
    return found


class _Run:
    """A contender at work on a workload."""

    def __init__(self, subject: Subject, workload: Workload, contender: _Contender) -> None:
        self._subject, self._workload = subject, workload
        self.contender = contender
        self.takings: list[Taking] = []
        self.effort = Effort(**asdict(Tally()), peak_bytes=None)
        self.slots = self.views = 0
        setting = contender.setting
        sheet = subject.sheet(workload, setting.changes)
        changed = (*setting.changes, workload.edit)
        edited = subject.sheet(workload, changed) if workload.edit else None
        self.task = Task(sheet, setting.order, workload.frames, edited)

    @property
    def backbone(self) -> Backbone:
        """The model as this contender has it."""
        return self._subject.backbone(self.task.sheet.scene.model, self.contender.setting.machine)

    def count(self) -> None:
        """Once, untimed: what is asked of the network, and what memory that takes."""
        plan = self.task.sheet.plan(Planner(self.backbone))
        self.slots, self.views = plan.table.slots, len(plan.weights)
        counter = Counter(self.backbone)
        pictures = self.contender.painter(self.task, counter.backbone)
        counter.forget()
        peak = Peak(self.backbone.device)
        for _ in pictures:
            pass
        self.effort = Effort(**asdict(counter.tally), peak_bytes=peak.bytes)

    def take(self) -> None:
        """Once more, with a clock."""
        pictures = self.contender.painter(self.task, self.backbone)
        began = time.perf_counter()
        times = [time.perf_counter() - began for _ in pictures]
        self.takings.append(taking(times, self.slots, self.task.order))

    def side(self) -> Side:
        """What came of it."""
        dtype = self.contender.setting.machine.dtype
        rate = self._subject.rate(dtype)
        name, frames = self.contender.name, self._workload.frames
        return Side.of(name, dtype, frames, self.takings, self.effort, rate)


def taking(times: Sequence[float], slots: int, order: str) -> Taking:
    """The figures of a run whose pictures came after so many seconds.

    Towards the end of a stream the pipe empties: its last T - 1 gaps are not those of a full one.
    """
    gaps = [late - early for early, late in itertools.pairwise(times)]
    full = gaps if order == "single" else gaps[: max(len(times) - slots, 0)]
    middle = sorted(full)[len(full) // 2] if full else None
    return Taking(times[-1], times[0], middle)


def _figures(subject: Subject, workload: Workload, runs: Sequence[_Run], pairs: int) -> Figures:
    smd, *others = runs
    rival = bool(workload.against)
    baselines = [run for run in others if rival or run.contender.painter is plain]
    options = [run for run in others if run not in baselines]
    sides = tuple(run.side() for run in runs)
    return Figures(
        workload=workload.name,
        model=subject.name,
        size=smd.task.sheet.painted.size,
        views=smd.views,
        slots=smd.slots,
        order=workload.order,
        device=subject.machine.device,
        threads=torch.get_num_threads(),
        pairs=pairs,
        matrix_rates={side.dtype: subject.rate(side.dtype) for side in sides},
        sides=sides,
        ratios=tuple(_ratio(smd, run) for run in baselines),
        gains=tuple(_gains(smd, options)),
    )


def _gains(smd: _Run, options: Sequence[_Run]) -> Iterator[Ratio]:
    """What each option does alone."""
    off = OFF.on(smd.contender.setting)
    for run in options:
        base = next(one for one in (smd, *options) if one.contender.setting == off)
        if run is not base:
            yield _ratio(run, base)


def _ratio(fast: _Run, slow: _Run) -> Ratio:
    pairs = [*zip(fast.takings, slow.takings, strict=True)]
    return Ratio.of(fast.contender.name, slow.contender.name, pairs)
