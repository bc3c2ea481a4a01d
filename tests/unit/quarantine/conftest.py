"""What all tests of the store share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def kept_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the machine that runs the tests is kept in time, whatever its kernel says."""
    monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: False)
