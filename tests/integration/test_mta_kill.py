"""kill -9 of `filterd mta run`: what was answered with 250 is delivered, by the client's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.mta_kill import trial

pytestmark = [pytest.mark.integration, pytest.mark.minutes]

MESSAGES = 150
"""The full trial has 2000: `python -m bench.mta_kill`."""


def test_nothing_with_a_250_is_lost(tmp_path: Path) -> None:
    found = trial(tmp_path, MESSAGES, longest=0.3)
    assert found.lost == set()
    assert len(found.accepted) == MESSAGES
    assert found.kills >= 2, "the MTA was not killed in the middle"
