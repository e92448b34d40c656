"""The words that the JSON Schema is made of: numbers in a range, mappings, values at key frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from smd_cli.scene.track import Ease

Schema = dict[str, Any]


def mapping(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """A mapping of these keys and no other."""
    needs = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        **needs,
    }


def about(schema: Schema, text: str, **default: Any) -> Schema:
    """A key's schema with what it is for, and its default where it has one."""
    return {**schema, "description": text, **default}


def number(low: float, high: float | None = None) -> Schema:
    """A number in a range, both ends included."""
    return {"type": "number", "minimum": low} | ({} if high is None else {"maximum": high})


def integer(low: int, high: int) -> Schema:
    """A whole number in a range, both ends included."""
    return {"type": "integer", "minimum": low, "maximum": high}


def words(words: Sequence[str]) -> Schema:
    """One of some words."""
    return {"enum": list(words)}


def list_of(items: Schema, least: int, most: int) -> Schema:
    """A list of so many items."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def either(*schemas: Schema) -> Schema:
    """One of several schemas."""
    return {"anyOf": list(schemas)}


def keyed(schema: Schema) -> Schema:
    """One value, or one for every key frame, by the frame's number or its share of the film."""
    at_keys = {
        "type": "object",
        "properties": {"ease": about(words(get_args(Ease)), "Between keys.", default="linear")},
        "patternProperties": {r"^\d+(\.\d+)?\s*%?$": schema},
        "additionalProperties": False,
        "minProperties": 1,
    }
    return either(schema, at_keys)
