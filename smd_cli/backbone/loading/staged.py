"""Models whose text encoders are large: what is loaded when, and what is known before that."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smd_cli import __version__
from smd_cli.backbone.compiling import compile_blocks
from smd_cli.backbone.loading import files
from smd_cli.backbone.loading.failures import loading
from smd_cli.backbone.loading.lora import fuse_loras
from smd_cli.backbone.memory import Places
from smd_cli.backbone.prompt_store import PromptStore
from smd_cli.backbone.stages import Readers, Stages
from smd_cli.models.configs import json_of
from smd_cli.models.families import Family
from smd_cli.models.fingerprint import fingerprint
from smd_cli.models.prompt_cache import prompt_cache
from smd_cli.models.ref import ModelRef


@dataclass(frozen=True, eq=False)
class Coming:
    """The readers and the network of a model in a `folder`, of which nothing is loaded yet.

    `vae`: its autoencoder, which is here; `places`: where all of them work; `lost` hears why what
    the text encoders read cannot be kept.
    """

    model: ModelRef
    folder: Path
    family: Family
    vae: Any
    dtype: torch.dtype
    device: torch.device
    places: Places
    low_memory: bool
    compiled: bool
    lost: Callable[[str], object]

    def stages(self) -> Stages:
        """One after the other."""
        return Stages(self.config, self._readers, self._network, self.places)

    def prompts(self) -> PromptStore:
        """What this model's text encoders have read, by all that this depends on."""
        folder = prompt_cache()
        return PromptStore(folder, self._identity() if folder else "", lost=self.lost)

    @property
    def config(self) -> Mapping[str, Any]:
        """That of the network, with its class' own values where it says nothing."""
        return network_config(self.family, self.folder)

    def _readers(self) -> Readers:
        with loading(self.model.name, self.device):
            encoders = files.load_encoders(self.family, self.folder, self.dtype)
            self.places.put(*encoders.values())
            tokenizers = files.load_tokenizers(self.folder, self.family)
            return readers_in(self.family, {**encoders, **tokenizers})

    def _network(self) -> Any:
        part = self.family.denoiser
        with loading(self.model.name, self.device):
            network = files.load_denoiser(self.model, self.family, self.folder, self.dtype)
            if not self.low_memory:  # fusing is quicker there
                network.to(self.device)
            modules = {part.name: network, self.family.autoencoder.name: self.vae}
            fuse_loras(self.model, self.family, modules)
            self.places.put(network)
            if self.compiled:
                compile_blocks(network, self.device, stays=not self.low_memory)
            return network

    def _identity(self) -> str:
        """The files of the readers, what runs them, and what of the network they are told."""
        family = self.family
        parts = [self.folder / part.name for part in (*family.encoders, *family.tokenizers)]
        told = sorted((k, str(v)) for k, v in self.config.items() if not k.startswith("_"))
        return "\n".join(
            (
                *(__version__, torch.__version__, *files.library_versions()),
                *(family.name, str(self.dtype), _described(self.device), str(told)),
                fingerprint(part for part in parts if part.is_dir()),
            )
        )


def network_config(family: Family, folder: Path) -> Mapping[str, Any]:
    """The config of a model's network, with its class' own values where it says nothing."""
    part = family.denoiser
    stated = json_of(folder / part.name / "config.json", str(folder))
    known = inspect.signature(files.named(part.loader(stated)).__init__).parameters.values()
    usual = {one.name: one.default for one in known if one.default is not one.empty}
    return {**usual, **stated}


def readers_in(family: Family, modules: Mapping[str, Any]) -> Readers:
    """A model's text encoders and tokenizers, None for those that it does without."""
    encoders = tuple(modules.get(part.name) for part in family.encoders)
    return encoders, tuple(modules.get(part.name) for part in family.tokenizers)


def _described(device: torch.device) -> str:
    """What computes: other chips round otherwise."""
    if device.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(device)}"
    kind = torch.backends.cpu.get_cpu_capability()
    return f"{device.type} {platform.machine()} {kind}"
