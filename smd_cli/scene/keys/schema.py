"""Which keys every section of a scene has, for hints: reading itself is done by those who ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from smd_cli.scene.text.nodes import Node

# Section, how a hint calls its inside, and its keys.
_SECTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "scene",
        "at the top level of the scene",
        "model size wrap seed frames defaults prompt background brushes sampler output",
    ),
    ("output", "under output:", "fps loop quality audio"),
    (
        "sampler",
        "under sampler:",
        "method preset steps timesteps mask_type cover bootstrap guidance noise preaverage windows "
        "blend_after noise_between refine similarity",
    ),
    ("bootstrap", "under sampler.bootstrap:", "steps mix leak"),
    ("guidance", "under sampler.guidance:", "type scale delta"),
    (
        "background",
        "under background:",
        "prompt negative image repeat fit profile color repaint caption_model",
    ),
    ("brush", "in a brush", "name prompt mask negative alpha blur strength repaint seed enabled"),
    ("defaults", "under defaults:", "negative alpha blur strength repaint"),
    ("prompt", "under prompt:", "prefix suffix"),
    (
        "mask",
        "in a mask",
        "image rect ellipse polygon invert channel layer color tolerance repeat fit at move scale "
        "turn",
    ),
    ("model", "under model:", "name revision transformer vae lora clip_skip config"),
    ("lora", "under model.lora:", "path weight revision"),
)
KEYS: Mapping[str, tuple[str, ...]] = {name: tuple(k.split()) for name, _, k in _SECTIONS}


def elsewhere(key: str, here: Collection[str]) -> str:
    """A hint: where in a scene a key belongs, other than in the section that has the keys `here`.

    An empty string for a key that no other section knows.
    """
    others = [(inside, keys.split()) for _, inside, keys in _SECTIONS]
    homes = [inside for inside, keys in others if key in keys and not {*here} <= {*keys}]
    if not homes:
        return ""
    *first, last = homes
    return f"{key} belongs {', '.join(first)}{' or ' if first else ''}{last}"


def short_form(node: Node, section: str) -> str | None:
    """The text of a key that takes a text or a mapping; None where it is a mapping.

    What was typed as an option is a mapping only in braces, or where it begins with a key that
    `section` has; ``a fox: running`` is a text.
    """
    if node.typed is None or not isinstance(node.value, Mapping):
        return node.text
    in_braces = node.typed.lstrip().startswith("{")
    return None if in_braces or next(iter(node.value), "") in KEYS[section] else node.typed
