"""The house: folders import each other in one direction, and a module is small enough to hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "smd_cli"
MAX_LINES = 400

# Every folder with those that it may import, its own modules besides. Those without are the ground.
GROUND = {"errors", "units", "smd_cli"}
MAY: dict[str, set[str]] = {
    "report": set(),
    "models": {"report"},
    "scene": {"models"},
    "engine": {"models", "scene"},
    "backbone": {"models", "scene", "engine"},
    "output": {"scene"},
    "work": {"report", "models", "scene", "engine", "backbone", "output"},
    "watch": {"report", "models", "scene", "engine", "backbone", "output", "work"},
    "bench": {"report", "models", "scene", "engine", "backbone", "output", "work", "watch"},
    "doctor": {"report", "models", "scene", "engine", "backbone"},
    "starter": {"report", "models", "scene", "engine", "backbone", "output", "work"},
    "cli": {"report", "models", "scene", "engine", "backbone", "work", "watch", "bench", "doctor"},
    "__main__": {"cli", "report"},
}
# What the package itself names for Python programs, and imports when it is asked for.
DOOR = {"smd_cli": {"work", "scene"}}
# Folders within one: none of these imports another, but for what stands here.
INSIDE = {"scene.keys": {"scene.text"}, "backbone.loading": {"backbone.families"}}


def modules() -> dict[str, Path]:
    """Every module of the package by its name below it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in paths}


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that one imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("smd_cli"):
            continue
        whole = (node.module or "").removeprefix("smd_cli").lstrip(".")
        for name in node.names:
            inner = f"{whole}.{name.name}".lstrip(".")
            yield inner if inner in known else whole or "smd_cli"


def folder(module: str) -> str:
    """The folder at the top, or the module where it stands there itself."""
    return module.split(".")[0].replace("__init__", "smd_cli")


MODULES = modules()
ARROWS = [(name, other) for name, path in MODULES.items() for other in imported(path, MODULES)]


def test_tests_that_are_listed_as_slow_are_there() -> None:
    lines = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted({*lines})
    for line in lines:
        path, name = line.split("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name.partition('[')[0]}(" in source, line


def test_there_is_a_house() -> None:
    assert len(MODULES) > 100
    assert len(ARROWS) > 300


def test_every_folder_has_its_place() -> None:
    assert {folder(name) for name in MODULES} - GROUND == {*MAY}


def test_folders_import_what_they_may() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, other in ARROWS
        if folder(other) not in {folder(name), *GROUND, *MAY.get(folder(name), set())}
        and folder(other) not in DOOR.get(folder(name), set())
    ]
    assert wrong == []


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    tree = ast.parse(MODULES["__init__"].read_text(encoding="utf-8"))
    own = [n.module or "" for n in tree.body if isinstance(n, ast.ImportFrom)]
    assert [module for module in own if module.startswith("smd_cli")] == []


def test_the_order_has_no_circle() -> None:
    """Taking away whatever imports nothing that is left takes away everything."""
    left = dict(MAY)
    while left:
        free = [name for name, others in left.items() if not others & {*left}]
        assert free, left
        for name in free:
            del left[name]


def test_folders_within_a_folder_do_not_import_each_other() -> None:
    def inner(module: str) -> str:
        return ".".join(module.split(".")[:2]) if module.count(".") > 1 else ""

    wrong = [
        f"{name} imports {other}"
        for name, other in ARROWS
        if inner(name) and inner(other) and inner(name) != inner(other)
        if folder(name) == folder(other) and inner(other) not in INSIDE.get(inner(name), set())
    ]
    assert wrong == []


@pytest.mark.parametrize("heavy", ["torch", "diffusers", "transformers"])
@pytest.mark.parametrize("light", ["models", "scene", "report", "cli"])
def test_what_check_needs_imports_nothing_heavy(light: str, heavy: str) -> None:
    """At the top of a module, that is: inside functions it may."""
    found = []
    for name, path in MODULES.items():
        if folder(name) != light:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [name for one in names if one.split(".")[0] == heavy]
    assert found == []


@pytest.mark.parametrize("name", [n for n in MODULES if n.endswith("__init__")])
def test_a_folder_says_what_it_is_for(name: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))) or ""
    assert text
    assert len(text.splitlines()) <= 6


def test_no_module_is_long() -> None:
    lines = {n: len(p.read_text(encoding="utf-8").splitlines()) for n, p in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}
