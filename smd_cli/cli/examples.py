"""Examples for the help of each command: lines that can be typed as they stand."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "init": (
        "smd init fox",
        "smd init town --from town.kra",
        "smd init town --from town.png",
    ),
    "render": (
        "smd render scene.yaml",
        "smd render scene.yaml -n 24 -o fox.mp4 -o frames/",
        "smd render scene.yaml --set brushes.fox.prompt='a wolf' --seed 7 -o wolf.png",
        "smd render scene.yaml --seeds 1-8 --sheet seeds.png",
    ),
    "check": (
        "smd check scene.yaml",
        "smd check scene.yaml --only fox --size 512x512",
    ),
    "masks": ("smd masks scene.yaml -o sheet.png",),
    "schema": ("smd schema > scene.schema.json",),
    "watch": (
        "smd watch scene.yaml --serve --open",
        "smd watch scene.yaml -n 1 -o live.png",
    ),
    "rerun": ("smd rerun picture.png -o again.png",),
    "info": ("smd info picture.png", "smd info picture.png --json"),
    "unpack": ("smd unpack picture.png -o scene",),
    "compare": ("smd compare scene.yaml -o compared.png",),
    "models": (
        "smd models",
        "smd models starter",
        "smd models pull z-image-turbo",
    ),
    "doctor": ("smd doctor", "smd doctor --json"),
    "bench": ("smd bench trio", "smd bench all --device cuda"),
}
"""By command, each as a shell takes it."""


def epilog(command: str) -> str | None:
    """The examples of a command as the end of its help, a line each; None where it has none."""
    lines = EXAMPLES.get(command)
    if not lines:
        return None
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
