"""The options that make painting faster, as data: what each changes of scene, machine or order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from smd_cli.bench.workloads import Order
from smd_cli.work.request import Machine


@dataclass(frozen=True)
class Setting:
    """How a workload is painted: where, with which changes (KEY=VALUE) of its scene, in order."""

    machine: Machine
    changes: tuple[str, ...]
    order: Order


@dataclass(frozen=True)
class Option:
    """One way to be faster. `order` concerns streams alone; what is None stays as it is."""

    name: str
    changes: tuple[str, ...] = ()
    dtype: str | None = None
    order: Order | None = None
    compiled: bool | None = None

    def on(self, setting: Setting) -> Setting:
        """The setting with this option laid over it."""
        machine = setting.machine
        compiled = machine.compiled if self.compiled is None else self.compiled
        return Setting(
            replace(machine, dtype=self.dtype or machine.dtype, compiled=compiled),
            (*setting.changes, *self.changes),
            self.order if self.order and setting.order == "stream" else setting.order,
        )


OFF = Option(
    "smd, all options off",
    ("sampler.windows=off", "sampler.blend_after=never"),
    dtype="fp32",
    compiled=False,
)
"""Takes back what the options below do, where that is not how things are without them."""

OPTIONS = (
    Option("windows", ("sampler.windows=auto",)),
    Option("one row for all", ("sampler.blend_after=bootstrap",)),
    Option("bf16", dtype="bf16"),
    Option("one by one", order="single"),
)
"""Each is measured alone, against OFF."""
