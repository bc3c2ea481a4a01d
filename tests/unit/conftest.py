"""Which unit tests `make unit` leaves out: those that start servers, and those that take long."""

from __future__ import annotations

import pytest

SERVERS = {"daemon", "new_daemon", "postgresql"}
"""Fixtures that start a program; also the value of a parameter that stands for one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server by its fixtures; modules that start one themselves say so."""
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        if callspec := getattr(item, "callspec", None):
            needed |= {one for one in callspec.params.values() if isinstance(one, str)}
        if needed & SERVERS:
            item.add_marker(pytest.mark.server)
