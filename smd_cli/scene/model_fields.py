"""Reading which model a scene means, and what the model says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from smd_cli.errors import UsageError
from smd_cli.models import PRESETS, resolve_model
from smd_cli.scene.fields import phrase
from smd_cli.scene.model import ModelRef
from smd_cli.scene.nodes import Node
from smd_cli.scene.sections import Section, wrong

DEFAULT_MODEL = "starter"
NO_LORA = "lora is not supported yet"
_SINGLE_FILES = (".safetensors", ".ckpt")


@dataclass(frozen=True)
class ModelReader:
    """Reads ``model:``, a name or a mapping; relative paths start from `folder`."""

    folder: Path

    def __call__(self, node: Node) -> ModelRef:
        """The model that is meant."""
        if not isinstance(node.value, Mapping):
            return self._named(node)
        with Section(node, "the model") as keys:
            keys.refuse("lora", NO_LORA)
            ref = keys.need("name", self._named, ModelRef(""))
            revision = keys.get("revision", phrase, None)
            return replace(ref, revision=revision, vae=keys.get("vae", self._vae, None))

    def _named(self, node: Node) -> ModelRef:
        return self._resolved(node, "model", PRESETS, "model_index.json")

    def _vae(self, node: Node) -> ModelRef:
        return self._resolved(node, "vae", {}, "config.json")

    def _resolved(self, node: Node, what: str, presets: Mapping[str, Path], needs: str) -> ModelRef:
        name = phrase(node)
        if name.lower().endswith(_SINGLE_FILES):
            message = "single-file checkpoints are not supported yet; convert to a diffusers folder"
            raise wrong(node, message)
        try:
            ref = resolve_model(name, node.base or self.folder, presets=presets, what=what)
        except UsageError as error:
            raise wrong(node, error.message, error.hint) from None
        if ref.folder and name not in presets and not (ref.folder / needs).is_file():
            raise wrong(node, f"{name} is no {what} folder: it has no {needs}")
        return ref
