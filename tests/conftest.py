"""For all tests: hypothesis without deadlines, and a word at the end about servers not found."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Two busy cores make any single example slow now and then; a deadline would fail at random.
settings.register_profile("filterd", deadline=None)
settings.load_profile("filterd")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was missing: a skipped test that nobody notices is no test."""
    from tests.integration.servers.process import missing

    if missing:
        terminalreporter.section("not tested, servers are missing")
        for program, package in sorted(missing.items()):
            terminalreporter.line(f"{program}: package {package}")
        terminalreporter.line("as root: scripts/setup-system.sh test")
