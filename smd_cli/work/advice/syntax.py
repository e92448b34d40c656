"""Prompt syntax of other programs, which smd takes as plain words, and what smd does instead.

AUTOMATIC1111's web UI, its Dynamic Prompts and Regional Prompter, ComfyUI, NovelAI, compel
(InvokeAI) and Midjourney all have some; smd reads `(words:1.2)` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from smd_cli.scene.prompts import ESCAPED, WEIGHTED

_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_MARKS = re.compile(r"[^\w\s,.'\"!?]|__|[A-Z]{3}|\.swap\(")
_LOOKED_AT = 10_000  # characters of a prompt
_OPTIONS = (
    "no|neg|negative|ar|aspect|w|h|width|height|v|version|niji|s|stylize|style|q|quality|c|chaos|"
    "seed|steps|cfg|scale|weird|iw|sref|cref|sw|cw|tile|stop|hd|raw|repeat|r|p|profile|fast|turbo|"
    "relax|test|testp"
)
_WEIGHS = "only (words:1.2) weighs words"
_EACH_A_BRUSH = "give each part a brush of its own"
_ONE = "write one of them; --set brushes.NAME.prompt=... takes another from run to run"

# What it looks like, why it is no more than words, and what to do. The first to match a text takes
# it from the others. Every pattern looks a bounded way ahead, or to the next bracket; they are
# compiled only for prompts that have any mark.
_KINDS = (
    (
        r"<(?:lora|lyco|loha|locon):[^<>]*>?",
        "a prompt loads no LoRA",
        "model: {name: ..., lora: [{path: FILE, weight: 0.8}]} gives it to the whole picture",
    ),
    (r"<hypernet:[^<>]*>?", "smd has no hypernetworks", "leave it out"),
    (
        r"<[^<>\s][^<>]*>|\bembedding:[\w./-]+",
        "smd has no embeddings (textual inversion)",
        "leave it out",
    ),
    (r"__[\w./*-]+?__", "smd has no wildcards", _ONE),
    (
        rf"\[[^\[\]]*:\s*{_NUMBER}\s*\]",
        "the words stay the same in all slots",
        "write the words that are meant, without [ ]",
    ),
    (r"\[[^\[\]]*\|[^\[\]]*\]", "words do not take turns from slot to slot", _ONE),
    (r"\{[^{}]*\|[^{}]*\}|\{[^{}]*\$\$[^{}]*\}", "smd chooses no words", _ONE),
    (
        r"\(\s*\([^()]*\)\s*\)|\[\s*\[[^\[\]]*\]\s*\]|\{\s*\{[^{}]*\}\s*\}",
        _WEIGHS,
        "write one pair of round brackets and a number, as in (words:1.2)",
    ),
    (
        r"(?:\([^()]*\)(?:\++|--+)|\b(?![cCgG]\+\+)[^\W\d_]\w{0,40}(?:\+{2,}|-{2,}))(?=[\s,.;)]|$)"
        r"|\([^()]*\)\d*\.\d+",
        _WEIGHS,
        "write (words:1.2)",
    ),
    (
        r"\(?[^\s():][^():]{0,80}:\s*[-+]?\d[\d.,]*\s*\)",
        _WEIGHS,
        "a weight is a number such as 1.2, with a bracket on either side and none between",
    ),
    (
        rf"\((?=[^()]*(?:\(|$))[^()]*?:\s*{_NUMBER}",
        "its bracket is not closed",
        "write (words:1.2)",
    ),
    (rf"(?:\b[^\W_]\w{{0,40}}|\))\s?::\s*-?(?:{_NUMBER})?", _WEIGHS, "write (words:1.2)"),
    (r"(?:\b[^\W\d_][\w-]{0,40}|\)):\d*\.\d+(?![\d:])", _WEIGHS, "write (words:1.2)"),
    (
        rf"(?<!\S)(?:--|—)(?:{_OPTIONS})\b[^-—]*",
        "a prompt has no options",
        "negative:, size:, seed: and sampler: are keys of the scene file",
    ),
    (r"\)\.(?:and|blend|swap)\(|\.swap\(", "prompts are not mixed", _EACH_A_BRUSH),
)
_CAPITALS = (
    (r"\b(?:BREAK|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b", "a prompt is not cut in parts"),
    (r"\bAND\b", "prompts are not added up"),
)


@dataclass(frozen=True)
class Foreign:
    """Words at `start` of a prompt that other programs read as more than `words`."""

    start: int
    words: str
    reason: str
    hint: str


def foreign_syntax(prompt: str) -> Iterator[Foreign]:
    """What a prompt holds of other programs' syntax: the first of each kind."""
    text = _without_own(prompt[:_LOOKED_AT])
    if not _MARKS.search(text):
        return
    for pattern, reason, hint in _KINDS:
        found = re.search(pattern, text)
        if found:
            yield Foreign(found.start(), prompt[found.start() : found.end()].strip(), reason, hint)
        text = re.sub(pattern, lambda m: " " * len(m[0]), text)
    if text.upper() == text:  # a prompt all in capitals shouts, and means nothing by it
        return
    for pattern, reason in _CAPITALS:
        found = re.search(pattern, text)
        if found:
            yield Foreign(found.start(), found[0], reason, _EACH_A_BRUSH)


def _without_own(prompt: str) -> str:
    """A prompt of the same length without what smd reads: escaped brackets, weights' numbers."""

    def unweighted(found: re.Match[str]) -> str:
        return "(" + found[1] + " " * (len(found[0]) - len(found[1]) - 2) + ")"

    return ESCAPED.sub("  ", WEIGHTED.sub(unweighted, prompt))
