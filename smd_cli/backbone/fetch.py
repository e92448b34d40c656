"""From a model's name to files here; the hub is asked for what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from smd_cli.checkpoints import refuse_pickle
from smd_cli.errors import SmdError
from smd_cli.scene.model import LoraRef, ModelRef

LORA_FILE = "pytorch_lora_weights.safetensors"
_WANTED = ("*.json", "*.txt", "*/model.safetensors", "*diffusion_pytorch_model.safetensors")


def model_folder(model: ModelRef) -> Path:
    """A model's folder: its own, or that in the hub cache, fetched where it is not there yet."""
    from huggingface_hub import snapshot_download

    if model.folder:
        return model.folder
    return _asked(
        f"model {model.hub_id}",
        lambda: snapshot_download(
            model.hub_id,
            revision=model.revision,
            allow_patterns=list(_WANTED),
            ignore_patterns=["safety_checker/*"],
        ),
    )


def lora_file(lora: LoraRef) -> Path:
    """A LoRA's safetensors file. Raises UsageError for a pickle file, SmdError where none is."""
    from huggingface_hub import hf_hub_download

    if lora.path is None:
        file = lora.file or LORA_FILE
        refuse_pickle(file)
        return _asked(
            f"LoRA {lora.name}", lambda: hf_hub_download(lora.name, file, revision=lora.revision)
        )
    refuse_pickle(lora.path)
    if lora.path.is_file():
        return lora.path
    found = sorted(lora.path.glob("*.safetensors"))
    usual = lora.path / LORA_FILE
    if usual in found or len(found) == 1:
        return usual if usual in found else found[0]
    raise SmdError(f"the folder {lora.name} holds {len(found)} LoRA files", "name one of its files")


def _asked(what: str, ask: Callable[[], str]) -> Path:
    """What the hub gives, as a path; one sentence where it gives nothing."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(ask())
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as missing:
        raise SmdError(
            f"cannot get the {what} from the Hugging Face hub",
            "check the name and the network, or give a local folder",
        ) from missing
