"""The model that is measured, once for each precision, and what the machine makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from smd_cli.backbone.loading.load import DTYPES, pick_device, pick_dtype
from smd_cli.bench.architectures import random_backbone
from smd_cli.bench.machine import matrix_rate
from smd_cli.bench.painters import Sheet
from smd_cli.bench.workloads import ARCHITECTURES, Workload
from smd_cli.engine.contract import Backbone
from smd_cli.models.ref import ModelRef
from smd_cli.report.reporter import Reporter
from smd_cli.scene.overrides import Override
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene
from smd_cli.scene.types import SceneFile
from smd_cli.work.render import ModelHolder
from smd_cli.work.request import Machine, Request, informed, load


class Subject:
    """A model, loaded for every precision that is asked for, and kept.

    `model` is a name as scenes have it; `arch` one of ARCHITECTURES instead, with random weights.
    """

    def __init__(self, model: str, arch: str | None, machine: Machine, reporter: Reporter) -> None:
        self.reporter = reporter
        self.name = arch or model
        self.machine = self.resolved(machine)
        self._model, self._arch = model, arch
        self._models: dict[Machine, ModelHolder] = {}
        self._random: dict[Machine, Backbone] = {}
        self._rates: dict[str, float] = {}

    @staticmethod
    def resolved(machine: Machine) -> Machine:
        """The same with device and precision by name, none of them auto. Raises UsageError."""
        device = pick_device(machine.device)
        dtype = pick_dtype(machine.dtype, device)
        name = next(name for name, one in DTYPES.items() if one == dtype)
        return replace(machine, device=str(device), dtype=name)

    def backbone(self, model: ModelRef, machine: Machine) -> Backbone:
        """The model on this machine, loaded where it is not yet. Raises SmdError."""
        if self._arch is None:
            models = self._models.setdefault(machine, ModelHolder(machine, self.reporter))
            return models.get(model)
        if machine not in self._random:
            where, precision = torch.device(machine.device), DTYPES[machine.dtype]
            with self.reporter.loading(self._arch):
                low, compiled = machine.low_memory, machine.compiled
                made = random_backbone(self._arch, where, precision, low=low, compiled=compiled)
            self._random[machine] = made
        return self._random[machine]

    def rate(self, dtype: str) -> float:
        """Operations a second of matrix products in a precision, measured when first asked for."""
        if dtype not in self._rates:
            device = torch.device(self.machine.device)
            self._rates[dtype] = matrix_rate(device, DTYPES[dtype])
        return self._rates[dtype]

    def sheet(self, workload: Workload, changes: Sequence[str]) -> Sheet:
        """The workload's scene with changes (KEY=VALUE), painted. Raises SceneError."""
        parts = (change.partition("=") for change in changes)
        overrides = [Override(key, value, f"bench {key}", Path()) for key, _, value in parts]
        file = self._file(workload, overrides)
        return Sheet(file.scene, paint_scene(file))

    def _file(self, workload: Workload, overrides: Sequence[Override]) -> SceneFile:
        if self._arch is not None:  # its folder holds configs, but no weights
            return load_scene(workload.source(str(ARCHITECTURES[self._arch])), overrides)
        request = Request([workload.name], overrides=overrides)
        return informed(load(workload.source(self._model), request), request)
