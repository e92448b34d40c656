"""CLIP's tokenizer from merge rules that come with smd, for checkpoints that bring none.

Byte pair encoding over GPT-2's byte alphabet: each byte has a printable character, alone and at the
end of a word; then come the merges in order, then the two marks.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smd_cli.models.checkpoints import LAYOUTS
from smd_cli.models.families.unets import CLIP_END

START = "<|startoftext|>"
MAX_TOKENS = 77
_WORD_END = "</w>"


def clip_tokenizer(pad: str = CLIP_END) -> Any:
    """CLIP's tokenizer of 49408 tokens; `pad` fills prompts up (SDXL's second one pads with !)."""
    from transformers import CLIPTokenizer

    with gzip.open(LAYOUTS / "clip" / "merges.txt.gz", "rt", encoding="utf-8") as file:
        merges = file.read().split("\n")[:-1]
    config = {"bos_token": START, "eos_token": CLIP_END, "unk_token": CLIP_END, "pad_token": pad}
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocab.json").write_text(json.dumps(_numbers(merges)), encoding="utf-8")
        text = "\n".join(["#version: 0.2", *merges, ""])
        (folder / "merges.txt").write_text(text, encoding="utf-8")
        said = {**config, "tokenizer_class": "CLIPTokenizer", "model_max_length": MAX_TOKENS}
        (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _numbers(merges: list[str]) -> dict[str, int]:
    """Every token's number."""
    letters = _alphabet()
    ends = [letter + _WORD_END for letter in letters]
    joined = [merge.replace(" ", "") for merge in merges]
    return {
        token: number for number, token in enumerate([*letters, *ends, *joined, START, CLIP_END])
    }


def _alphabet() -> list[str]:
    """A character for each byte: itself where it prints, else one from 256 on."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = 256 - len(shown)
    return [*map(chr, shown), *(chr(256 + n) for n in range(hidden))]
