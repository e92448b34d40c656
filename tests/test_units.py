"""Texts as people read them."""

from __future__ import annotations

import pytest

from smd_cli.units import closest_name


@pytest.mark.parametrize(
    ("name", "names", "closest"),
    [
        ("treee.png", ["cat.png"], ""),
        ("treee.png", ["cat.png", "tree.png"], "tree.png"),
        ("s.yaml", ["fox.yaml"], ""),
        ("foks.png", ["Fox.png", "owl.png"], "Fox.png"),
        ("TREE.PNG", ["tree.png"], "tree.png"),
        ("tree.png", ["tree.psd"], "tree.psd"),
        ("tree.png", ["tree.jpg", "trees.png", "tree.gif"], "tree.gif"),
        ("tre.png", ["tree.jpg", "tree.png"], "tree.png"),
        ("tree", [], ""),
    ],
)
def test_the_closest_name_is_close_before_its_suffix(
    name: str, names: list[str], closest: str
) -> None:
    assert closest_name(name, names) == closest
