"""From a model's name to files here; the hub is asked for what is not."""

from __future__ import annotations

from pathlib import Path

from smd_cli.models import hub
from smd_cli.models.cache import lora_download, model_download, vae_download
from smd_cli.models.checkpoints import refuse_pickle
from smd_cli.models.lora_files import lora_in
from smd_cli.models.ref import LoraRef, ModelRef


def model_folder(model: ModelRef) -> Path:
    """A model's folder: its own, or that in the hub cache, fetched where it is not there yet."""
    return model.folder or hub.fetch(model_download(model))


def vae_folder(vae: ModelRef) -> Path:
    """An autoencoder's folder, as for a model."""
    return vae.folder or hub.fetch(vae_download(vae))


def lora_file(lora: LoraRef) -> Path:
    """A LoRA's safetensors file. Raises UsageError for a pickle file, SmdError where none is."""
    if lora.path is None:
        wanted = lora_download(lora)
        [file] = wanted.files or ()
        refuse_pickle(file)
        return hub.fetch(wanted) / file
    return lora_in(lora, lora.path)
