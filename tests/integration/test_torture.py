"""Everything at once on one store for some tens of seconds; `python -m bench.torture --minutes N`
does the same for longer."""

from __future__ import annotations

import pytest

from tests.helpers.torture import EVENTS, Torture, busy_site

pytestmark = pytest.mark.minutes

BETWEEN = 8
"""Messages between two events."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everything_agrees(request: pytest.FixtureRequest, kind: str) -> None:
    database = "" if kind == "sqlite" else request.getfixturevalue("postgresql")
    with busy_site(database) as site:
        record = Torture(site).run(BETWEEN)
    assert record.disagreements == []
    assert set(record.events) == set(EVENTS)
    assert record.operations["kept message found on a page"]
    assert record.operations["locks looked at"]
    assert len(record.answered) >= BETWEEN * len(EVENTS)
