"""JSON Schema of colours, and of which part of an image file a mask takes."""

from __future__ import annotations

from typing import Any

from PIL import ImageColor

from smd_cli.scene.types import ImageMask

Schema = dict[str, Any]

COLOR: Schema = {
    "anyOf": [
        {"type": "string", "pattern": "^#?[0-9a-fA-F]{6}$"},
        {"type": "string", "pattern": f"^(?:{'|'.join(ImageColor.colormap)})$"},
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 255},
            "minItems": 3,
            "maxItems": 3,
        },
    ]
}

PARTS: dict[str, Schema] = {
    "layer": {
        "type": "string",
        "pattern": r"\S",
        "description": "Which layer of a document, by its name, with those of its groups or "
        "without. Default: the picture that all of them make.",
    },
    "color": {
        **COLOR,
        "description": "Where the image has this colour: a CSS name, #rrggbb or "
        "[red, green, blue]. Default: a channel is paint.",
    },
    "tolerance": {
        "type": "integer",
        "minimum": 0,
        "maximum": 255,
        "description": "How many levels of 255 a channel of that colour may be off.",
        "default": ImageMask.tolerance,
    },
}
"""Keys of a mask that is an image."""

RULES: Schema = {
    "not": {"anyOf": [{"required": ["fit", "at"]}, {"required": ["channel", "color"]}]},
    "dependencies": {"tolerance": ["color"]},
}
"""How keys of a mask that is an image go together."""
