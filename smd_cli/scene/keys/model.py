"""Reading which model a scene means, with what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from smd_cli.errors import SceneError, UsageError
from smd_cli.models.cache import LORA_FILES
from smd_cli.models.captioner import DEFAULT_CAPTIONER
from smd_cli.models.checkpoints import class_name
from smd_cli.models.facts import PRESETS, resolve_lora, resolve_model
from smd_cli.models.families import supported
from smd_cli.models.presets import ModelPreset
from smd_cli.models.ref import LoraRef, ModelRef
from smd_cli.scene.keys.fields import integer, number, phrase, refuse_address
from smd_cli.scene.keys.schema import short_form
from smd_cli.scene.keys.sections import Notes, Section, reject, wrong
from smd_cli.scene.text.nodes import Node

T = TypeVar("T")

DEFAULT_MODEL = "starter"
NO_BRUSH_LORA = "a brush has no lora of its own: all brushes share one model, whose loras are fused"
BRUSH_LORA_HINT = "model: {name: ..., lora: [...]} gives it to the whole picture"
MAX_LORAS = 100
MAX_LORA_WEIGHT = 10
MAX_CLIP_SKIP = 11  # of the 12 layers of CLIP's text encoder


@dataclass(frozen=True)
class ModelReader:
    """Reads ``model:``, a name or a mapping; relative paths start from `folder`."""

    folder: Path

    def __call__(self, node: Node) -> ModelRef:
        """The model that is meant."""
        if short_form(node, "model") is not None or not isinstance(node.value, Mapping):
            return self._named(node)
        with Section(node, "the model") as keys:
            ref = keys.need("name", self._named, ModelRef(""))
            return replace(
                ref,
                revision=keys.get("revision", phrase, ref.revision),
                vae=keys.get("vae", self._vae, ref.vae),
                transformer=keys.get(
                    "transformer", lambda node: self._transformer(node, ref), None
                ),
                loras=(*ref.loras, *keys.get("lora", self._loras, ())),
                clip_skip=keys.get("clip_skip", integer(0, MAX_CLIP_SKIP), 0),
                config=keys.get("config", lambda node: self._config(node, ref), None),
            )

    def _base(self, node: Node) -> Path:
        """The folder that relative paths in a node start from."""
        return self.folder if node.base is None else node.base

    def _named(self, node: Node) -> ModelRef:
        return self._resolved(node, "model", PRESETS, "model_index.json")

    def captioner(self, node: Node) -> ModelRef:
        """The captioning model that is meant: a hub id, or a folder as transformers writes it."""
        ref = self._resolved(node, "captioning model", {}, "config.json")
        if ref.file:
            raise wrong(
                node, f"a captioning model is a folder or a hub id, not the file {ref.name}"
            )
        return DEFAULT_CAPTIONER if ref == ModelRef(DEFAULT_CAPTIONER.name) else ref

    def _vae(self, node: Node) -> ModelRef:
        return self._resolved(node, "vae", {}, "config.json")

    def _transformer(self, node: Node, model: ModelRef) -> Path:
        """The file with the transformer that paints in the place of the model's own."""
        if model.file:
            raise wrong(
                node,
                f"a transformer goes beside a whole model, and {model.name} is a single file",
                "name: is the preset, folder or hub id with its text encoders and autoencoder",
            )
        named = Path(node.value) if isinstance(node.value, str) else Path()
        other = (self._base(node) / named).is_dir() or not named.suffix
        file = None if other else self._resolved(node, "transformer", {}, "config.json").file
        if file is None:
            raise wrong(
                node,
                "transformer must be a .safetensors file here",
                "a folder or a hub id is named as the model itself",
            )
        return file

    def _config(self, node: Node, model: ModelRef) -> Path:
        """The model folder that a single file takes its configs and tokenizers from."""
        if model.name and not model.file:
            raise wrong(node, "config goes with a single .safetensors file; this model has its own")
        folder = self._resolved(node, "config", {}, "model_index.json").folder
        if folder is None:
            raise wrong(node, "config must be a model folder here")
        return folder

    def _loras(self, node: Node) -> tuple[LoraRef, ...]:
        """One LoRA, or a list of them."""
        items = node.items if isinstance(node.value, tuple) else (node,)
        if len(items) > MAX_LORAS:
            reject(node, f"a list of at most {MAX_LORAS} loras")
        with Notes() as notes:
            return notes.each(items, self._lora)

    def _lora(self, node: Node) -> LoraRef:
        if short_form(node, "lora") is not None or not isinstance(node.value, Mapping):
            return self._lora_named(node)
        with Section(node, "the lora") as keys:
            ref = keys.need("path", self._lora_named, LoraRef(""))
            limits = number(-MAX_LORA_WEIGHT, MAX_LORA_WEIGHT)
            return replace(
                ref,
                weight=keys.get("weight", limits, 1.0),
                revision=keys.get("revision", phrase, None),
            )

    def _lora_named(self, node: Node) -> LoraRef:
        return _placed(node, lambda name: resolve_lora(name, self._base(node)))

    def _resolved(
        self, node: Node, what: str, presets: Mapping[str, ModelPreset], needs: str
    ) -> ModelRef:
        base = self._base(node)
        ref = _placed(node, lambda name: resolve_model(name, base, presets=presets, what=what))
        if ref.folder and ref.name not in presets and not (ref.folder / needs).is_file():
            other = class_name(ref.folder)
            if other:
                raise wrong(node, f"{ref.name} is a {other}, which is no whole model", supported())
            lora = any((ref.folder / name).is_file() for name in LORA_FILES)
            hint = "it holds a LoRA, which goes under lora:" if lora else ""
            raise wrong(node, f"{ref.name} is no {what} folder: it has no {needs}", hint)
        return ref


def _placed(node: Node, resolve: Callable[[str], T]) -> T:
    """What a name means; where it means nothing, that is said at its place."""
    name = phrase(node)
    refuse_address(node, name)
    try:
        return resolve(name)
    except UsageError as error:
        if isinstance(error, SceneError):
            raise
        raise wrong(node, error.message, error.hint) from None
