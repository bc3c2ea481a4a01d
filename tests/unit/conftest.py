"""Which unit tests `make unit` leaves out: those that start servers, and those that take long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SERVERS = {"daemon", "new_daemon", "postgresql"}
"""Fixtures that start a program; also the value of a parameter that stands for one."""

_FILE_MARKS = re.compile(r"^pytestmark = (.+)$", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a file whose tests are all left out: that took as long as all others."""
    terms = config.option.markexpr.split(" and ")
    left_out = [f"mark.{term.removeprefix('not ')}" for term in terms if term.startswith("not ")]
    if not left_out or collection_path.suffix != ".py":
        return None
    marks = _FILE_MARKS.search(collection_path.read_text(encoding="utf-8"))
    return True if marks and any(one in marks[1] for one in left_out) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server by its fixtures; modules that start one themselves say so."""
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        if callspec := getattr(item, "callspec", None):
            needed |= {one for one in callspec.params.values() if isinstance(one, str)}
        if needed & SERVERS:
            item.add_marker(pytest.mark.server)
