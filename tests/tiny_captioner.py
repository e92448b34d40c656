"""A captioning model of the real classes, tiny and of random weights, in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
WORDS += ["a", "fox", "owl", "on", "under", "the", "sea", "red", "blue", "tree"]
SIDE_PX = 32


def write_captioner(folder: Path, seed: int = 6) -> Path:
    """A BLIP as the hub has them: what its image processor does stands in a file of its own."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

    layers = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    text = {"vocab_size": len(WORDS), "encoder_hidden_size": 16, "max_position_embeddings": 64}
    special = {"pad_token_id": 0, "sep_token_id": 3, "eos_token_id": 3, "bos_token_id": 5}
    config = BlipConfig(
        text_config={**layers, **text, **special, "num_attention_heads": 2},
        vision_config={
            **layers,
            "num_attention_heads": 2,
            "image_size": SIDE_PX,
            "patch_size": 8,
        },
        projection_dim=16,
    )
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    model = BlipForConditionalGeneration(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:  # norms stay as they are
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.6)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), bos_token="[DEC]")
    tokenizer.save_pretrained(folder)
    size = {"height": SIDE_PX, "width": SIDE_PX}
    processor = {"image_processor_type": "BlipImageProcessor", "size": size, "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder
