"""The one syntax that prompts have: `(words:1.2)` weighs words, `\\(` is a bracket.

Any other character is text. Without torch: the models read prompts by it, and `smd check` warns of
what it leaves unread.
"""

from __future__ import annotations

import re

WEIGHTED = re.compile(r"(?<!\\)\(((?:\\[()]|[^()])+?):\s*(\d+\.?\d*|\.\d+)\s*\)")
ESCAPED = re.compile(r"\\([()])")


def weighted_spans(prompt: str) -> list[tuple[str, float]]:
    """A prompt as pieces of text with their weights, in order; weight 1 is plain text."""
    spans: list[tuple[str, float]] = []
    end = 0
    for found in WEIGHTED.finditer(prompt):
        spans += [(prompt[end : found.start()], 1.0), (found[1], float(found[2]))]
        end = found.end()
    spans.append((prompt[end:], 1.0))
    return [(ESCAPED.sub(r"\1", text), weight) for text, weight in spans if text]
