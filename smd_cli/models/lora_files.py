"""LoRA files: where they are, and whether one can belong to a model, from its header alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from smd_cli.errors import SmdError, UsageError
from smd_cli.models.cache import LORA_FILES, complete, lora_download
from smd_cli.models.checkpoints import (
    Shapes,
    described,
    is_lora,
    read_shapes,
    refuse_pickle,
    width_in,
)
from smd_cli.models.ref import LoraRef

_NOT_PLAIN = {"dora_scale": "DoRA", "hada_w1": "LoHa", "lokr_w1": "LoKr", "oft_": "OFT"}
_FAMILY_HINT = (
    "a LoRA works with the family that it was trained on, such as Stable Diffusion 1 or XL"
)
# How the names of layers begin in LoRAs by the denoiser that they are for, so far as they tell.
# kohya's tools write lora_unet_ for all of them, and then the blocks of the network.
_MADE_FOR = {
    "transformer": (
        *("transformer.", "lora_transformer_", "base_model.model.transformer"),
        *(f"lora_unet_{part}_blocks_" for part in ("double", "single", "joint")),
    ),
    "unet": (
        "unet.",
        *(f"lora_unet_{part}" for part in ("down_", "mid_", "up_", "input_", "middle_", "output_")),
    ),
}
_FROM_TEXT = re.compile(r"attn2[._](processor\.)?to_[kv]")  # layers that take the prompt
_DOWN = (".lora_A.weight", ".lora_down.weight", ".lora.down.weight", "_lora.down.weight")


def no_loras(model: str, reason: str) -> UsageError:
    """The error of any LoRA beside a model whose family takes none, and why."""
    return UsageError(
        f"the model {model} takes no lora: {reason}",
        "a preset such as sd15, or a model of your own, takes one",
    )


def refuse_lora(lora: LoraRef, model: str, text_width: int | None, denoiser: str) -> None:
    """Raise UsageError for a LoRA that cannot belong to a model with such a `denoiser`, the name of
    that part, which takes texts of this width.

    One of the hub that is not here yet is passed over. Raises SmdError for a folder of several.
    """
    file = _file_here(lora)
    if file is None:
        return
    shapes = read_shapes(file)
    if not is_lora(shapes):
        raise UsageError(f"{lora.name} is {described(shapes) or 'no LoRA'}")
    refuse_relatives(lora.name, shapes)
    foreign = tuple(sign for part, signs in _MADE_FOR.items() if part != denoiser for sign in signs)
    others = any(name.startswith(foreign) for name in shapes)
    if others or (text_width is not None and {*_text_widths(shapes)} - {text_width}):
        raise misfit(lora.name, model)


def refuse_relatives(name: str, shapes: Shapes) -> None:
    """Raise UsageError for relatives of LoRA, of which a part would be left out."""
    for sign, kind in _NOT_PLAIN.items():
        if any(sign in weight for weight in shapes):
            raise UsageError(f"the lora {name} is a {kind}, which is not supported")


def misfit(name: str, model: str) -> UsageError:
    """The error of a LoRA whose layers are not those of a model."""
    return UsageError(
        f"the lora {name} does not fit the model {model}: its layers are those of another model",
        _FAMILY_HINT,
    )


def lora_in(lora: LoraRef, path: Path) -> Path:
    """The safetensors file of a LoRA that lies here. Raises UsageError for a pickle, SmdError."""
    refuse_pickle(path)
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.safetensors"))
    usual = path / LORA_FILES[0]
    if usual in found or len(found) == 1:
        return usual if usual in found else found[0]
    hint = "name one of its files" if found else ""
    raise SmdError(f"the folder {lora.name} holds {len(found)} LoRA files", hint)


def _file_here(lora: LoraRef) -> Path | None:
    """A LoRA's file; None where it is one of the hub that is not here."""
    if lora.path is not None:
        return lora_in(lora, lora.path)
    wanted = lora_download(lora)
    folder = complete(wanted)
    return folder / wanted.files[0] if folder and wanted.files else None


def _text_widths(shapes: Shapes) -> Iterator[int]:
    """How wide the text is that a LoRA's layers take."""
    for name, shape in shapes.items():
        if name.endswith(_DOWN) and _FROM_TEXT.search(name):
            yield width_in(shape)
