"""One word for one thing: a class name stands for one class in the whole package."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[2] / "filterd"


def test_no_two_classes_of_the_package_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert len(places) > 1000
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_formatter_is_not_switched_off() -> None:
    marks = ("fmt: " + "skip", "fmt: " + "off")
    folders = (PACKAGE, PACKAGE.parent / "tests", PACKAGE.parent / "bench")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 1000
    assert [str(p) for p in files if any(mark in p.read_text("utf-8") for mark in marks)] == []
