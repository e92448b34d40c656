"""Captioning models of transformers: a picture in, a sentence out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from smd_cli.backbone.loading.load import pick_device
from smd_cli.backbone.memory import is_full, release
from smd_cli.backbone.quiet import quiet
from smd_cli.errors import SmdError
from smd_cli.models import hub
from smd_cli.models.captioner import captioner_downloads
from smd_cli.models.ref import ModelRef

_MOST_TOKENS = 50
_BEAMS = 3  # as BLIP's own evaluation decodes (arXiv 2201.12086)


def caption(model: ModelRef, picture: npt.NDArray[np.uint8], device: str = "auto") -> str:
    """What a picture (H, W, 3) of 0..255 shows, by a model that is loaded for it and then leaves.

    Decoded by beams, without chance. Raises SmdError where the model cannot be had or read, where
    it is of another kind, and where it says nothing.
    """
    where = pick_device(device)
    wanted = captioner_downloads(model)
    folder = hub.fetch(wanted[0]) if wanted else model.folder
    assert folder is not None
    try:
        with quiet():
            told = _told(folder, Image.fromarray(picture), where)
    except Exception as broken:  # the loaders raise all kinds for a broken folder
        if is_full(broken):
            raise SmdError(
                f"the captioning model {model.name} does not fit into the memory of {where}",
                "write background.prompt, or try --device cpu",
            ) from broken
        reason = " ".join(str(broken).split()).split(". ")[0]
        raise SmdError(
            f"the captioning model {model.name} cannot be used: {reason}",
            "caption_model: names another image-to-text model of transformers",
        ) from broken
    finally:
        release(where)
    if not told:
        raise SmdError(
            f"the captioning model {model.name} has no words for the picture",
            "write background.prompt, or name another caption_model",
        )
    return told


def _told(folder: Path, picture: Image.Image, device: torch.device) -> str:
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    here = {"local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(folder, **here)
    processor = AutoImageProcessor.from_pretrained(folder, **here)
    model, info = AutoModelForImageTextToText.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **here
    )
    if info["missing_keys"]:
        raise ValueError(f"it lacks weights, such as {min(info['missing_keys'])}")
    seen = processor(images=picture, return_tensors="pt")["pixel_values"].to(device)
    with torch.inference_mode():
        tokens = (
            model.eval()
            .to(device)
            .generate(
                pixel_values=seen, do_sample=False, num_beams=_BEAMS, max_new_tokens=_MOST_TOKENS
            )
        )
    return " ".join(str(tokenizer.decode(tokens[0], skip_special_tokens=True)).split())
