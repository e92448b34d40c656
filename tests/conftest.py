"""What many tests share: the golden folder, and the command line run in this process."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: each has one for itself
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background job has Ctrl-C ignored, and so has all that it starts: tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from smd_cli.__main__ import run
from smd_cli.models.ref import ModelRef

if TYPE_CHECKING:
    from smd_cli.engine.contract import Backbone

ROOT = Path(__file__).parent.parent
TINY = ROOT / "tests" / "golden" / "tiny-sd"
SLOW = ROOT / "tests" / "slow.txt"


@dataclass(frozen=True)
class Result:
    """What a command left behind: exit code and the two streams."""

    code: int
    out: str
    err: str


Smd = Callable[[Sequence[str]], Result]
Logged = list[logging.LogRecord]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those as slow that take more than half a second and have quicker ones beside them."""
    slow = {*SLOW.read_text(encoding="utf-8").splitlines()}
    for item in items:
        if item.nodeid in slow:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True, scope="module")
def _little_garbage() -> None:
    """Where garbage is looked for, as whenever a model leaves, it is among what is new since.

    To go through all modules, classes and tests to come takes a quarter of a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SMD_")]:
        if name != "SMD_GOLDEN_DIR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("SMD_PROMPT_CACHE", "off")


@pytest.fixture(autouse=True, scope="session")
def _single_precision() -> Iterator[None]:
    """Pictures are compared in fp32: no CPU says that it computes in bf16, though some would."""
    import torch

    known = getattr(torch.cpu, "get_capabilities", dict)

    def capabilities() -> dict[str, object]:
        return {name: has for name, has in known().items() if not name.endswith("_bf16")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", capabilities, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _lent_models() -> Iterator[None]:
    """Commands that paint with one of the two small models are lent one that is loaded already.

    That takes longer than a small picture does. All others, and whatever is loaded without a
    command, are loaded as ever.
    """
    from smd_cli.backbone.loading.load import load_backbone
    from smd_cli.models.facts import STARTER
    from smd_cli.work import render

    held: dict[tuple[Path, str, str], Backbone] = {}

    def lend(
        model: ModelRef,
        device: str = "auto",
        dtype: str = "auto",
        *,
        lost: Callable[[str], object] = str,
        low_memory: bool = False,
        compiled: bool = False,
    ) -> Backbone:
        folder = model.folder.resolve() if model.folder else Path()
        alone = model == ModelRef(model.name, model.folder)
        if folder not in (TINY, STARTER) or not alone or low_memory or compiled:
            how = {"low_memory": low_memory, "compiled": compiled}
            return load_backbone(model, device, dtype, lost=lost, **how)
        if (folder, device, dtype) not in held:
            held[folder, device, dtype] = load_backbone(model, device, dtype)
        return held[folder, device, dtype]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "load_backbone", lend)
        yield


class Kept(logging.Handler):
    """Keeps all that is logged."""

    def __init__(self, records: Logged) -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What is logged, also by those whose loggers hand nothing on.

    pytest's own `caplog` is off: it sits down at some sixty loggers, three times a test.
    """
    records: Logged = []
    handler = Kept(records)
    loggers = [logging.getLogger(name) for name in ("", "diffusers", "transformers", "peft")]
    for logger in loggers:
        logger.addHandler(handler)
    yield records
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture
def smd(capfd: pytest.CaptureFixture[str]) -> Smd:
    """Run `smd` with some arguments in this process."""

    def call(arguments: Sequence[str]) -> Result:
        capfd.readouterr()
        code = run(list(arguments))
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture(scope="session")
def tiny() -> Backbone:
    """The random SD 1 model of the golden folder, with its own autoencoder (an AutoencoderKL)."""
    from smd_cli.backbone.loading.load import load_backbone

    return load_backbone(ModelRef("tiny-sd", TINY), "cpu", "fp32")
