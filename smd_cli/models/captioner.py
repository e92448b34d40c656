"""Captioning models: which one is asked what a picture shows, and what it takes from the hub."""

from __future__ import annotations

from smd_cli.models.cache import Download
from smd_cli.models.ref import ModelRef

DEFAULT_CAPTIONER = ModelRef(
    "Salesforce/blip-image-captioning-base",
    revision="9cfcdbcaccbcadb2b53b36d4b50042c4eeaa0c25",  # its main branch has pickles alone
)
"""A small BLIP (arXiv 2201.12086)."""


def captioner_downloads(model: ModelRef) -> tuple[Download, ...]:
    """What a captioning model takes from the hub; nothing where it lies here."""
    if model.folder is not None:
        return ()
    return (Download(model.hub_id, model.revision, captioner=True),)
